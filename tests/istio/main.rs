//! What is in `istio/` and `envoy/envoy-gateway`, without a cluster: `cargo test --locked --test istio`.
//!
//! The overlays are rendered by kubectl as `kubectl apply -k` would, and the image goes through a real registry. How
//! they behave in a real Envoy is in `tests/e2e/istio`.

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

#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod manifests;

mod configuration;
mod envoy_gateway;
mod files;
mod image;
mod pages;
mod references;
mod release;
mod second_line;
