//! The body of a request to an MCP server.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::mcp::any_body(body));
