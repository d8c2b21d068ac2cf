//! What the filter promises, on a real Envoy with real mTLS: `cargo test --locked --test e2e`.
//!
//! One file per theme; `harness` starts what they need.

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
    reason = "the harness also serves tests that are still to come"
)]

mod harness;

mod attack;
mod audit;
mod bound;
mod certificate;
mod certificates;
mod client_cert;
mod cluster_limit;
mod configuration;
mod cors;
mod counters;
mod doctor;
mod explain;
mod flood;
mod forgery;
mod hop_by_hop;
mod hostile;
mod http3;
mod identity;
mod istio;
mod kubernetes;
mod last_word;
mod limits;
mod load;
mod mcp;
mod migration;
mod module;
mod monitoring;
mod odd_proxy;
mod older_envoy;
mod pages;
mod pieces;
mod policy;
mod rate_limit;
mod remembered;
mod revoked;
mod rotation;
mod second_line;
mod seen;
mod spelling;
mod transport;
mod troubleshooting;
mod two_envoys;
mod update;
mod xds;
