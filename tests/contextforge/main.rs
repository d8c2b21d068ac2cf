//! The filter in front of the guide's gateway, ContextForge, with MCP clients and servers:
//! `cargo test --locked --features contextforge --test contextforge`.
//!
//! Not among the tests of `cargo test`, because it fetches some 90 Python packages. Needs Python 3.11 to 3.13.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and lives in real time"
)]
#![allow(
    dead_code,
    reason = "the harness serves the tests of tests/e2e as well"
)]

#[path = "../e2e/harness/mod.rs"]
mod harness;

mod gateway;
mod mcp;
mod plugin_site;
mod python;
mod settings;
mod world;

mod attacks;
mod browser;
mod clients;
mod compose;
mod helm;
mod internal;
mod migration;
mod plugins;
mod streams;
mod surface;
mod tokens;
mod tools;
mod unicode;
