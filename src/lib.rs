//! Turns the certificate of an mTLS client into one header a gateway can trust.
//!
//! The flow, from left to right a pure function of its arguments:
//!
//! ```text
//! certificate → peer → identity → policy → headers
//!                          config ──┘
//! ```
//!
//! - [`certificate`] reads what the client showed: [`pem`], [`der`], [`name`], [`subject_alt_name`].
//! - [`peer`] says who is at the other end: the direct peer, the client a trusted peer speaks for
//!   ([`forwarded`]), or a principal of the mesh ([`spiffe`]).
//! - [`identity`] makes one [`user`] of it, with [`mapping`].
//! - [`policy`] decides; its [`policy::Permit`] alone can make the identity [`headers`].
//! - [`denial`] names what is refused, and [`config`] reads all that can be configured.
//!
//! Only `host`, which exists in the wasm alone, speaks to the proxy.

pub mod attribute_type;
pub mod certificate;
pub mod config;
pub mod connections;
pub mod denial;
pub mod der;
pub mod forwarded;
pub mod header_name;
pub mod header_value;
pub mod headers;
pub mod identity;
pub mod mapping;
pub mod name;
pub mod peer;
pub mod pem;
pub mod policy;
mod protobuf;
pub mod spiffe;
mod strict;
pub mod subject_alt_name;
pub mod syntax;
pub mod timestamp;
pub mod user;

#[cfg(target_arch = "wasm32")]
mod host;
