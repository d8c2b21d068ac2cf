//! The module itself, before any Envoy has it.

use crate::harness::artifacts;

/// What an operator ships, and what each worker of an Envoy compiles and keeps.
const MAXIMUM: u64 = 400 * 1024;

#[test]
fn the_module_is_small() {
    let size = artifacts::wasm().metadata().unwrap().len();
    assert!(size < MAXIMUM, "{size} bytes");
}
