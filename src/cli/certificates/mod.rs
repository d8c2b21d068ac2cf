//! The commands about certificates and CRLs: `inspect`, `pin`, `revoke`.

mod inspect;
mod pin;
mod report;
mod revoke;

pub(crate) use inspect::Inspect;
pub(crate) use pin::Pin;
pub(crate) use revoke::Revoke;
