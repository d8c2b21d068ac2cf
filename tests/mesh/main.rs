//! The overlays of `istio/` on a real istiod, and `envoy/envoy-gateway` in a real Envoy Gateway:
//! `cargo test --locked --features mesh --test mesh`.
//!
//! A world is etcd, the API server, istiod, a registry, and Pods with Istio's agent and Envoy, each in a network
//! namespace of its own. What nodes and controllers would do is played; [`differences`] says where the world is not a
//! mesh of Istio's own images.
//!
//! [`cluster_limit`] and [`spire`] need no world, but what `build.sh` builds as well: envoyproxy/ratelimit and SPIRE.
//!
//! Not among the tests of `cargo test`, because it builds Istio, Envoy Gateway and Kubernetes (`build.sh`) and needs root.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test fails by panicking, and lives in real time"
)]
#![allow(
    dead_code,
    reason = "the harness serves the tests of tests/e2e as well"
)]

#[path = "../e2e/harness/mod.rs"]
mod harness;

#[path = "../istio/manifests.rs"]
mod manifests;

#[path = "../contextforge/python.rs"]
mod python;

#[path = "../e2e/seen.rs"]
mod seen;

#[macro_use]
mod claim;

mod asking;
mod caller;
mod cluster;
mod differences;
mod network;
mod overlay;
mod plugin;
mod pod;
mod proxy;
mod registry;
mod release;
mod tools;
mod world;

mod admission;
mod attack;
mod changes;
mod cluster_limit;
mod contextforge;
mod doctor;
mod envoy_gateway;
mod failures;
mod gateway_api;
mod lines;
mod login;
mod order;
mod overlays;
mod people;
mod played;
mod rows;
mod spire;
mod tenants;
mod tool_rules;
