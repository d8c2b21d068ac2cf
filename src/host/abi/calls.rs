//! Calls into the proxy. Each may fail with a [`Status`], and none panics. Those that answer with bytes are
//! [`crate::Answers`]'.

/// Why a call gave nothing (proxy-wasm 0.2.1, `proxy_status_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(1);
    /// Another has written in between.
    pub const CAS_MISMATCH: Self = Self(8);
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For those who want to know.
    Info = 2,
    /// Worth a look.
    Warn = 3,
    /// It does not work.
    Critical = 5,
}

/// Which headers are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderMap {
    /// Of the request, pseudo-headers among them.
    Request = 0,
    /// The request's trailers.
    RequestTrailers = 1,
    /// Of the response.
    Response = 2,
}

/// A local reply: what the proxy answers without asking anybody.
#[derive(Clone, Copy, Debug)]
pub struct LocalReply<'a> {
    /// The status code.
    pub status: u32,
    /// For `%RESPONSE_CODE_DETAILS%`.
    pub details: &'a str,
    /// A header map in the ABI's form.
    pub headers: &'a [u8],
    /// The body.
    pub body: &'a str,
}

/// `proxy_buffer_type_t`.
pub(crate) const PLUGIN_CONFIGURATION: u32 = 7;
/// `proxy_metric_type_t`.
const COUNTER: u32 = 0;
/// No gRPC status.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    pub(crate) fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        size: usize,
        bytes: *mut *mut u8,
        found: *mut usize,
    ) -> u32;
    pub(crate) fn proxy_get_header_map_pairs(
        kind: u32,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        kind: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        kind: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(kind: u32, name: *const u8, size: usize) -> u32;
    pub(crate) fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    pub(crate) fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        bytes: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    #[allow(clippy::too_many_arguments, reason = "the ABI's")]
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

pub(crate) fn done(status: u32) -> Result<(), Status> {
    match status {
        0 => Ok(()),
        other => Err(Status(other)),
    }
}

/// Writes a line to the proxy's log.
///
/// # Errors
/// The proxy's [`Status`].
pub fn log(level: Level, message: &[u8]) -> Result<(), Status> {
    // SAFETY: the pointer and the length are those of one slice, which is read during the call only.
    done(unsafe { proxy_log(level as u32, message.as_ptr(), message.len()) })
}

/// Asks for a tick every so many milliseconds.
///
/// # Errors
/// The proxy's [`Status`].
pub fn set_tick_period(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: no pointers.
    done(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// The proxy's wall clock, in nanoseconds since the epoch.
///
/// # Errors
/// The proxy's [`Status`].
pub fn now() -> Result<u64, Status> {
    let mut time = 0;
    // SAFETY: the pointer is valid during the call.
    done(unsafe { proxy_get_current_time_nanoseconds(&raw mut time) })?;
    Ok(time)
}

/// Adds a header to those that are there.
///
/// # Errors
/// The proxy's [`Status`].
pub fn add_header(map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: each pointer and length are those of one slice, which is read during the call only.
    done(unsafe {
        proxy_add_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Gives a header this one value.
///
/// # Errors
/// The proxy's [`Status`].
pub fn replace_header(map: HeaderMap, name: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: each pointer and length are those of one slice, which is read during the call only.
    done(unsafe {
        proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    })
}

/// Removes a header, however often it is there.
///
/// # Errors
/// The proxy's [`Status`].
pub fn remove_header(map: HeaderMap, name: &[u8]) -> Result<(), Status> {
    // SAFETY: the pointer and the length are those of one slice, which is read during the call only.
    done(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Sets the filter state `wasm.<path>`.
///
/// # Errors
/// The proxy's [`Status`].
pub fn set_property(path: &[u8], value: &[u8]) -> Result<(), Status> {
    // SAFETY: each pointer and length are those of one slice, which is read during the call only.
    done(unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) })
}

/// Sets a value of the shared data; with a number, only if nobody has written since it was read. The proxy gives no
/// value the number 0, which stands for none.
///
/// # Errors
/// [`Status::CAS_MISMATCH`] when somebody has; else the proxy's [`Status`].
pub fn set_shared_data(key: &[u8], value: &[u8], cas: Option<u32>) -> Result<(), Status> {
    // SAFETY: each pointer and length are those of one slice, which is read during the call only.
    done(unsafe {
        proxy_set_shared_data(
            key.as_ptr(),
            key.len(),
            value.as_ptr(),
            value.len(),
            cas.unwrap_or(0),
        )
    })
}

/// The number of the counter with this name.
///
/// # Errors
/// The proxy's [`Status`].
pub fn define_counter(name: &str) -> Result<u32, Status> {
    let mut id = 0;
    // SAFETY: the name is one slice, and the pointer is valid during the call.
    done(unsafe { proxy_define_metric(COUNTER, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds to a counter.
///
/// # Errors
/// The proxy's [`Status`].
pub fn increment_counter(id: u32, by: i64) -> Result<(), Status> {
    // SAFETY: no pointers.
    done(unsafe { proxy_increment_metric(id, by) })
}

/// Answers the request at hand.
///
/// # Errors
/// The proxy's [`Status`].
pub fn reply(reply: &LocalReply<'_>) -> Result<(), Status> {
    let LocalReply {
        status,
        details,
        headers,
        body,
    } = *reply;
    // SAFETY: each pointer and length are those of one slice, which is read during the call only.
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
