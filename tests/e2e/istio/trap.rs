//! Proxy-wasm modules that fail: on every request, or on some workers only. Written byte by byte, with the least that
//! Envoy takes.

use std::path::PathBuf;

use tempfile::TempDir;

const I32: u8 = 0x7f;
/// `unreachable`, which traps.
const TRAP: &[u8] = &[0x00];

/// Crashes on every request; written into this folder.
pub(crate) fn on_requests(folder: &TempDir) -> PathBuf {
    // The number 1: configured.
    write(folder, "requests.wasm", &[0x41, 1])
}

/// The same, and it takes its configuration only so many times in a process; written into this folder.
pub(super) fn after_configurations(folder: &TempDir, accepted: u8) -> PathBuf {
    assert!(accepted < 0x40, "one byte of LEB128");
    let mut code = Vec::new();
    // The count is shared data under a key of one zero byte. Is there none yet?
    code.extend([0x41, 0, 0x41, 1, 0x41, 16, 0x41, 20, 0x41, 24, 0x10, 0]);
    code.extend([0x04, I32]); // if
    code.extend(store(&[0x41, 1]));
    code.extend([0x41, 1]); // configured
    code.push(0x05); // else: one more, by the address that Envoy left at 16
    code.extend(store(&[0x41, 16, 0x28, 2, 0, 0x2d, 0, 0, 0x41, 1, 0x6a]));
    code.extend([0x41, 32, 0x2d, 0, 0, 0x41, accepted, 0x4d]); // configured if the count is not over
    code.push(0x0b); // end
    write(folder, "configurations.wasm", &code)
}

/// Puts a count at 32, and into shared data.
fn store(count: &[u8]) -> Vec<u8> {
    let set = [0x41, 0, 0x41, 1, 0x41, 32, 0x41, 1, 0x41, 0, 0x10, 1, 0x1a];
    [&[0x41, 32], count, &[0x3a, 0, 0], &set].concat()
}

fn write(folder: &TempDir, name: &str, configure: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, module(configure)).unwrap();
    path
}

fn module(configure: &[u8]) -> Vec<u8> {
    let types = [
        function_type(0, 0),
        function_type(1, 1),
        function_type(2, 1),
        function_type(3, 1),
        function_type(5, 1),
    ];
    let imports = [
        import("proxy_get_shared_data", 4),
        import("proxy_set_shared_data", 4),
    ];
    let exports = [
        export("memory", 2, 0),
        export("proxy_abi_version_0_2_1", 0, 2),
        export("proxy_on_memory_allocate", 0, 3),
        export("proxy_on_configure", 0, 4),
        export("proxy_on_request_headers", 0, 5),
    ];
    // Nothing; the address 1024; the given; a trap.
    let bodies = [&[], &[0x41, 0x80, 0x08][..], configure, TRAP].map(body);
    let sections = [
        section(1, &types),
        section(2, &imports),
        section(3, &[vec![0], vec![1], vec![2], vec![3]]),
        section(5, &[vec![0, 2]]),
        section(7, &exports),
        section(10, &bodies),
    ];
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

fn function_type(parameters: usize, results: usize) -> Vec<u8> {
    let of = |count| [vec![count as u8], vec![I32; count]].concat();
    [vec![0x60], of(parameters), of(results)].concat()
}

fn body(code: &[u8]) -> Vec<u8> {
    sized(&[&[0], code, &[0x0b]].concat())
}

fn import(name: &str, function_type: u8) -> Vec<u8> {
    [
        sized(b"env"),
        sized(name.as_bytes()),
        vec![0, function_type],
    ]
    .concat()
}

fn export(name: &str, kind: u8, index: u8) -> Vec<u8> {
    [sized(name.as_bytes()), vec![kind, index]].concat()
}

fn section(id: u8, entries: &[Vec<u8>]) -> Vec<u8> {
    let content = [vec![entries.len() as u8], entries.concat()].concat();
    [vec![id], sized(&content)].concat()
}

/// Behind its length in LEB128.
fn sized(content: &[u8]) -> Vec<u8> {
    let length = content.len();
    assert!(length < 0x4000, "two bytes of LEB128");
    let length = [(length & 0x7f) as u8 | 0x80, (length >> 7) as u8];
    [&length, content].concat()
}
