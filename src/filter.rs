//! The whole order of work on one request: strip, decide, set. Envoy and the command `explain` both ask this.

use crate::config::Configuration;
use crate::decision::{Decision, Denial, Evidence};
use crate::denial::Reason;
use crate::peer::DirectPeer;
use crate::policy::Request;
use crate::request_path::RequestPath;
use crate::timestamp::Timestamp;

/// The head of a request: its headers with names in lower case, pseudo-headers among them.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    headers: &'a [(String, Vec<u8>)],
}

impl<'a> RequestHead<'a> {
    /// The head with these headers.
    pub fn of(headers: &'a [(String, Vec<u8>)]) -> Self {
        Self { headers }
    }

    /// The values of a header, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let headers = self.headers.iter();
        headers
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a header; no bytes if there is none.
    pub fn first(&self, name: &str) -> &'a [u8] {
        self.values(name).next().unwrap_or_default()
    }

    /// The path of the request, without its query.
    pub fn path(&self) -> RequestPath<'a> {
        RequestPath::of(self.first(":path"))
    }

    /// X-Forwarded-Client-Cert, repeated ones as one (RFC 9110 section 5.3).
    pub fn forwarded(&self) -> Option<Vec<u8>> {
        let values: Vec<_> = self.values("x-forwarded-client-cert").collect();
        (!values.is_empty()).then(|| values.join(&b","[..]))
    }
}

/// What is to be done with a request whose owned headers have been removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome<'p> {
    /// Whether it may pass, and on what that was decided.
    pub decision: Decision<'p>,
    /// The headers to set, each once; none for a request that may not pass.
    pub headers: Vec<(&'p str, String)>,
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
            headers: Vec::new(),
        }
    }
}

impl Configuration {
    /// The names of a head that this filter owns, and so must be removed whatever follows.
    pub fn owned_names<'a>(&self, head: &RequestHead<'a>) -> impl Iterator<Item = &'a str> {
        let names = head.headers.iter().map(|(name, _)| name.as_str());
        names.filter(|name| self.headers.is_owned(name.as_bytes()))
    }

    /// Decides on a request and writes its headers. A pure function of its arguments.
    pub fn serve(
        &self,
        head: &RequestHead<'_>,
        now: Timestamp,
        direct: &Result<Option<DirectPeer>, Reason>,
    ) -> Outcome<'_> {
        let mut connection = head.values("connection");
        if connection.any(|value| self.headers.is_named_by(value)) {
            return Outcome::refused(Reason::MalformedRequest);
        }
        let forwarded = head.forwarded();
        let request = Request {
            now,
            method: head.first(":method"),
            path: head.path(),
            forwarded: forwarded.as_deref(),
            headers: head.headers,
        };
        let permit = match self.policy.decide(&request, direct) {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => return Outcome::denied(denial),
        };
        match self.headers.of(&permit) {
            Ok(headers) => Outcome {
                headers,
                decision: Decision::Allow(permit),
            },
            Err(reason) => Outcome::denied(permit.withdraw(reason)),
        }
    }
}
