//! A proxy-wasm module that crashes on every request.

use std::path::PathBuf;

use tempfile::TempDir;

const I32: u8 = 0x7f;

/// Written into this folder.
pub(super) fn module(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("trap.wasm");
    std::fs::write(&path, bytes()).unwrap();
    path
}

/// The least that Envoy takes: a memory, the ABI's version, an allocator; and the callback that does `unreachable`.
fn bytes() -> Vec<u8> {
    let types = [
        [&[0x60, 0, 0][..]].concat(),
        [&[0x60, 1, I32, 1, I32][..]].concat(),
        [&[0x60, 3, I32, I32, I32, 1, I32][..]].concat(),
    ];
    let exports = [
        export("memory", 2, 0),
        export("proxy_abi_version_0_2_1", 0, 0),
        export("proxy_on_memory_allocate", 0, 1),
        export("proxy_on_request_headers", 0, 2),
    ];
    // Nothing; the number 1024; unreachable.
    let bodies = [
        vec![2, 0, 0x0b],
        vec![5, 0, 0x41, 0x80, 0x08, 0x0b],
        vec![3, 0, 0x00, 0x0b],
    ];
    let sections = [
        section(1, &types),
        section(3, &[vec![0], vec![1], vec![2]]),
        section(5, &[vec![0, 2]]),
        section(7, &exports),
        section(10, &bodies),
    ];
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    let content = [vec![entries.len() as u8], entries.concat()].concat();
    assert!(content.len() < 0x80, "one byte of LEB128");
    [vec![id, content.len() as u8], content].concat()
}

fn export(name: &str, kind: u8, index: u8) -> Vec<u8> {
    [
        vec![name.len() as u8],
        name.as_bytes().to_vec(),
        vec![kind, index],
    ]
    .concat()
}
