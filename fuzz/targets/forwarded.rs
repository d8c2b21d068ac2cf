//! Bytes as X-Forwarded-Client-Cert.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|header: &[u8]| properties::forwarded::any_header(header));
