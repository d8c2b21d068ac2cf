//! What a certificate says (RFC 5280): its names, its validity, its digests. x509-parser reads the bytes.

mod ecdsa_twin;
mod element;
mod error;
mod fields;
mod names;
mod peer_certificate;
pub mod pem;
#[cfg(feature = "cli")]
mod revocation_list;
mod serial_number;
mod timestamp;

pub use ecdsa_twin::Twins;
pub use element::DerError;
pub use error::CertificateError;
pub use names::{AttributeType, AttributeValue, ComparableName, DistinguishedName, NameError};
pub use names::{GeneralName, OtherName, SubjectAltName, SubjectAltNameError};
pub use names::{NameTextError, parse_name};
pub use names::{SpiffeId, SpiffeIdError};
pub use peer_certificate::{CertificateTexts, MAXIMUM_DER, PeerCertificate};
#[cfg(feature = "cli")]
pub use revocation_list::{MAXIMUM_LIST, RevocationList, RevocationListError, UnverifiedList};
pub use serial_number::SerialNumber;
pub use timestamp::Timestamp;
