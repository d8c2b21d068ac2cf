//! Who a request comes from, as far as no request changes that: worked out once for all requests of a connection.

use std::rc::Rc;

use crate::certificate::PeerCertificate;
use crate::denial::Reason;
use crate::headers::PreparedHeaders;
use crate::identity::Identity;
use crate::peer::Peer;
use crate::rate_limit::Charge;

/// What the configuration makes of one who is somebody, whatever is asked for and whenever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user.
    pub identity: Identity,
    /// Whether the user may come with this certificate.
    pub pins: Result<(), Reason>,
    /// What each request is charged to; none where there is no limit.
    pub charge: Option<Charge>,
    /// The user and the certificate as a record writes them.
    pub(crate) description: Vec<u8>,
    /// What a [`crate::decision::Permit`] sets.
    pub headers: PreparedHeaders,
}

/// All that is known of the other end of a connection under one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The peer of the connection itself, or why there is none.
    pub direct: Result<Peer, Reason>,
    /// Whether the proxy vouches for its certificate.
    pub validated: Result<(), Reason>,
    /// The client it speaks for, or why there is none; not there for a peer that is the client itself.
    pub client: Option<Result<Peer, Reason>>,
    /// Whether none of their certificates is revoked.
    pub revoked: Result<(), Reason>,
    /// Who the client is, or why it is nobody.
    pub standing: Result<Rc<Standing>, Reason>,
}

impl Caller {
    /// Nobody, for this reason.
    pub fn nobody(reason: Reason) -> Self {
        Self {
            direct: Err(reason),
            validated: Ok(()),
            client: None,
            revoked: Ok(()),
            standing: Err(reason),
        }
    }

    /// The certificate of the connection itself.
    pub fn direct_certificate(&self) -> Option<&PeerCertificate> {
        self.direct.as_ref().ok().and_then(Peer::certificate)
    }

    /// Whether each request says anew for whom the direct peer speaks.
    pub fn speaks_for_others(&self) -> bool {
        self.client.is_some()
    }
}
