//! The requests of this worker that are open, so that a new configuration can end those of a client that it revokes.
//! A request that is decided lasts as long as its response: an event stream or a WebSocket for hours.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use proxy_wasm::hostcalls;

use crate::decide::{ConnectionClient, Filter};

use super::sdk_gaps::reset_request;

/// What Envoy calls a plugin: its name and its `root_id`, which stay when its configuration changes.
pub(super) type PluginName = Rc<[u8]>;

struct Open {
    plugin: PluginName,
    client: Rc<ConnectionClient>,
}

thread_local! {
    /// By the id of the request's context. All configurations of a VM share this.
    static OPEN: RefCell<BTreeMap<u32, Open>> = const { RefCell::new(BTreeMap::new()) };
}

/// An open request; it is not any more when this is dropped.
pub(super) struct OpenStream(u32);

impl OpenStream {
    /// Notes that a request is open.
    pub(super) fn note(id: u32, plugin: PluginName, client: Rc<ConnectionClient>) -> Self {
        OPEN.with_borrow_mut(|open| open.insert(id, Open { plugin, client }));
        Self(id)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| open.remove(&self.0));
    }
}

/// Ends the open requests of this plugin whose client the filter revokes. Returns how many. `root` is the id of the
/// context at hand, which it is again afterwards.
pub(super) fn end_revoked(plugin: &PluginName, filter: &Filter, root: u32) -> usize {
    let revoked: Vec<u32> = OPEN.with_borrow(|open| {
        let of_plugin = open.iter().filter(|(_, open)| open.plugin == *plugin);
        let revoked = of_plugin.filter(|(_, open)| filter.revokes(&open.client));
        revoked.map(|(id, _)| *id).collect()
    });
    let mut count = 0;
    for id in &revoked {
        // Envoy deletes the request's context within the call, so that nothing may be borrowed here.
        let is_ended = hostcalls::set_effective_context(*id).is_ok() && reset_request().is_ok();
        count += usize::from(is_ended);
    }
    if !revoked.is_empty() {
        let _ = hostcalls::set_effective_context(root);
    }
    count
}
