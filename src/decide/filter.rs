//! The filter of a configuration: what is removed, who the client of a connection is. [`super::step`] has the order of work
//! on a request.

use std::rc::Rc;

use crate::decide::client::{ClientChecks, ConnectionClient};
use crate::decide::decision::{Decision, Denial, Evidence};
use crate::decide::header_value::HeaderSource;
use crate::decide::headers::{HeaderRules, Headers};
use crate::decide::policy::{Check, Policy};
use crate::identity::{DirectPeer, ForwardedHeader, IdentityError, Peer, PeerError};
use crate::limit::{Allowance, RateLimits};
use crate::reason::Reason;
use crate::request::RequestHead;
use crate::rules::McpRules;

/// The decision on a request, and the headers to set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'p> {
    /// Whether it may pass, and on what that was decided.
    pub decision: Decision<'p>,
    /// The headers to set, each once; none for a request that may not pass.
    pub headers: Rc<Headers>,
    /// What is left of the limit that the request was charged to.
    pub allowance: Option<Allowance>,
}

impl<'p> Outcome<'p> {
    /// A request that is refused before anything is known of it.
    pub fn refused(reason: Reason) -> Self {
        let evidence = Evidence::default();
        Self::denied(Denial { reason, evidence })
    }

    /// A request that is refused because the proxy does not do what the filter needs, in words.
    pub fn failed(detail: &str) -> Self {
        let evidence = Evidence {
            detail: Some(detail.into()),
            ..Evidence::default()
        };
        let reason = Reason::InternalError;
        Self::denied(Denial { reason, evidence })
    }

    pub(super) fn denied(denial: Denial<'p>) -> Self {
        Self {
            decision: Decision::Deny(denial),
            headers: Rc::default(),
            allowance: None,
        }
    }
}

/// What is done with every request: who may pass, what is set, how much may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Who may pass.
    pub policy: Policy,
    /// What is removed, and what is set.
    pub headers: HeaderRules,
    /// How much a user may ask.
    pub limits: RateLimits,
    /// Where a body is a message of MCP.
    pub mcp: McpRules,
}

impl Filter {
    /// The names of a head that this filter owns, and so must be removed whatever follows.
    pub fn owned_names<'a>(&self, head: &RequestHead<'a>) -> impl Iterator<Item = &'a [u8]> {
        head.names().filter(|name| self.headers.is_owned(name))
    }

    /// Whether an owned header of this name can only be a client's claim. Envoy itself, or a proxy in front, writes the
    /// header in which it speaks for others.
    pub fn is_claim(&self, name: &[u8]) -> bool {
        let of_proxy = self.policy.forwarded_header.name().as_bytes();
        let speaks = !self.policy.forwarded_by.is_empty();
        name != ForwardedHeader::Xfcc.name().as_bytes() && !(speaks && name == of_proxy)
    }

    /// The value of the header in which a direct peer speaks for others (`certificate.forwarded_header`); several values
    /// as one (RFC 9110 section 5.3).
    pub fn forwarded(&self, head: &RequestHead<'_>) -> Option<Vec<u8>> {
        head.joined(self.policy.forwarded_header.name())
    }

    /// The client of a connection. `forwarded` is [`Filter::forwarded`]. It matters only if the direct peer speaks for its
    /// clients.
    pub fn client(
        &self,
        direct: &Result<Option<DirectPeer>, PeerError>,
        forwarded: Option<&[u8]>,
    ) -> ConnectionClient {
        match direct {
            Ok(Some(direct)) => self.client_of(direct, forwarded),
            Ok(None) => ConnectionClient::nobody(&PeerError::Nothing),
            Err(error) => ConnectionClient::nobody(error),
        }
    }

    /// The same, of a direct peer that could be read.
    pub fn client_of(&self, direct: &DirectPeer, forwarded: Option<&[u8]>) -> ConnectionClient {
        let validated = self.policy.check_validated(direct);
        let speaks = self.policy.speaks_for_others(direct);
        let mut detail = None;
        let client = speaks.then(|| {
            let client = direct.speaks_for(self.policy.forwarded_header, forwarded);
            client.map_err(|error| {
                detail = Some(error.to_string().into());
                error.reason()
            })
        });
        let peer = client.clone().unwrap_or_else(|| Ok(direct.peer.clone()));
        let peers = [Some(&direct.peer), peer.as_ref().ok()];
        let revoked = self.policy.check_revoked(peers.into_iter().flatten());
        let checks = validated.and(peer).and_then(|peer| {
            self.check(&peer).map(Rc::new).map_err(|error| {
                detail = Some(error.to_string().into());
                error.reason()
            })
        });
        ConnectionClient {
            direct: Ok(direct.peer.clone()),
            revoked,
            checks,
            detail,
            validated,
            client,
        }
    }

    /// Whether this filter revokes a client that another configuration has let in, or the peer that speaks for it.
    pub fn revokes(&self, client: &ConnectionClient) -> bool {
        let spoken_for = client.client.as_ref().and_then(|peer| peer.as_ref().ok());
        let peers = [client.direct.as_ref().ok(), spoken_for];
        self.policy
            .check_revoked(peers.into_iter().flatten())
            .is_err()
    }

    fn check(&self, peer: &Peer) -> Result<ClientChecks, IdentityError> {
        let identity = self.policy.identity.identify(peer)?;
        let source = HeaderSource {
            identity: Some(&identity),
            peer: Some(peer),
        };
        Ok(ClientChecks {
            pins: self.policy.pins.check(&identity, peer.certificate()),
            rules: self.policy.rules_of(&identity, peer),
            quota: self.limits.quota_of(&identity),
            headers: self.headers.prepare(&source),
            identity,
        })
    }

    /// The headers of the response that tell a client of its limit; none where the limit is only observed.
    pub fn limit_headers(&self, allowance: &Allowance) -> Vec<(&'static str, String)> {
        match self.policy.observes(Check::RateLimit) {
            true => Vec::new(),
            false => allowance.headers(self.limits.response_headers),
        }
    }
}
