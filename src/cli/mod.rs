//! One module a command.

pub(crate) mod check;
pub(crate) mod explain;
mod input;
pub(crate) mod inspect;
pub(crate) mod pin;
pub(crate) mod schema;
