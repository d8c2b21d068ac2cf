//! Turns the certificate of an mTLS client into one header a gateway can trust.
//!
//! The flow, from left to right a pure function of its arguments:
//!
//! ```text
//! certificate → peer → identity → policy → decision → headers
//!                          config ──┘              └──→ audit
//! ```
//!
//! - [`certificate`] reads what the client showed: [`pem`], [`der`], [`name`], [`subject_alt_name`].
//! - [`peer`] says who is at the other end: the direct peer, the client a trusted peer speaks for
//!   ([`forwarded`]), or a principal of the mesh ([`spiffe`]).
//! - [`identity`] makes one [`user`] of it, with [`mapping`]; a [`caller`] is all of this, worked out once a connection.
//! - [`policy`] decides, with [`revocation`], [`pin`]s and [`authorization`]; its [`decision::Permit`] alone can
//!   make the identity [`headers`].
//! - [`rate_limit`] says what a request is charged to, [`gcra`] decides, [`limit_table`] is the shared store.
//! - [`filter`] is the order of work on one request; [`audit`] and [`counters`] say what became of it.
//! - [`denial`] names what is refused, and [`config`] reads all that can be configured.
//!
//! Only `host`, which exists in the wasm alone, speaks to the proxy.

pub mod attribute_type;
pub mod audit;
pub mod authorization;
mod calendar;
pub mod caller;
pub mod certificate;
mod certificate_shape;
mod certificate_transparency;
pub mod config;
pub mod connections;
pub mod counters;
pub mod decision;
pub mod denial;
pub mod der;
pub mod encoding;
mod extension_shape;
pub mod filter;
pub mod flood;
pub mod forwarded;
pub mod gcra;
pub mod header_name;
pub mod header_value;
pub mod headers;
pub mod identity;
pub mod limit_table;
pub mod mapping;
pub mod name;
mod normal_form;
mod object_identifier;
pub mod pattern;
pub mod peer;
pub mod pem;
pub mod pin;
pub mod policy;
mod protobuf;
pub mod rate_limit;
pub mod request_head;
pub mod request_path;
pub mod revocation;
pub mod rfc4514;
mod shape;
pub mod sorted;
pub mod spiffe;
pub mod subject_alt_name;
pub mod syntax;
mod tbs_certificate;
pub mod timestamp;
pub mod user;

#[cfg(target_arch = "wasm32")]
mod host;
