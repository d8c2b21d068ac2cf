//! Bytes as a distinguished name.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::name::any_der(bytes));
