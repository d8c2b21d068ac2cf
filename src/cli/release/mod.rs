//! The command `verify`: whether the module in an image is the one that this source gives.

mod layout;
mod verify;

pub(crate) use verify::Verify;
