//! A dump of Envoy, objects of Kubernetes, or any other JSON.
#![no_main]

#[path = "../properties/config_dump.rs"]
mod config_dump;

libfuzzer_sys::fuzz_target!(|dump: &[u8]| config_dump::any_dump(dump));
