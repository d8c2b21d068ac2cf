//! The certificate of a peer: RFC 5280 section 4, read once and strictly.

use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

use crate::certificate::attribute_type::AttributeType;
use crate::certificate::der::{DerError, Element};
use crate::certificate::extension_shape::{SUBJECT_ALT_NAME, has_shape};
use crate::certificate::name::{AttributeValue, DistinguishedName, NameError};
use crate::certificate::object_identifier::dotted;
use crate::certificate::pem::{self, PemError};
use crate::certificate::spiffe::SpiffeId;
use crate::certificate::subject_alt_name::{SubjectAltName, SubjectAltNameError};
use crate::certificate::tbs_certificate::{Extension, TbsCertificate};
use crate::certificate::timestamp::Timestamp;
use crate::encoding::hex;

/// The longest certificate that is read, in bytes of DER.
pub const MAXIMUM_DER: usize = 16 * 1024;

/// Why bytes are not a certificate that is believed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// The text is not the PEM of one certificate.
    #[error("{0}")]
    Pem(#[from] PemError),
    /// More than 16 KiB of DER.
    #[error("a certificate of {0} bytes, at most 16384 are read")]
    TooLong(usize),
    /// Not one element of DER, or bytes behind it.
    #[error("not a certificate: {0}")]
    Structure(#[from] DerError),
    /// A field does not have its form in RFC 5280 section 4.1.
    #[error("not a certificate of RFC 5280 section 4.1")]
    Field,
    /// RFC 5280 section 4.1.2.9: extensions exist in version 3 only.
    #[error("extensions in a certificate of version {0}, expected version 3")]
    ExtensionsBeforeVersion3(u32),
    /// The subject is no distinguished name.
    #[error("subject: {0}")]
    Subject(NameError),
    /// The issuer is no distinguished name.
    #[error("issuer: {0}")]
    Issuer(NameError),
    /// RFC 5280 section 4.2: an extension may be there once.
    #[error("the extension {0} is there twice")]
    RepeatedExtension(String),
    /// An extension of a known kind does not have that kind's form.
    #[error("the extension {0} does not have the form of its kind")]
    UnreadableExtension(String),
    /// The subjectAltName does not have its form.
    #[error("subjectAltName: {0}")]
    SubjectAltName(#[from] SubjectAltNameError),
}

/// What a certificate says of its holder. Whether the holder may be believed (the chain, the key) is
/// the proxy's to check in the handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerCertificate {
    der: Vec<u8>,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    serial: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    subject_alt_name: SubjectAltName,
    sha256: [u8; 32],
    spki_sha256: [u8; 32],
}

impl PeerCertificate {
    /// Reads one certificate in DER, with nothing behind it.
    ///
    /// # Errors
    /// [`CertificateError`] names the rule of RFC 5280 that is broken.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() > MAXIMUM_DER {
            return Err(CertificateError::TooLong(der.len()));
        }
        let fields = TbsCertificate::read(Element::only(&der)?).ok_or(CertificateError::Field)?;
        if fields.version < 3 && !fields.extensions.is_empty() {
            return Err(CertificateError::ExtensionsBeforeVersion3(fields.version));
        }
        Ok(Self {
            subject: DistinguishedName::from_der(fields.subject)
                .map_err(CertificateError::Subject)?,
            issuer: DistinguishedName::from_der(fields.issuer).map_err(CertificateError::Issuer)?,
            serial: magnitude(fields.serial_number).to_vec(),
            not_before: fields.not_before,
            not_after: fields.not_after,
            subject_alt_name: read_extensions(&fields.extensions)?,
            sha256: Sha256::digest(&der).into(),
            spki_sha256: Sha256::digest(fields.subject_public_key_info).into(),
            der,
        })
    }

    /// Reads the PEM text of one certificate.
    ///
    /// # Errors
    /// [`CertificateError`], as [`PeerCertificate::from_der`].
    pub fn from_pem(text: &[u8]) -> Result<Self, CertificateError> {
        Self::from_der(pem::decode(text)?)
    }

    /// Reads the PEM text of one certificate, plain or URL-encoded.
    ///
    /// # Errors
    /// [`CertificateError`], as [`PeerCertificate::from_der`].
    pub fn from_url_encoded_pem(text: &[u8]) -> Result<Self, CertificateError> {
        Self::from_der(pem::decode_url_encoded(text)?)
    }

    /// All of its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whom it was issued to (RFC 5280 section 4.1.2.6).
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The organizationNames of the subject.
    pub fn organizations(&self) -> impl Iterator<Item = &AttributeValue> {
        self.subject.values(AttributeType::ORGANIZATION)
    }

    /// Who issued it (RFC 5280 section 4.1.2.4).
    pub fn issuer(&self) -> &DistinguishedName {
        &self.issuer
    }

    /// The serial number, big-endian without leading zeros (RFC 5280 section 4.1.2.2).
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// The first moment of its validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last moment of its validity.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether its validity ends within 7 days. One that is issued for less than 14 days never does: it is
    /// renewed by a machine.
    pub fn expires_soon(&self, now: Timestamp) -> bool {
        const WEEK: i64 = 7 * 86_400;
        let end = self.not_after.unix();
        let is_long = end.saturating_sub(self.not_before.unix()) >= 2 * WEEK;
        is_long && end.saturating_sub(now.unix()) < WEEK
    }

    /// The names in subjectAltName; none of any kind when the extension is not there.
    pub fn subject_alt_name(&self) -> &SubjectAltName {
        &self.subject_alt_name
    }

    /// The SPIFFE ID, if it is the only URI (X509-SVID section 2).
    pub fn spiffe_id(&self) -> Option<SpiffeId> {
        match self.subject_alt_name.uri.as_slice() {
            [uri] => SpiffeId::parse(uri).ok(),
            _ => None,
        }
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER (RFC 7469 section 2.4).
    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("subject", &self.subject.to_string())
            .field("issuer", &self.issuer.to_string())
            .finish_non_exhaustive()
    }
}

/// A number without its leading zeros.
pub(crate) fn magnitude(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes
        && !rest.is_empty()
    {
        bytes = rest;
    }
    bytes
}

/// Checks every extension of a kind that is known, and reads the subjectAltName.
fn read_extensions(extensions: &[Extension<'_>]) -> Result<SubjectAltName, CertificateError> {
    let mut names = SubjectAltName::default();
    for (place, extension) in extensions.iter().enumerate() {
        let oid = || dotted(extension.oid).unwrap_or_else(|| hex(extension.oid));
        let mut before = extensions.iter().take(place);
        if before.any(|earlier| earlier.oid == extension.oid) {
            return Err(CertificateError::RepeatedExtension(oid()));
        }
        if extension.oid == SUBJECT_ALT_NAME {
            names = SubjectAltName::from_der(extension.value)?;
        } else if !has_shape(extension.oid, extension.value) {
            return Err(CertificateError::UnreadableExtension(oid()));
        }
    }
    Ok(names)
}
