//! The whole order of work on one request: strip, decide, set. Envoy and the command `explain` both ask this.

use std::rc::Rc;

use crate::certificate::Timestamp;
use crate::decide::client::{ClientChecks, ConnectionClient};
use crate::decide::decision::{Decision, Denial, Evidence, Permit};
use crate::decide::header_value::HeaderSource;
use crate::decide::headers::{HeaderRules, Headers};
use crate::decide::policy::{Check, Policy, Request};
use crate::identity::{DirectPeer, IdentityError, Peer, PeerError};
use crate::limit::{Allowance, Charge, RateLimits};
use crate::reason::Reason;
use crate::request::RequestHead;

/// What is to be done with a request whose owned headers have been removed.
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

    fn denied(denial: Denial<'p>) -> Self {
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
}

impl Filter {
    /// The names of a head that this filter owns, and so must be removed whatever follows.
    pub fn owned_names<'a>(&self, head: &RequestHead<'a>) -> impl Iterator<Item = &'a [u8]> {
        head.names().filter(|name| self.headers.is_owned(name))
    }

    /// The value of the header in which a direct peer speaks for others (`certificate.forwarded_header`); several values
    /// as one (RFC 9110 section 5.3).
    pub fn forwarded(&self, head: &RequestHead<'_>) -> Option<Vec<u8>> {
        head.joined(self.policy.forwarded_header.name())
    }

    /// All that no request changes of the one at the other end of a connection; `forwarded` is [`Filter::forwarded`], on
    /// which it depends only where the direct peer speaks for others.
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

    /// Decides on a request and writes its headers. A pure function of its arguments; `charge` is asked
    /// last, of a request that nothing else refuses.
    pub fn decide(
        &self,
        head: &RequestHead<'_>,
        now: Timestamp,
        client: &ConnectionClient,
        charge: impl FnOnce(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'_> {
        let mut connection = head.values("connection");
        if connection.any(|value| self.headers.is_named_by(value)) {
            let evidence = Evidence {
                peer: client.direct.clone().ok(),
                ..Evidence::default()
            };
            let reason = Reason::MalformedRequest;
            return Outcome::denied(Denial { reason, evidence });
        }
        let path = head.path();
        let request = Request {
            now,
            method: head.first(":method"),
            path: &path,
            head: *head,
        };
        let permit = match self.policy.decide(&request, client) {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => return Outcome::denied(denial),
        };
        match permit.headers(&self.headers) {
            Ok(headers) => self.limit(permit, headers, charge),
            Err(reason) => Outcome::denied(permit.withdraw(reason)),
        }
    }

    fn limit<'p>(
        &'p self,
        mut permit: Permit<'p>,
        headers: Rc<Headers>,
        charge: impl FnOnce(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'p> {
        let quota = match permit.checks() {
            Some(checks) => checks.quota,
            None => self.limits.anonymous,
        };
        let user = permit.identity().map(|identity| &identity.user);
        let due = quota.map(|quota| Charge { user, quota });
        let allowance = match due.as_ref().map(charge).transpose() {
            Ok(allowance) => allowance,
            Err(reason) => return Outcome::denied(permit.withdraw(reason)),
        };
        let is_limited = allowance.is_some_and(|allowance| !allowance.is_allowed());
        if is_limited && !self.policy.observes(Check::RateLimit) {
            let denied = Outcome::denied(permit.withdraw(Reason::RateLimited));
            return Outcome {
                allowance,
                ..denied
            };
        }
        if is_limited {
            permit.observe(Reason::RateLimited);
        }
        Outcome {
            decision: Decision::Allow(permit),
            headers,
            allowance,
        }
    }

    /// The headers of the response that tell a client of its limit; none where the limit is only observed.
    pub fn limit_headers(&self, allowance: &Allowance) -> Vec<(&'static str, String)> {
        match self.policy.observes(Check::RateLimit) {
            true => Vec::new(),
            false => allowance.headers(self.limits.response_headers),
        }
    }
}
