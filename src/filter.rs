//! The whole order of work on one request: strip, decide, set. Envoy and the command `explain` both ask this.

use std::rc::Rc;

use crate::audit;
use crate::caller::{Caller, Standing};
use crate::config::Configuration;
use crate::decision::{Decision, Denial, Evidence, Permit};
use crate::denial::Reason;
use crate::header_value::Holder;
use crate::headers::Headers;
use crate::peer::{DirectPeer, Peer};
use crate::policy::{Check, Request};
use crate::rate_limit::{Allowance, Charge};
use crate::request_head::RequestHead;
use crate::timestamp::Timestamp;

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

impl Configuration {
    /// The names of a head that this filter owns, and so must be removed whatever follows.
    pub fn owned_names<'a>(&self, head: &RequestHead<'a>) -> impl Iterator<Item = &'a [u8]> {
        head.names().filter(|name| self.headers.is_owned(name))
    }

    /// All that no request changes of the one at the other end of a connection; `forwarded` is X-Forwarded-Client-Cert,
    /// of which it depends only where the direct peer speaks for others.
    pub fn caller(
        &self,
        direct: &Result<Option<DirectPeer>, Reason>,
        forwarded: Option<&[u8]>,
    ) -> Caller {
        match direct {
            Ok(Some(direct)) => self.caller_of(direct, forwarded),
            Ok(None) => Caller::nobody(Reason::NoCertificate),
            Err(reason) => Caller::nobody(*reason),
        }
    }

    /// The same, of a direct peer that could be read.
    pub fn caller_of(&self, direct: &DirectPeer, forwarded: Option<&[u8]>) -> Caller {
        let validated = self.policy.check_validated(direct);
        let speaks = self.policy.speaks_for_others(direct);
        let client = speaks.then(|| {
            let client = direct.speaks_for(forwarded)?;
            client.ok_or(Reason::NoCertificate)
        });
        let peer = client.clone().unwrap_or_else(|| Ok(direct.peer.clone()));
        let peers = [Some(&direct.peer), peer.as_ref().ok()];
        Caller {
            direct: Ok(direct.peer.clone()),
            revoked: self.policy.check_revoked(peers.into_iter().flatten()),
            standing: validated
                .and(peer)
                .and_then(|peer| self.standing(&peer).map(Rc::new)),
            validated,
            client,
        }
    }

    fn standing(&self, peer: &Peer) -> Result<Standing, Reason> {
        let identity = self.policy.identity.identify(peer);
        let identity = identity.map_err(|error| error.reason())?;
        let holder = Holder {
            identity: Some(&identity),
            peer: Some(peer),
        };
        Ok(Standing {
            pins: self.policy.pins.check(&identity.user, peer.certificate()),
            charge: self.rate_limits.charge(Some(&identity.user)),
            description: audit::description(&holder),
            headers: self.headers.prepare(&holder),
            identity,
        })
    }

    /// Decides on a request and writes its headers. A pure function of its arguments; `charge` is asked
    /// last, of a request that nothing else refuses.
    pub fn serve(
        &self,
        head: &RequestHead<'_>,
        now: Timestamp,
        caller: &Caller,
        charge: impl FnOnce(&Charge) -> Result<Allowance, Reason>,
    ) -> Outcome<'_> {
        let mut connection = head.values("connection");
        if connection.any(|value| self.headers.is_named_by(value)) {
            let evidence = Evidence {
                peer: caller.direct.clone().ok(),
                ..Evidence::default()
            };
            let reason = Reason::MalformedRequest;
            return Outcome::denied(Denial { reason, evidence });
        }
        let request = Request {
            now,
            method: head.first(":method"),
            path: head.path(),
            head: *head,
        };
        let permit = match self.policy.decide(&request, caller) {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => return Outcome::denied(denial),
        };
        match self.headers.of(&permit) {
            Ok(headers) => self.limit(permit, headers, charge),
            Err(reason) => Outcome::denied(permit.withdraw(reason)),
        }
    }

    fn limit<'p>(
        &'p self,
        mut permit: Permit<'p>,
        headers: Rc<Headers>,
        charge: impl FnOnce(&Charge) -> Result<Allowance, Reason>,
    ) -> Outcome<'p> {
        let due = match permit.standing() {
            Some(standing) => standing.charge,
            None => self.rate_limits.charge(None),
        };
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
            false => allowance.headers(self.rate_limits.response_headers),
        }
    }
}
