//! Who a peer is.

mod alternative_names;
mod chains;
pub(crate) mod forwarded;
pub(crate) mod names;
mod normal_form;
mod readable;
pub(crate) mod sources;
mod twins;
