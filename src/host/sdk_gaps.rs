//! Calls into the proxy for which the SDK has no function that can be used here. All `unsafe` of this project is in this
//! file, and no call in it panics: a status that the proxy should not give is an error.
#![allow(
    unsafe_code,
    reason = "the proxy's functions are foreign, and it answers with pointers"
)]

use std::ptr::null_mut;

use proxy_wasm::types::MapType;

use crate::reason::Reason;

/// `proxy_status_t` of proxy-wasm 0.2.1.
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;

/// `proxy_stream_type_t`: the request of a HTTP context.
const HTTP_REQUEST: u32 = 0;

/// `proxy_send_local_response` without a gRPC status.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: MapType, bytes: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_property(path: *const u8, size: usize, to: *mut *mut u8, len: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, size: usize, value: *const u8, len: usize) -> u32;
    fn proxy_close_stream(kind: u32) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

/// A header map as the proxy writes it: [`crate::request::RequestHead::read`] reads it in place.
///
/// `hostcalls::get_map_bytes` allocates twice for each header and panics on a name that is not UTF-8.
pub(super) fn header_map(map: MapType) -> Result<Vec<u8>, Reason> {
    // SAFETY: both pointers are valid during the call.
    let answer = answer(|bytes, size| unsafe { proxy_get_header_map_pairs(map, bytes, size) })?;
    answer.ok_or(Reason::InternalError)
}

/// An attribute of the proxy, by its path with a NUL between the parts; none if the proxy has none.
///
/// `hostcalls::get_property` panics on a status that it does not know, and allocates for the path.
pub(super) fn property(path: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
    // SAFETY: the path is one slice, and all pointers are valid during the call.
    answer(|bytes, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), bytes, size) })
}

/// Sets the filter state `wasm.<path>` of the request.
///
/// `hostcalls::set_property` panics on each failure, so that a record that cannot be written would end the VM.
pub(super) fn set_property(path: &[u8], value: &[u8]) -> Result<(), Reason> {
    // SAFETY: each pointer and length are those of one slice, which the proxy only reads, and only during the call.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// Answers the request at hand; `headers` are a map as [`crate::request::write_map`] writes it.
///
/// `hostcalls::send_http_response` has no `details`, which Envoy shows as `%RESPONSE_CODE_DETAILS%`: with them an access
/// log tells the filter's refusals from the gateway's.
pub(super) fn send_local_response(
    status: u32,
    details: &str,
    headers: &[u8],
    body: &str,
) -> Result<(), Reason> {
    // SAFETY: each pointer and length are those of one slice, which the proxy only reads, and only during the call.
    done(unsafe {
        proxy_send_local_response(
            status,
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// Ends the request at hand, whether its response has begun or not: RST_STREAM over HTTP/2, the connection over HTTP/1.
///
/// `hostcalls::reset_http_request` panics on each failure.
pub(super) fn reset_request() -> Result<(), Reason> {
    // SAFETY: the call takes a number and gives one.
    done(unsafe { proxy_close_stream(HTTP_REQUEST) })
}

/// The bytes with which the proxy answers a call.
fn answer(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Option<Vec<u8>>, Reason> {
    let (mut bytes, mut size) = (null_mut(), 0);
    match call(&raw mut bytes, &raw mut size) {
        OK if bytes.is_null() || size == 0 => Ok(Some(Vec::new())),
        // SAFETY: the proxy got the memory from the SDK's `proxy_on_memory_allocate`, which allocates exactly `size` bytes
        // and forgets them; the proxy has written all of them, and keeps no pointer.
        OK => Ok(Some(unsafe { Vec::from_raw_parts(bytes, size, size) })),
        NOT_FOUND => Ok(None),
        _ => Err(Reason::InternalError),
    }
}

fn done(status: u32) -> Result<(), Reason> {
    match status {
        OK => Ok(()),
        _ => Err(Reason::InternalError),
    }
}
