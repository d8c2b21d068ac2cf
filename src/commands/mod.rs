//! One module a command.

pub(crate) mod check;
mod input;
pub(crate) mod inspect;
pub(crate) mod pin;
