//! The requests of this worker that are open, so that a new configuration can end those of a client that it revokes.
//! A request that is decided lasts as long as its response: an event stream or a WebSocket for hours.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
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

    /// The last configuration of each plugin.
    static NEWEST: RefCell<BTreeMap<PluginName, Newest>> = const { RefCell::new(BTreeMap::new()) };
}

struct Newest {
    /// The id of its context.
    root: u32,
    /// Requests that an older configuration has let in since: a filter in front had held them.
    latecomers: Vec<u32>,
}

/// Notes that this context has the last configuration of the plugin.
pub(super) fn begin(plugin: PluginName, root: u32) {
    let latecomers = Vec::new();
    NEWEST.with_borrow_mut(|newest| newest.insert(plugin, Newest { root, latecomers }));
}

/// Notes that this context is no more.
pub(super) fn end(plugin: &PluginName, root: u32) {
    NEWEST.with_borrow_mut(|newest| {
        if newest.get(plugin).is_some_and(|it| it.root == root) {
            newest.remove(plugin);
        }
    });
}

/// An open request; it is not any more when this is dropped.
pub(super) struct OpenStream(u32);

impl OpenStream {
    /// Notes that a request is open, which the configuration of the context `root` decides.
    pub(super) fn note(
        id: u32,
        root: u32,
        plugin: PluginName,
        client: Rc<ConnectionClient>,
    ) -> Self {
        NEWEST.with_borrow_mut(|newest| {
            if let Some(newest) = newest.get_mut(&plugin).filter(|it| it.root != root) {
                newest.latecomers.push(id);
            }
        });
        OPEN.with_borrow_mut(|open| open.insert(id, Open { plugin, client }));
        Self(id)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|open| open.remove(&self.0));
    }
}

/// All open requests of this plugin.
pub(super) fn of(plugin: &PluginName) -> Vec<u32> {
    OPEN.with_borrow(|open| {
        let of_plugin = open.iter().filter(|(_, open)| open.plugin == *plugin);
        of_plugin.map(|(id, _)| *id).collect()
    })
}

/// Those that an older configuration has let in since the last time, if the context `root` has the last one.
pub(super) fn take_latecomers(plugin: &PluginName, root: u32) -> Vec<u32> {
    NEWEST.with_borrow_mut(|newest| {
        let newest = newest.get_mut(plugin).filter(|it| it.root == root);
        newest.map_or_else(Vec::new, |it| mem::take(&mut it.latecomers))
    })
}

/// Ends those of these requests whose client the filter revokes. Returns how many. `root` is the id of the context at hand,
/// which it is again afterwards.
pub(super) fn end_revoked(mut ids: Vec<u32>, filter: &Filter, root: u32) -> usize {
    OPEN.with_borrow(|open| {
        ids.retain(|id| {
            open.get(id)
                .is_some_and(|open| filter.revokes(&open.client))
        });
    });
    let mut count = 0;
    for id in &ids {
        // Envoy deletes the request's context within the call, so that nothing may be borrowed here.
        let is_ended = hostcalls::set_effective_context(*id).is_ok() && reset_request().is_ok();
        count += usize::from(is_ended);
    }
    if !ids.is_empty() {
        let _ = hostcalls::set_effective_context(root);
    }
    count
}
