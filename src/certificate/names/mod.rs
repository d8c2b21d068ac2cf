//! The names in a certificate: subject and issuer and their RFC 4514 text, subjectAltName, SPIFFE IDs.

mod attribute_type;
mod distinguished_name;
mod spiffe;
mod subject_alt_name;
mod text;

pub use attribute_type::AttributeType;
pub use distinguished_name::{AttributeValue, ComparableName, DistinguishedName, NameError};
pub use spiffe::{SpiffeId, SpiffeIdError};
pub(super) use subject_alt_name::contents_of;
pub use subject_alt_name::{GeneralName, OtherName, SubjectAltName, SubjectAltNameError};
pub use text::{NameTextError, parse as parse_name};
