//! The filter with one callback that traps, so that a test can end its VM.

use std::path::{Path, PathBuf};

/// Sections of a module (WebAssembly 1.0, section 5.5).
const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
/// The kind of a function among imports and exports.
const FUNCTION: u8 = 0;
/// No locals, `unreachable`, `end`.
const TRAP: &[u8] = &[0, 0x00, 0x0b];

/// The module with the body of this exported function replaced by a trap; written into this folder.
pub(super) fn trapping_in(export: &str, module: &Path, folder: &Path) -> PathBuf {
    let module = std::fs::read(module).unwrap();
    let sections = sections(&module);
    let content = |id: u8| sections.iter().find(|(it, _)| *it == id).unwrap().1;
    let index = exported(content(EXPORTS), export) - imported(content(IMPORTS));
    let mut trapping = module[..8].to_vec();
    for (id, content) in &sections {
        let content = match *id {
            CODE => with_trap(content, index),
            _ => content.to_vec(),
        };
        trapping.push(*id);
        trapping.extend(number(content.len()));
        trapping.extend(content);
    }
    let path = folder.join("trapping.wasm");
    std::fs::write(&path, trapping).unwrap();
    path
}

fn sections(module: &[u8]) -> Vec<(u8, &[u8])> {
    let mut rest = Reader(&module[8..]);
    let mut sections = Vec::new();
    while !rest.0.is_empty() {
        let id = rest.byte();
        sections.push((id, rest.sized()));
    }
    sections
}

/// How many functions are imported; functions of the module count from there. The proxy gives nothing but functions.
fn imported(content: &[u8]) -> usize {
    Reader(content).number()
}

fn exported(content: &[u8], name: &str) -> usize {
    let mut exports = Reader(content);
    let count = exports.number();
    let mut all = (0..count).map(|_| (exports.sized(), exports.byte(), exports.number()));
    let found = all.find(|(it, kind, _)| *it == name.as_bytes() && *kind == FUNCTION);
    found.unwrap().2
}

fn with_trap(content: &[u8], index: usize) -> Vec<u8> {
    let mut bodies = Reader(content);
    let count = bodies.number();
    let mut code = number(count);
    for place in 0..count {
        let body = bodies.sized();
        let body = if place == index { TRAP } else { body };
        code.extend(number(body.len()));
        code.extend(body);
    }
    code
}

/// LEB128.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> usize {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = usize::from(self.byte());
            value |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// Bytes behind their length.
    fn sized(&mut self) -> &'a [u8] {
        let length = self.number();
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        bytes
    }
}
