//! The client of a connection: what is the same for all of its requests, worked out once.

use std::rc::Rc;

use crate::certificate::PeerCertificate;
use crate::decide::headers::PreparedHeaders;
use crate::identity::Identity;
use crate::identity::{Peer, PeerError};
use crate::limit::Quota;
use crate::reason::Reason;
use crate::rules::RulesOfClient;

/// Result of the checks that depend only on client and configuration. Cached per connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientChecks {
    /// The user.
    pub identity: Identity,
    /// Whether the user may come with this certificate.
    pub pins: Result<(), Reason>,
    /// The authorization rules that can match a request of the user.
    pub rules: RulesOfClient,
    /// The quota that each request is charged to; none where there is no limit.
    pub quota: Option<Quota>,
    /// What a [`crate::decide::Permit`] sets.
    pub headers: PreparedHeaders,
}

/// The client of a connection under one configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionClient {
    /// The peer of the connection itself, or why there is none.
    pub direct: Result<Peer, Reason>,
    /// Whether the proxy vouches for its certificate.
    pub validated: Result<(), Reason>,
    /// The client that the peer speaks for, or why there is none. `None` if the peer is the client itself.
    pub client: Option<Result<Peer, Reason>>,
    /// Whether the certificates of peer and client are not revoked.
    pub revoked: Result<(), Reason>,
    /// The checks of the client, or why the client is no user.
    pub checks: Result<Rc<ClientChecks>, Reason>,
    /// Why `direct`, `client` or `checks` is an error, in words: which source, which character or which rule.
    pub detail: Option<Rc<str>>,
}

impl ConnectionClient {
    /// A connection whose client is nobody, for this reason.
    pub fn nobody(error: &PeerError) -> Self {
        let reason = error.reason();
        Self {
            direct: Err(reason),
            validated: Ok(()),
            client: None,
            revoked: Ok(()),
            checks: Err(reason),
            detail: Some(error.to_string().into()),
        }
    }

    /// The certificate of the connection itself.
    pub fn direct_certificate(&self) -> Option<&PeerCertificate> {
        self.direct.as_ref().ok().and_then(Peer::certificate)
    }

    /// Whether the direct peer speaks for its clients: then each request can have another client.
    pub fn speaks_for_others(&self) -> bool {
        self.client.is_some()
    }
}
