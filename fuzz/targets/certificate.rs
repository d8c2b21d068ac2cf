//! Bytes as a certificate, in DER and in PEM.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    properties::certificate::any_bytes(bytes);
    properties::certificate::any_text(bytes);
});
