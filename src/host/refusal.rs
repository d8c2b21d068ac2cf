//! The answer to a request that does not go on.

use proxy_wasm_abi::Action;
use proxy_wasm_abi::calls::{self, LocalReply};

use crate::reason::Reason;
use crate::request::{Field, write_map};

/// A request that does not go on.
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Refusal {
    pub(super) fn of(reason: Reason) -> Self {
        Self {
            reason,
            headers: Vec::new(),
        }
    }

    /// Answers with the problem. The request is held whatever becomes of the answer.
    pub(super) fn answer(self) -> Action {
        let told = self.headers.iter();
        let told = told.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let headers: [Field<'_>; 2] = [
            (b"content-type", b"application/problem+json"),
            (b"cache-control", b"no-store"),
        ];
        let reply = LocalReply {
            status: u32::from(self.reason.status().code()),
            details: &format!("mtls_identity.{}", self.reason),
            headers: &write_map(headers.into_iter().chain(told)),
            body: &self.reason.problem(),
        };
        // Nothing is left to do when Envoy cannot answer: the request stays held.
        let _ = calls::reply(&reply);
        Action::Pause
    }
}
