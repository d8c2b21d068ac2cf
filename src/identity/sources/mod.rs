//! Where in a certificate a name is looked for, and what is done with two of one kind (`identity.multiple_cn`).

mod error;
mod find;
mod form;
mod source;
mod subject;
mod subject_alt_name;

pub use error::{IdentityError, InvalidIdentity};
pub(super) use find::{fingerprints, name};
pub use source::Source;
pub use subject::MultipleCn;
