//! Text as the serial number of a revoked certificate.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &str| properties::serial::any_text(text));
