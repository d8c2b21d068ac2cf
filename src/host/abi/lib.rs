//! proxy-wasm 0.2.1, as much of it as the filter uses: [`calls`] into the proxy, and the callbacks that [`filter!`]
//! exports.
//!
//! All of the filter's code that the compiler cannot prove safe is here. It is written for Envoy's
//! price list: a context is an entry in a table, an answer stays where the proxy has written it, no status panics,
//! and what is not exported is not called.
#![cfg(target_arch = "wasm32")]

mod answers;
pub mod calls;
mod contexts;

pub use answers::{Answers, answering};
pub use contexts::{Contexts, Filter};

/// Whether the proxy goes on with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Continue,
    /// It holds the request.
    Pause,
}

/// Exports the callbacks of a [`Filter`].
#[macro_export]
macro_rules! filter {
    ($filter:ty) => {
        mod callbacks {
            use super::*;

            thread_local! {
                static CONTEXTS: $crate::Contexts<$filter> = $crate::Contexts::default();
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_context_create(id: u32, parent: u32) {
                CONTEXTS.with(|contexts| contexts.create(id, parent));
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_delete(id: u32) {
                CONTEXTS.with(|contexts| contexts.delete(id));
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_configure(id: u32, size: usize) -> u32 {
                $crate::answering(|answers| {
                    u32::from(CONTEXTS.with(|contexts| contexts.configure(id, size, answers)))
                })
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_tick(id: u32) {
                CONTEXTS.with(|contexts| contexts.tick(id));
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_request_headers(id: u32, _count: u32, _end: u32) -> u32 {
                $crate::answering(|answers| {
                    CONTEXTS.with(|contexts| contexts.request_headers(id, answers)) as u32
                })
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_request_trailers(id: u32, _count: u32) -> u32 {
                $crate::answering(|answers| {
                    CONTEXTS.with(|contexts| contexts.request_trailers(id, answers)) as u32
                })
            }

            #[unsafe(no_mangle)]
            pub extern "C" fn proxy_on_response_headers(id: u32, _count: u32, _end: u32) -> u32 {
                CONTEXTS.with(|contexts| contexts.response_headers(id));
                $crate::Action::Continue as u32
            }
        }
    };
}

/// Says which version of the ABI this is.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_abi_version_0_2_1() {}

/// Runs what has to run before anything else.
#[unsafe(no_mangle)]
pub extern "C" fn _initialize() {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }
    // SAFETY: the linker's own function; the proxy calls this one once, and first.
    unsafe { __wasm_call_ctors() };
    // A panic ends the VM; its message shall be found in the proxy's log.
    std::panic::set_hook(Box::new(|panic| {
        let _ = calls::log(calls::Level::Critical, panic.to_string().as_bytes());
    }));
}

/// Starts the VM.
#[unsafe(no_mangle)]
pub extern "C" fn proxy_on_vm_start(_id: u32, _size: u32) -> u32 {
    1
}
