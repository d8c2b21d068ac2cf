//! The form that a name of some kind must have.

use crate::identity::sources::error::{IdentityError, InvalidIdentity};
use crate::identity::sources::source::Source;

/// A name of this form; none if it is empty.
pub(super) fn formed(
    source: Source,
    name: String,
    is_formed: fn(&str) -> bool,
    invalid: InvalidIdentity,
) -> Result<Option<String>, IdentityError> {
    match name.is_empty() {
        true => Ok(None),
        false if is_formed(&name) => Ok(Some(name)),
        false => Err(IdentityError::Invalid(source, invalid)),
    }
}
