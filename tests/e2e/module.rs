//! The module itself, before any Envoy has it.

use std::fs;
use std::process::Command;

use wasmi::{Engine, Module};

use crate::harness::artifacts;

/// In bytes: what an operator ships, and what each worker of an Envoy compiles and keeps.
const MAXIMUM: u64 = 1_500_000;

/// The functions that Envoy calls. It enters the VM for each one that is there, so one too many costs every request, and
/// one that is missing is never called.
const CALLED: [&str; 12] = [
    "_initialize",
    "proxy_abi_version_0_2_1",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_memory_allocate",
    "proxy_on_request_body",
    "proxy_on_request_headers",
    "proxy_on_request_trailers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
];

#[test]
fn the_module_is_small() {
    let size = artifacts::wasm().metadata().unwrap().len();
    assert!(size < MAXIMUM, "{size} bytes");
}

#[test]
fn the_module_exports_its_memory_and_the_callbacks_that_it_has_and_nothing_else() {
    let module = Module::new(&Engine::default(), fs::read(artifacts::wasm()).unwrap()).unwrap();
    let (mut functions, mut others) = (Vec::new(), Vec::new());
    for export in module.exports() {
        match export.ty().func() {
            Some(_) => functions.push(export.name()),
            None => others.push(export.name()),
        }
    }
    functions.sort_unstable();
    assert_eq!(functions, CALLED);
    assert_eq!(others, ["memory"]);
}

/// The crates that this package itself is built on.
fn packages(arguments: &[&str]) -> Vec<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--quiet", "--locked", "--edges", "normal"])
        .args(["--depth", "1", "--prefix", "none", "--format", "{lib}"])
        .args(arguments);
    let printed = artifacts::output(&mut tree);
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn the_module_stands_on_the_sdk_and_the_native_core_has_none_of_it() {
    let wasm = packages(&["--target", "wasm32-wasip1"]);
    for package in ["log", "proxy_wasm", "serde", "serde_json", "x509_parser"] {
        assert!(wasm.iter().any(|it| it == package), "{package}: {wasm:?}");
    }
    let native = packages(&["--all-features"]);
    assert!(native.iter().any(|it| it == "serde_json"), "{native:?}");
    assert!(!native.iter().any(|it| it == "proxy_wasm"), "{native:?}");
}
