//! Text as a SPIFFE ID.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &str| properties::spiffe_id::any_text(text));
