//! Held requests of whose body Envoy has shown nothing yet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use crate::request::RequestHead;

use super::attributes::attribute;
use super::sdk_gaps::header_map;

/// What the log and the record say when Envoy keeps a body to itself.
pub(super) const NOT_HANDED_OVER: &str = "mcp.paths needs the body, and Envoy does not hand it over: set \
     allow_on_headers_stop_iteration: true in the PluginConfig, beside configuration";

/// How many ticks a body may be there and not be shown: a second. A filter in front of this one may keep it for a moment.
const PATIENCE: u8 = 4;

/// The number that Envoy gives to a request.
pub(super) type RequestId = u32;

/// The held requests of one worker of whose body nothing has been seen.
///
/// Without `allow_on_headers_stop_iteration` Envoy keeps the body of a held request until the filter lets it go, which the
/// filter never does without the body. The filter cannot ask whether the field is set, so it asks at each tick how much
/// Envoy has received: a body that has begun and was not shown is one that never will be.
#[derive(Default)]
pub(super) struct Unheard {
    /// For how many ticks the body of each has been there.
    requests: RefCell<BTreeMap<RequestId, u8>>,
    is_logged: Cell<bool>,
}

impl Unheard {
    /// A request is held.
    pub(super) fn add(&self, id: RequestId) {
        self.requests.borrow_mut().insert(id, 0);
    }

    /// A part of its body was seen, or it has ended.
    pub(super) fn remove(&self, id: RequestId) {
        self.requests.borrow_mut().remove(&id);
    }

    /// Removes the requests whose body Envoy keeps to itself; called at each tick.
    pub(super) fn take_withheld(&self) -> Vec<RequestId> {
        let mut requests = self.requests.borrow_mut();
        let mut withheld = Vec::new();
        requests.retain(|id, ticks| {
            *ticks += u8::from(make_current(*id) && has_begun());
            let is_withheld = *ticks >= PATIENCE;
            withheld.extend(is_withheld.then_some(*id));
            !is_withheld
        });
        if !withheld.is_empty() && !self.is_logged.replace(true) {
            log::error!("{NOT_HANDED_OVER}");
        }
        withheld
    }
}

/// Makes this request the one at hand; whether there is such a request.
pub(super) fn make_current(id: RequestId) -> bool {
    hostcalls::set_effective_context(id).is_ok()
}

/// Whether Envoy has received any of the body of the request at hand: it counts the bytes of the body and of the header map
/// together.
fn has_begun() -> bool {
    let all = attribute(b"request\0total_size").ok().flatten();
    let all = all.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes));
    let map = header_map(MapType::HttpRequestHeaders).unwrap_or_default();
    let head = RequestHead::read(&map).map(|head| head.size());
    matches!((all, head), (Some(all), Some(head)) if all > head)
}
