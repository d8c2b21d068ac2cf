//! The core without a proxy: certificates and configurations in, decisions and headers out.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets the unexpected has failed, and shall say where"
)]

#[path = "../e2e/harness/artifacts.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod artifacts;
#[path = "../e2e/harness/certs.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod certs;
#[path = "../e2e/harness/curves.rs"]
mod curves;
#[path = "../e2e/harness/der.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod der;
#[path = "../e2e/harness/leaf.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod leaf;

mod config;
mod decide;
mod identity;
mod limit;
mod openssl;
mod properties;
mod report;
mod rooms;
mod rules;

// What the rooms ask of each other.
use config::configuration;
use decide::decision;
