//! Turns the certificate of an mTLS client into one header a gateway can trust.

pub mod certificate;
pub mod config;
pub mod decide;
#[cfg(feature = "cli")]
pub mod doctor;
pub mod encoding;
pub mod identity;
pub mod limit;
pub mod reason;
pub mod report;
pub mod request;
pub mod rules;

#[cfg(target_arch = "wasm32")]
mod host;
