//! For whom a trusted peer speaks: X-Forwarded-Client-Cert as Envoy writes it, or Client-Cert (RFC 9440).
//!
//! Only a certificate is believed. In X-Forwarded-Client-Cert its SHA-256 must be the `Hash` beside it.

mod client_cert;
mod direct_peer;
mod error;
mod exact;
mod hash;
mod header;
mod json;
mod text;

pub use direct_peer::direct_peer;
pub use error::ForwardedError;
pub use hash::{Sha256Digest, digest_of_hex};
pub use header::ForwardedHeader;
