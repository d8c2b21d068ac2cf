//! Certificates of other makers, read by mtls-identity, by OpenSSL and by Python's package cryptography: they agree on
//! every field, and whatever is done to the bytes, nothing panics and nobody becomes somebody else.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets the unexpected has failed, and shall say where"
)]

#[path = "../../fuzz/properties/mod.rs"]
#[allow(dead_code, reason = "shared with the fuzz targets, which use the rest")]
mod properties;

#[path = "../e2e/harness/artifacts.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod artifacts;

mod agreement;
mod cryptography;
mod der;
mod distinguished_name;
mod extension;
mod insertion;
mod inspect;
mod makers;
mod mutation;
mod names;
mod openssl;
mod parallel;
mod refusal;
mod vectors;
