//! The certificate of a peer, RFC 5280 section 4: read once, strict about who it names and about nothing else.
//!
//! The proxy's TLS has admitted the certificate. Whether its issuer kept every rule of RFC 5280 is not this filter's to
//! punish, so what names nobody is not looked at, and a name is judged when it is asked for.

use std::fmt;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::encoding::hex;

use super::ecdsa_twin::Twins;
use super::error::CertificateError;
use super::fields::Fields;
use super::names::{
    AttributeType, AttributeValue, DistinguishedName, GeneralName, NameError, SpiffeId,
    SubjectAltName, SubjectAltNameError, contents_of,
};
use super::pem;
use super::serial_number::SerialNumber;
use super::timestamp::Timestamp;

/// The longest certificate that is read, in bytes of DER.
pub const MAXIMUM_DER: usize = 16 * 1024;

/// What a certificate says of its holder. Whether the holder may be believed (the chain, the key) is
/// the proxy's to check in the handshake.
#[derive(Clone)]
pub struct PeerCertificate {
    der: Vec<u8>,
    subject: Result<DistinguishedName, NameError>,
    issuer: Result<DistinguishedName, NameError>,
    serial_number: SerialNumber,
    not_before: Timestamp,
    not_after: Timestamp,
    subject_alt_name: Result<SubjectAltName, SubjectAltNameError>,
    sha256: [u8; 32],
    spki_sha256: [u8; 32],
    twins: OnceLock<Twins>,
    texts: OnceLock<CertificateTexts>,
}

/// The texts by which a record names a certificate.
#[derive(Clone, Debug)]
pub struct CertificateTexts {
    /// SHA-256 of the DER in hex.
    pub sha256: String,
    /// The serial number.
    pub serial: String,
    /// The issuer (RFC 4514); none for one that is no distinguished name.
    pub issuer: Option<String>,
}

impl PeerCertificate {
    /// Reads one certificate in DER, with nothing behind it.
    ///
    /// # Errors
    /// [`CertificateError`] names the rule by which the bytes are refused.
    pub fn from_der(der: Vec<u8>) -> Result<Self, CertificateError> {
        if der.len() > MAXIMUM_DER {
            return Err(CertificateError::TooLong(der.len()));
        }
        let fields = Fields::read(&der)?;
        let subject = DistinguishedName::from_der(fields.subject);
        if let Err(NameError::TooManyAttributes(count)) = subject {
            return Err(CertificateError::TooManyAttributes(count));
        }
        let names = fields.subject_alt_name.map(SubjectAltName::from_der);
        if let Some(Err(SubjectAltNameError::TooMany(count))) = names {
            return Err(CertificateError::TooManyNames(count));
        }
        Ok(Self {
            subject,
            issuer: DistinguishedName::from_der(fields.issuer),
            serial_number: SerialNumber::from_integer(fields.serial_number),
            not_before: fields.not_before,
            not_after: fields.not_after,
            subject_alt_name: names.unwrap_or_else(|| Ok(SubjectAltName::default())),
            sha256: Sha256::digest(&der).into(),
            spki_sha256: Sha256::digest(fields.subject_public_key_info).into(),
            twins: OnceLock::new(),
            texts: OnceLock::new(),
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
    ///
    /// # Errors
    /// [`NameError`] when the subject is no distinguished name.
    pub fn subject(&self) -> Result<&DistinguishedName, NameError> {
        self.subject.as_ref().map_err(|&error| error)
    }

    /// The organizationNames of the subject.
    ///
    /// # Errors
    /// As [`PeerCertificate::subject`].
    pub fn organizations(&self) -> Result<impl Iterator<Item = &AttributeValue>, NameError> {
        let subject = self.subject()?;
        Ok(subject.values(AttributeType::ORGANIZATION))
    }

    /// Who issued it (RFC 5280 section 4.1.2.4); none for an issuer that is no distinguished name, which has no text.
    pub fn issuer(&self) -> Option<&DistinguishedName> {
        self.issuer.as_ref().ok()
    }

    /// The serial number (RFC 5280 section 4.1.2.2).
    pub fn serial(&self) -> &SerialNumber {
        &self.serial_number
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
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when the extension cannot be read. One kind of names may be unreadable besides.
    pub fn subject_alt_name(&self) -> Result<&SubjectAltName, SubjectAltNameError> {
        self.subject_alt_name.as_ref().map_err(|&error| error)
    }

    /// The bytes of the names of a kind in the subjectAltName, also of those that cannot be read: what Envoy writes of
    /// them. They are looked for in the DER with each call.
    pub fn general_names(&self, kind: GeneralName) -> Vec<&[u8]> {
        let fields = Fields::read(&self.der).ok();
        let names = fields.and_then(|fields| fields.subject_alt_name);
        let names = names.and_then(|names| contents_of(names, kind));
        names.unwrap_or_default()
    }

    /// The SPIFFE ID, if it is the only URI (X509-SVID section 2); none if the URIs cannot be read.
    pub fn spiffe_id(&self) -> Option<SpiffeId> {
        match self.subject_alt_name().and_then(SubjectAltName::uri) {
            Ok([uri]) => SpiffeId::parse(uri).ok(),
            Ok(_) | Err(_) => None,
        }
    }

    /// SHA-256 of the DER.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// The certificates that differ in the ECDSA signature only. They are worked out when they are first asked for.
    pub fn twins(&self) -> &Twins {
        self.twins.get_or_init(|| Twins::of(&self.der))
    }

    /// The texts by which a record names it. They are written when they are first asked for.
    pub fn texts(&self) -> &CertificateTexts {
        self.texts.get_or_init(|| CertificateTexts {
            sha256: hex(&self.sha256),
            serial: self.serial_number.to_string(),
            issuer: self.issuer().map(ToString::to_string),
        })
    }

    /// SHA-256 of the SubjectPublicKeyInfo in DER (RFC 7469 section 2.4).
    pub fn spki_sha256(&self) -> &[u8; 32] {
        &self.spki_sha256
    }
}

/// All else is made of the DER, some of it only when it is asked for.
impl PartialEq for PeerCertificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for PeerCertificate {}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("subject", &self.subject.as_ref().map(ToString::to_string))
            .field("issuer", &self.issuer.as_ref().map(ToString::to_string))
            .finish_non_exhaustive()
    }
}
