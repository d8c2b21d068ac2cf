//! Who a peer is.

mod chains;
mod client_cert;
pub(crate) mod forwarded;
mod forwarded_by_envoy;
pub(crate) mod names;
mod normal_form;
pub(crate) mod sources;
mod twins;
