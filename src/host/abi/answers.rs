//! What the proxy answers: bytes that it writes into this module's memory, and that live until the callback is over.
//!
//! They come to lie one behind the other in a fixed piece of memory, which costs next to nothing; what does
//! not fit there is allocated.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::ptr::null_mut;

use crate::calls::{self, HeaderMap, Status, done};

/// Enough for the headers and attributes of most requests.
const SIZE: usize = 16 * 1024;

/// The memory of answers. There is one thread in a VM.
struct Memory {
    fixed: UnsafeCell<[u8; SIZE]>,
    used: Cell<usize>,
    allocated: RefCell<Vec<Box<[u8]>>>,
    /// How many callbacks run, one inside of the other.
    callbacks: Cell<usize>,
}

// SAFETY: proxy-wasm has no threads; without them nothing is shared between any.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory {
    fixed: UnsafeCell::new([0; SIZE]),
    used: Cell::new(0),
    allocated: RefCell::new(Vec::new()),
    callbacks: Cell::new(0),
};

impl Memory {
    /// A place for so many bytes that nothing else uses until it is released.
    fn place(&self, size: usize) -> *mut u8 {
        let start = self.used.get();
        match start.checked_add(size) {
            Some(end) if end <= SIZE => {
                self.used.set(end);
                // SAFETY: `start` is inside of the array.
                unsafe { self.fixed.get().cast::<u8>().add(start) }
            }
            _ => self.allocate(size),
        }
    }

    #[cold]
    fn allocate(&self, size: usize) -> *mut u8 {
        let mut bytes = vec![0; size].into_boxed_slice();
        let start = bytes.as_mut_ptr();
        self.allocated.borrow_mut().push(bytes);
        start
    }
}

/// Memory for an answer; [`Answers`] reads it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    MEMORY.place(size)
}

/// The answers to a callback.
pub struct Answers {
    _of_this_module_only: (),
}

/// Runs a callback; what the proxy answers lives as long as that.
pub fn answering<T>(callback: impl FnOnce(&Answers) -> T) -> T {
    MEMORY.callbacks.set(MEMORY.callbacks.get() + 1);
    callback(&Answers {
        _of_this_module_only: (),
    })
}

/// Should a callback ever run inside of another, all memory is released with the outer one.
impl Drop for Answers {
    fn drop(&mut self) {
        MEMORY.callbacks.set(MEMORY.callbacks.get() - 1);
        if MEMORY.callbacks.get() == 0 {
            MEMORY.used.set(0);
            if !MEMORY.allocated.borrow().is_empty() {
                MEMORY.allocated.borrow_mut().clear();
            }
        }
    }
}

impl Answers {
    /// The bytes of one call's answer.
    fn of(
        &self,
        call: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    ) -> Result<Option<&[u8]>, Status> {
        let (mut bytes, mut size) = (null_mut(), 0);
        match done(call(&raw mut bytes, &raw mut size)) {
            Ok(()) if bytes.is_null() || size == 0 => Ok(Some(&[])),
            // SAFETY: the proxy has asked for so many bytes, has written all of them and keeps no pointer; nobody else gets
            // their place while any `Answers` is there, and the slice cannot outlive this one.
            Ok(()) => Ok(Some(unsafe { std::slice::from_raw_parts(bytes, size) })),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// The plugin configuration, at most `size` bytes of it.
    ///
    /// # Errors
    /// The proxy's [`Status`].
    pub fn plugin_configuration(&self, size: usize) -> Result<&[u8], Status> {
        // SAFETY: both pointers are valid during the call.
        let call = |bytes, found| unsafe {
            calls::proxy_get_buffer_bytes(calls::PLUGIN_CONFIGURATION, 0, size, bytes, found)
        };
        Ok(self.of(call)?.unwrap_or_default())
    }

    /// A header map in the ABI's form: how many there are, the lengths of names and values, and then each with a NUL
    /// behind it. No bytes where there is none.
    ///
    /// # Errors
    /// The proxy's [`Status`].
    pub fn header_map(&self, map: HeaderMap) -> Result<&[u8], Status> {
        // SAFETY: both pointers are valid during the call.
        let call =
            |bytes, size| unsafe { calls::proxy_get_header_map_pairs(map as u32, bytes, size) };
        Ok(self.of(call)?.unwrap_or_default())
    }

    /// An attribute, by its path with NUL between the parts; none if the proxy has none.
    ///
    /// # Errors
    /// The proxy's [`Status`].
    pub fn property(&self, path: &[u8]) -> Result<Option<&[u8]>, Status> {
        // SAFETY: the path is one slice, and all pointers are valid during the call.
        self.of(|bytes, size| unsafe {
            calls::proxy_get_property(path.as_ptr(), path.len(), bytes, size)
        })
    }

    /// A value of the data that all VMs of one `vm_id` share, and its compare-and-swap number; none if it was never set.
    ///
    /// # Errors
    /// The proxy's [`Status`].
    pub fn shared_data(&self, key: &[u8]) -> Result<Option<(&[u8], u32)>, Status> {
        let mut cas = 0;
        // SAFETY: the key is one slice, and all pointers are valid during the call.
        let value = self.of(|bytes, size| unsafe {
            calls::proxy_get_shared_data(key.as_ptr(), key.len(), bytes, size, &raw mut cas)
        })?;
        Ok(value.map(|value| (value, cas)))
    }
}
