//! The decision on a request, and the evidence for it.

use std::net::SocketAddr;
use std::rc::Rc;

use crate::decide::client::ClientChecks;
use crate::decide::headers::{HeaderRules, Headers};
use crate::identity::Identity;
use crate::identity::Peer;
use crate::reason::Reason;
use crate::request::McpMessage;

/// What was known when a request was decided. The record is made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence<'p> {
    /// The client; none when it showed nothing that could be read.
    pub peer: Option<Peer>,
    /// The direct peer that spoke for the client, where it was not the client itself.
    pub intermediary: Option<Peer>,
    /// The checks of the client, if it is a user.
    pub checks: Option<Rc<ClientChecks>>,
    /// Why the client is no user, in words.
    pub detail: Option<Rc<str>>,
    /// The message of MCP that the request carried.
    pub message: Option<McpMessage>,
    /// The authorization rule that decided.
    pub rule: Option<&'p str>,
    /// The checks that failed and are only observed.
    pub observed: Vec<Reason>,
}

impl Evidence<'_> {
    /// The user that the client is.
    pub fn identity(&self) -> Option<&Identity> {
        self.checks.as_ref().map(|checks| &checks.identity)
    }

    /// What tells this client from others in the log: its key, or else its address without the port. Of an IPv6 address the
    /// first 64 bits count, since one client has all addresses behind them.
    pub fn log_source(&self, address: &[u8]) -> Vec<u8> {
        if let Some(certificate) = self.peer.as_ref().and_then(Peer::certificate) {
            return certificate.spki_sha256().to_vec();
        }
        let text = std::str::from_utf8(address).unwrap_or_default();
        match text.parse() {
            Ok(SocketAddr::V6(address)) => address.ip().octets().iter().copied().take(8).collect(),
            Ok(SocketAddr::V4(address)) => address.ip().octets().to_vec(),
            Err(_) => address.to_vec(),
        }
    }

    /// The names of the checks that failed and are only observed.
    pub fn observed_names(&self) -> Vec<&'static str> {
        self.observed.iter().map(|reason| reason.as_str()).collect()
    }
}

/// The decision on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<'p> {
    /// It may pass.
    Allow(Permit<'p>),
    /// It may not.
    Deny(Denial<'p>),
}

impl<'p> Decision<'p> {
    /// What it was decided on.
    pub fn evidence(&self) -> &Evidence<'p> {
        match self {
            Self::Allow(permit) => &permit.evidence,
            Self::Deny(denial) => &denial.evidence,
        }
    }

    /// Notes the message that the request carries.
    pub(super) fn note(&mut self, message: McpMessage) {
        let evidence = match self {
            Self::Allow(permit) => &mut permit.evidence,
            Self::Deny(denial) => &mut denial.evidence,
        };
        evidence.message = Some(message);
    }

    /// Why the request may not pass; none if it may.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Allow(_) => None,
            Self::Deny(denial) => Some(denial.reason),
        }
    }

    /// `allow`, `anonymous` for a request that passes without an identity, or `deny`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Allow(permit) if permit.identity().is_some() => "allow",
            Self::Allow(_) => "anonymous",
            Self::Deny(_) => "deny",
        }
    }
}

/// A request that may not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial<'p> {
    /// Why.
    pub reason: Reason,
    /// What it was decided on.
    pub evidence: Evidence<'p>,
}

/// The proof that [`crate::decide::Policy::decide`] let a request pass; without it there are no identity
/// headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit<'p> {
    evidence: Evidence<'p>,
}

impl<'p> Permit<'p> {
    /// For [`crate::decide::Policy`] only, after its last check.
    pub(super) fn new(evidence: Evidence<'p>) -> Self {
        Self { evidence }
    }

    /// Who passes; none for a request that passes without an identity.
    pub fn identity(&self) -> Option<&Identity> {
        self.evidence.identity()
    }

    /// The checks of the user who passes; none for a request that passes without an identity.
    pub fn checks(&self) -> Option<&Rc<ClientChecks>> {
        self.evidence.checks.as_ref()
    }

    /// The headers to set, each once.
    ///
    /// # Errors
    /// [`Reason::HeaderTooLarge`] for a value over 8 KiB, [`Reason::InvalidIdentity`] for an organization or a unit that
    /// is no text.
    pub fn headers(&self, rules: &HeaderRules) -> Result<Rc<Headers>, Reason> {
        match self.checks() {
            Some(checks) => checks.headers.headers.clone(),
            None => rules.anonymous(),
        }
    }

    /// Notes a check that failed and is only observed.
    pub fn observe(&mut self, reason: Reason) {
        self.evidence.observed.push(reason);
    }

    /// Refuses the request after all: one of its headers cannot be written, or its limit is used up.
    pub fn withdraw(self, reason: Reason) -> Denial<'p> {
        let evidence = self.evidence;
        Denial { reason, evidence }
    }
}
