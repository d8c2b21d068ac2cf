//! What a certificate says (RFC 5280): its names, its validity, its digests.

mod attribute_type;
mod calendar;
mod certificate_shape;
mod certificate_transparency;
pub mod der;
mod extension_shape;
mod name;
mod name_text;
mod object_identifier;
mod peer_certificate;
pub mod pem;
mod shape;
mod spiffe;
mod subject_alt_name;
mod tbs_certificate;
mod timestamp;

pub use attribute_type::AttributeType;
pub use name::{AttributeValue, DistinguishedName, NameError};
pub use name_text::{ComparableName, NameTextError, parse as parse_name};
pub(crate) use peer_certificate::magnitude;
pub use peer_certificate::{CertificateError, MAXIMUM_DER, PeerCertificate};
pub use spiffe::{SpiffeId, SpiffeIdError};
pub use subject_alt_name::{SubjectAltName, SubjectAltNameError};
pub use timestamp::Timestamp;
