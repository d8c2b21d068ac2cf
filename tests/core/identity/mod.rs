//! Who a peer is.

mod forwarded;
mod names;
mod normal_form;
