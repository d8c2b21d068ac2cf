//! Who a peer is.

mod alternative_names;
mod chains;
mod client_cert;
pub(crate) mod forwarded;
mod forwarded_by_envoy;
pub(crate) mod names;
mod normal_form;
mod readable;
pub(crate) mod sources;
mod twins;
