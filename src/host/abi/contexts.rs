//! The contexts of a VM: one for each plugin configuration, and one for each request under one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use crate::{Action, Answers};

/// A plugin configuration that serves. No state is locked while it is called.
pub trait Filter: Sized + 'static {
    /// What a request keeps for its response.
    type Kept;

    /// The filter with the configuration that the proxy has ready, of `size` bytes; none to refuse it.
    fn configure(size: usize, answers: &Answers) -> Option<Self>;

    /// Is called as often as it asked to be.
    fn tick(&self);

    /// The headers of a request.
    fn request_headers(&self, answers: &Answers) -> (Action, Option<Self::Kept>);

    /// The trailers of a request.
    fn request_trailers(&self, answers: &Answers) -> Action;

    /// The headers of the response to a request that kept something.
    fn response_headers(&self, kept: Self::Kept);

    /// Answers a request that has come before any configuration.
    fn refuse_unconfigured() -> Action;
}

/// By the number of the context.
type Table<T> = HashMap<u32, T, BuildHasherDefault<Spread>>;

/// All contexts of this VM.
pub struct Contexts<F: Filter> {
    filters: RefCell<Table<Rc<F>>>,
    requests: RefCell<Table<Rc<F>>>,
    kept: RefCell<Table<F::Kept>>,
}

impl<F: Filter> Default for Contexts<F> {
    fn default() -> Self {
        Self {
            filters: RefCell::default(),
            requests: RefCell::default(),
            kept: RefCell::default(),
        }
    }
}

impl<F: Filter> Contexts<F> {
    /// A request begins under the configuration `parent`; or, without a parent, a configuration is to come.
    pub fn create(&self, id: u32, parent: u32) {
        if let Some(filter) = of(&self.filters, parent) {
            self.requests.borrow_mut().insert(id, filter);
        }
    }

    /// The context has ended.
    pub fn delete(&self, id: u32) {
        // What is taken out is dropped after the table is free again: it may call the proxy.
        let request = self.requests.borrow_mut().remove(&id);
        if request.is_none() {
            let filter = self.filters.borrow_mut().remove(&id);
            drop(filter);
        }
        if !self.kept.borrow().is_empty() {
            self.kept.borrow_mut().remove(&id);
        }
    }

    /// Whether a configuration is accepted.
    pub fn configure(&self, id: u32, size: usize, answers: &Answers) -> bool {
        let filter = F::configure(size, answers).map(Rc::new);
        let is_accepted = filter.is_some();
        let mut filters = self.filters.borrow_mut();
        let former = match filter {
            Some(filter) => filters.insert(id, filter),
            None => filters.remove(&id),
        };
        drop(filters);
        drop(former);
        is_accepted
    }

    /// Passes the time on to a configuration.
    pub fn tick(&self, id: u32) {
        if let Some(filter) = of(&self.filters, id) {
            filter.tick();
        }
    }

    /// What to do with a request.
    pub fn request_headers(&self, id: u32, answers: &Answers) -> Action {
        let Some(filter) = of(&self.requests, id) else {
            return F::refuse_unconfigured();
        };
        let (action, kept) = filter.request_headers(answers);
        if let Some(kept) = kept {
            self.kept.borrow_mut().insert(id, kept);
        }
        action
    }

    /// What to do with a request that has trailers.
    pub fn request_trailers(&self, id: u32, answers: &Answers) -> Action {
        match of(&self.requests, id) {
            Some(filter) => filter.request_trailers(answers),
            None => F::refuse_unconfigured(),
        }
    }

    /// Adds to a response.
    pub fn response_headers(&self, id: u32) {
        if self.kept.borrow().is_empty() {
            return;
        }
        let kept = self.kept.borrow_mut().remove(&id);
        if let (Some(kept), Some(filter)) = (kept, of(&self.requests, id)) {
            filter.response_headers(kept);
        }
    }
}

fn of<F>(table: &RefCell<Table<Rc<F>>>, id: u32) -> Option<Rc<F>> {
    table.borrow().get(&id).cloned()
}

/// The proxy numbers contexts one after the other: to spread the numbers is enough.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(u32::from(byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 divided by the golden ratio (Knuth, The Art of Computer Programming 6.4).
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
