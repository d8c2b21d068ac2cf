//! The decision: who is asking, and whether they may pass.

use serde::Deserialize;

use crate::certificate::PeerCertificate;
use crate::denial::Reason;
use crate::identity::{Identity, IdentityRules};
use crate::peer::{DirectPeer, Peer, Validation};
use crate::spiffe::SpiffeId;
use crate::timestamp::Timestamp;

/// Who vouches that a certificate is the client's own and of a CA that is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValidationSource {
    /// Envoy must report it for the connection.
    #[default]
    Required,
    /// The operator, whose listener admits validated certificates only.
    Listener,
}

/// What becomes of a request that names nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingIdentity {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on without any owned header.
    Strip,
}

/// What a decision depends on, beside the peer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// When the request arrived.
    pub now: Timestamp,
    /// `:path`, with its query.
    pub path: &'a [u8],
    /// X-Forwarded-Client-Cert.
    pub forwarded: Option<&'a [u8]>,
}

/// What is decided of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Allow(Permit),
    /// It may not.
    Deny(Reason),
}

/// The proof that [`Policy::decide`] let a request pass; without it there are no identity headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    holder: Option<Holder>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    identity: Identity,
    peer: Peer,
}

impl Permit {
    /// Who passes; none for a request that passes without an identity.
    pub fn identity(&self) -> Option<&Identity> {
        self.holder.as_ref().map(|holder| &holder.identity)
    }

    /// The certificate of the one who passes, where there is one.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        self.holder.as_ref()?.peer.certificate()
    }

    /// The SPIFFE ID of the one who passes, where there is one.
    pub fn spiffe_id(&self) -> Option<SpiffeId> {
        self.holder.as_ref()?.peer.spiffe_id()
    }
}

/// All that is asked of a request before it may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who vouches for certificates.
    pub validation: ValidationSource,
    /// The peers whose X-Forwarded-Client-Cert speaks for their clients.
    pub forwarded_by: Vec<SpiffeId>,
    /// How a peer is named.
    pub identity: IdentityRules,
    /// What becomes of a request that names nobody.
    pub missing: MissingIdentity,
    /// Paths on which a request that names nobody goes on.
    pub anonymous_paths: Vec<String>,
}

impl Policy {
    /// Decides on a request. A pure function: time is part of the request.
    pub fn decide(
        &self,
        request: &Request<'_>,
        direct: &Result<Option<DirectPeer>, Reason>,
    ) -> Decision {
        let direct = match direct {
            Ok(Some(direct)) => self.holder(request, direct),
            Ok(None) => Err(Reason::NoCertificate),
            Err(reason) => Err(*reason),
        };
        match direct {
            Ok(holder) => Decision::Allow(Permit {
                holder: Some(holder),
            }),
            Err(reason) if reason.is_missing_identity() && self.admits_anonymous(request) => {
                Decision::Allow(Permit { holder: None })
            }
            Err(reason) => Decision::Deny(reason),
        }
    }

    fn holder(&self, request: &Request<'_>, direct: &DirectPeer) -> Result<Holder, Reason> {
        self.check_validated(direct)?;
        check_validity(&direct.peer, request.now)?;
        let peer = if self.speaks_for_others(direct) {
            let client = direct.speaks_for(request.forwarded)?;
            let client = client.ok_or(Reason::NoCertificate)?;
            check_validity(&client, request.now)?;
            client
        } else {
            direct.peer.clone()
        };
        match self.identity.identify(&peer) {
            Ok(identity) => Ok(Holder { identity, peer }),
            Err(error) => Err(error.reason()),
        }
    }

    /// A principal has no certificate that Envoy could report on: the mesh vouches for it.
    fn check_validated(&self, direct: &DirectPeer) -> Result<(), Reason> {
        match (self.validation, &direct.peer, direct.validation) {
            (ValidationSource::Required, Peer::Certificate(_), Validation::NotReported) => {
                Err(Reason::CertificateNotValidated)
            }
            _ => Ok(()),
        }
    }

    fn speaks_for_others(&self, direct: &DirectPeer) -> bool {
        let id = direct.peer.spiffe_id();
        id.is_some_and(|id| self.forwarded_by.contains(&id))
    }

    fn admits_anonymous(&self, request: &Request<'_>) -> bool {
        let path = request.path.split(|&byte| byte == b'?').next();
        let is_path = |allowed: &String| Some(allowed.as_bytes()) == path;
        self.missing == MissingIdentity::Strip || self.anonymous_paths.iter().any(is_path)
    }
}

/// RFC 5280 section 4.1.2.5: both ends of the validity belong to it. Envoy looked at it only in the handshake.
fn check_validity(peer: &Peer, now: Timestamp) -> Result<(), Reason> {
    let Some(certificate) = peer.certificate() else {
        return Ok(());
    };
    if now < certificate.not_before() {
        return Err(Reason::CertificateNotYetValid);
    }
    if now > certificate.not_after() {
        return Err(Reason::CertificateExpired);
    }
    Ok(())
}
