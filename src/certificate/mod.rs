//! What a certificate says (RFC 5280): its names, its validity, its digests. x509-parser reads the bytes.

mod attribute_type;
mod ecdsa_twin;
mod element;
mod error;
mod fields;
mod name;
mod name_text;
mod peer_certificate;
pub mod pem;
#[cfg(feature = "cli")]
mod revocation_list;
mod serial_number;
mod spiffe;
mod subject_alt_name;
mod timestamp;

pub use attribute_type::AttributeType;
pub use ecdsa_twin::Twins;
pub use element::DerError;
pub use error::CertificateError;
pub use name::{AttributeValue, ComparableName, DistinguishedName, NameError};
pub use name_text::{NameTextError, parse as parse_name};
pub use peer_certificate::{MAXIMUM_DER, PeerCertificate};
#[cfg(feature = "cli")]
pub use revocation_list::{MAXIMUM_LIST, RevocationList, RevocationListError, UnverifiedList};
pub use serial_number::SerialNumber;
pub use spiffe::{SpiffeId, SpiffeIdError};
pub use subject_alt_name::{GeneralName, OtherName, SubjectAltName, SubjectAltNameError};
pub use timestamp::Timestamp;
