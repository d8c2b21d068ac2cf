//! The answer to a request that does not go on.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Action;

use crate::denial::Reason;

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
        let told = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let headers = [
            ("content-type", "application/problem+json"),
            ("cache-control", "no-store"),
        ];
        let headers = headers.into_iter().chain(told).collect();
        let status = u32::from(self.reason.status().code());
        let body = self.reason.problem();
        // Nothing is left to do when Envoy cannot answer: the request stays held.
        let _ = hostcalls::send_http_response(status, headers, Some(body.as_bytes()));
        Action::Pause
    }
}
