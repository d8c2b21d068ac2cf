//! Bytes as a CRL.
#![no_main]

#[path = "../properties/crl.rs"]
mod property;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| property::any_bytes(bytes));
