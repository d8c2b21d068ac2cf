//! The answer to a request that does not go on.

use proxy_wasm::types::{Action, Status};

use crate::reason::Reason;
use crate::request::{Field, write_map};

use super::sdk_gaps::send_local_response;

/// Headers for the response: each a name and a value.
pub(super) type ResponseHeaders = Vec<(&'static str, String)>;

/// A failed call into the proxy is a state that should not be.
impl From<Status> for Reason {
    fn from(_: Status) -> Self {
        Self::InternalError
    }
}

/// A request that does not go on.
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) headers: ResponseHeaders,
}

impl Refusal {
    pub(super) fn new(reason: Reason) -> Self {
        Self {
            reason,
            headers: Vec::new(),
        }
    }

    /// Answers with the problem. The request is held whatever becomes of the answer.
    ///
    /// The connection stays open: Envoy takes `connection: close` out of a local reply (1.36 to 1.40, HTTP/1.1 and HTTP/2),
    /// and has no call that closes a connection of HTTP.
    pub(super) fn answer(self) -> Action {
        let status = u32::from(self.reason.status().code());
        let details = format!("mtls_identity.{}", self.reason);
        let own: [Field<'_>; 2] = [
            (b"content-type", b"application/problem+json"),
            (b"cache-control", b"no-store"),
        ];
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let map = write_map(own.into_iter().chain(headers));
        // Nothing is left to do when Envoy cannot answer: the request stays held.
        let _ = send_local_response(status, &details, &map, &self.reason.problem());
        Action::Pause
    }
}
