//! What a client got.

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use serde_json::Value;

use super::gateway::Received;

/// A complete response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// All values of this header, in order.
    pub(crate) fn header(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The request as the gateway got it; the answer must be the gateway's.
    #[track_caller]
    pub(crate) fn gateway(&self) -> Received {
        assert_eq!(self.status, 200, "not an answer of the gateway: {self:?}");
        serde_json::from_value(self.json()).unwrap()
    }

    /// Status and reason of the filter's problem+json (RFC 9457), which must say no more than that.
    #[track_caller]
    pub(crate) fn denial(&self) -> (u16, String) {
        let content_type = self.header(CONTENT_TYPE.as_str());
        assert_eq!(content_type, ["application/problem+json"], "{self:?}");
        let problem = self.json();
        let members: Vec<_> = problem.as_object().unwrap().keys().collect();
        assert_eq!(members, ["reason", "status", "title", "type"], "{self:?}");
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status);
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        (self.status, problem["reason"].as_str().unwrap().to_owned())
    }

    /// Denied with this status and reason.
    #[track_caller]
    pub(crate) fn assert_denied(&self, status: u16, reason: &str) {
        assert_eq!(self.denial(), (status, reason.to_owned()), "{self:?}");
    }
}
