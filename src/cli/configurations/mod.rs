//! Plugin configurations in files: finds them for every command, and checks them (`check`).

mod check;
mod file;
mod summary;
mod warnings;

pub(crate) use check::Check;
pub(super) use file::{one_as_json, one_or_default};
