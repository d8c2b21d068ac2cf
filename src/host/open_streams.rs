//! The requests of this worker that are open, so that a new configuration can end those of a client that it revokes.
//! A request that is decided lasts as long as its response: an event stream or a WebSocket for hours.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;

use proxy_wasm::hostcalls;

use crate::decide::{ConnectionClient, Filter};

use super::sdk_gaps::reset_request;

/// What Envoy calls a plugin: its name and its `root_id`, which stay when its configuration changes.
pub(super) type PluginName = Rc<[u8]>;

struct Open {
    /// Of the request's context.
    id: u32,
    plugin: PluginName,
    client: Rc<ConnectionClient>,
}

/// Places for open requests. One that was given back is taken again first, so that a request allocates nothing.
struct Places {
    places: Vec<Option<Open>>,
    free: Vec<usize>,
}

impl Places {
    fn take(&mut self, open: Open) -> usize {
        if let Some(number) = self.free.pop()
            && let Some(place) = self.places.get_mut(number)
        {
            *place = Some(open);
            return number;
        }
        self.places.push(Some(open));
        self.places.len() - 1
    }

    fn give_back(&mut self, number: usize) {
        if let Some(place) = self.places.get_mut(number) {
            *place = None;
            self.free.push(number);
        }
    }
}

thread_local! {
    /// All configurations of a VM share this.
    static OPEN: RefCell<Places> = const {
        RefCell::new(Places { places: Vec::new(), free: Vec::new() })
    };

    /// The context of the configuration by which the last request of all came.
    static LATEST: Cell<Option<u32>> = const { Cell::new(None) };

    /// The context of the configuration by which the last request of each plugin came.
    static LAST: RefCell<BTreeMap<PluginName, u32>> = const { RefCell::new(BTreeMap::new()) };

    /// On how many of its next ticks the context of a configuration looks at the open requests.
    static REVIEWS: RefCell<BTreeMap<u32, u8>> = const { RefCell::new(BTreeMap::new()) };
}

/// On so many ticks open requests are looked at. A new configuration takes over on a worker within one tick or two.
const TICKS_OF_REVIEW: u8 = 8;

/// The configuration of this context looks at the open requests on its next ticks.
pub(super) fn begin_review(root: u32) {
    REVIEWS.with_borrow_mut(|reviews| reviews.insert(root, TICKS_OF_REVIEW));
}

/// Whether it does so on this tick, which is counted.
pub(super) fn is_under_review(root: u32) -> bool {
    REVIEWS.with_borrow_mut(|reviews| {
        let left = reviews.get(&root).and_then(|left| left.checked_sub(1));
        match left {
            Some(left) => reviews.insert(root, left),
            None => reviews.remove(&root),
        };
        left.is_some()
    })
}

/// The context of a configuration is no more.
pub(super) fn forget(root: u32) {
    REVIEWS.with_borrow_mut(|reviews| reviews.remove(&root));
    LAST.with_borrow_mut(|last| last.retain(|_, it| *it != root));
    LATEST.set(None);
}

/// Notes by which configuration a request comes. Where it is another one than before, a review begins.
///
/// Envoy says when a configuration is new, and not when an older one, which the requests that it let in have kept, is in use
/// again. And a request that a filter in front has held comes by the configuration of its beginning, however old that is.
/// Nobody can tell these two apart: so of an older and a newer one both look.
pub(super) fn note_use(plugin: &PluginName, root: u32) {
    if LATEST.replace(Some(root)) == Some(root) {
        return;
    }
    let former = LAST.with_borrow_mut(|last| match last.get_mut(plugin) {
        Some(last) => Some(mem::replace(last, root)),
        None => last.insert(plugin.clone(), root),
    });
    match former {
        Some(former) if former != root => {
            begin_review(root);
            if former > root {
                begin_review(former);
            }
        }
        Some(_) | None => {}
    }
}

/// An open request; it is not any more when this is dropped.
pub(super) struct OpenStream(usize);

impl OpenStream {
    /// Notes that a request is open.
    pub(super) fn note(id: u32, plugin: PluginName, client: Rc<ConnectionClient>) -> Self {
        let open = Open { id, plugin, client };
        Self(OPEN.with_borrow_mut(|places| places.take(open)))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(|places| places.give_back(self.0));
    }
}

/// Ends the open requests of this plugin whose client the filter revokes. Returns how many. `root` is the id of the
/// context at hand, which it is again afterwards.
pub(super) fn end_revoked(plugin: &PluginName, filter: &Filter, root: u32) -> usize {
    let revoked: Vec<u32> = OPEN.with_borrow(|places| {
        let open = places.places.iter().flatten();
        let of_plugin = open.filter(|open| open.plugin == *plugin);
        let revoked = of_plugin.filter(|open| filter.revokes(&open.client));
        revoked.map(|open| open.id).collect()
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
