//! Held requests of whose body Envoy has shown nothing yet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proxy_wasm::hostcalls;

use super::attributes::attribute;

/// What the log and the record say when Envoy keeps a body to itself.
pub(super) const NOT_HANDED_OVER: &str = "mcp.paths needs the body, and Envoy does not hand it over: set \
     allow_on_headers_stop_iteration: true in the PluginConfig, beside configuration";

/// The number that Envoy gives to a request.
pub(super) type RequestId = u32;

/// The held requests of one worker of whose body nothing has been seen, each with the bytes that Envoy had received of it.
///
/// Without `allow_on_headers_stop_iteration` Envoy keeps the body of a held request until the filter lets it go, which the
/// filter never does without the body. The filter cannot ask whether the field is set, so it asks from time to time how much
/// Envoy has received: a body that has begun and was not shown is one that never will be.
#[derive(Default)]
pub(super) struct Unheard {
    requests: RefCell<BTreeMap<RequestId, Option<u64>>>,
    is_logged: Cell<bool>,
}

impl Unheard {
    /// The request at hand is held.
    pub(super) fn add(&self, id: RequestId) {
        self.requests.borrow_mut().insert(id, received());
    }

    /// A part of its body was seen, or it has ended.
    pub(super) fn remove(&self, id: RequestId) {
        self.requests.borrow_mut().remove(&id);
    }

    /// Removes a request whose body Envoy keeps to itself, and makes it the request at hand; none if there is no such
    /// request.
    pub(super) fn take_withheld(&self) -> Option<RequestId> {
        let mut requests = self.requests.borrow_mut();
        let mut withheld = requests.iter().filter(|(id, before)| {
            let is_there = hostcalls::set_effective_context(**id).is_ok();
            is_there && received() > **before
        });
        let id = withheld.next().map(|(id, _)| *id)?;
        requests.remove(&id);
        drop(requests);
        if !self.is_logged.replace(true) {
            log::error!("{NOT_HANDED_OVER}");
        }
        Some(id)
    }
}

/// How many bytes of the request at hand Envoy has received, its head included.
fn received() -> Option<u64> {
    let size = attribute(b"request\0total_size").ok().flatten()?;
    size.try_into().ok().map(u64::from_le_bytes)
}
