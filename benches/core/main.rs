//! What the core's own functions take, natively and without a proxy: `cargo bench --locked --bench core`.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark fails by panicking"
)]

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/e2e/harness/certs.rs"]
mod certs;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/e2e/harness/der.rs"]
mod der;
#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/e2e/harness/leaf.rs"]
mod leaf;

#[allow(dead_code, unused_imports, reason = "the tests use the rest of it")]
#[path = "../../tests/core/decide/decision.rs"]
mod decision;

mod connection;
mod request;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, connection::benchmarks, request::benchmarks);
criterion_main!(benches);
