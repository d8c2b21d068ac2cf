//! The native commands, run as programs: what they print, where, and with which exit code.
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

#[path = "../istio/manifests.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests of the manifests, which use the rest"
)]
mod manifests;

mod check;
mod desk;
mod doctor;
mod explain;
mod files;
mod image;
mod pages;
mod revoke;
mod sources;
mod tokens;
