//! Bytes as Client-Cert.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|value: &[u8]| properties::client_cert::any_value(value));
