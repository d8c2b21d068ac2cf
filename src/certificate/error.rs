//! Why bytes are not a certificate: one variant for each rule.

use thiserror::Error;

use super::element::DerError;
use super::pem::PemError;

/// Why bytes are not a certificate that is believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The text is not the PEM of one certificate.
    #[error("{0}")]
    Pem(#[from] PemError),
    /// More than 16 KiB of DER.
    #[error("a certificate of {0} bytes, at most 16384 are read")]
    TooLong(usize),
    /// Not one element of DER, or a field of RFC 5280 section 4.1 that is not there or one too many.
    #[error("not a certificate: {0}")]
    Structure(#[from] DerError),
    /// The version is none of 1, 2 and 3.
    #[error("a version other than 1, 2 and 3")]
    Version,
    /// A serial number without a byte.
    #[error("an empty serial number")]
    SerialNumber,
    /// notBefore or notAfter is no moment.
    #[error("a validity that is not two times")]
    Validity,
    /// More extensions than any certificate needs.
    #[error("{0} extensions, at most 64 are read")]
    TooManyExtensions(usize),
    /// More attributes in the subject than any name needs.
    #[error("a subject of {0} attributes, at most 128 are read")]
    TooManyAttributes(usize),
    /// More names in the subjectAltName than any certificate needs.
    #[error("a subjectAltName of {0} names, at most 1024 are read")]
    TooManyNames(usize),
    /// RFC 5280 section 4.2: an extension may be there once. With two of this one, two readers see two peers.
    #[error("the subjectAltName is there twice")]
    RepeatedSubjectAltName,
}
