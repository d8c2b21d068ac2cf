//! Certificate revocation lists (RFC 5280 section 5), for the commands: in Envoy they are the listener's.

use thiserror::Error;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{ParsedExtension, X509Extension};
use x509_parser::oid_registry::{
    OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA, OID_X509_EXT_CRL_NUMBER,
    OID_X509_EXT_DELTA_CRL_INDICATOR, OID_X509_EXT_ISSUER_DISTRIBUTION_POINT,
    OID_X509_EXT_REASON_CODE,
};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::{CertificateRevocationList, RevokedCertificate};

use super::names::{ComparableName, DistinguishedName};
use super::serial_number::SerialNumber;
use super::timestamp::Timestamp;

/// The longest list that is read, in bytes of DER: some 500,000 entries.
pub const MAXIMUM_LIST: usize = 32 * 1024 * 1024;

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RevocationListError {
    /// More than 32 MiB.
    #[error("a list of {0} bytes, at most 33554432 are read")]
    TooLong(usize),
    /// Not a CertificateList, or bytes behind it.
    #[error("this is no CRL of RFC 5280")]
    Structure,
    /// RFC 5280 section 5.1.1.2.
    #[error("the algorithm within the signed part is not the one of the signature")]
    Algorithms,
    /// SHA-1 can be forged.
    #[error("it is signed with SHA-1, which can be forged: have the CA sign it with SHA-256")]
    Sha1,
    /// The issuer's name cannot be read.
    #[error("its issuer cannot be read")]
    Issuer,
    /// RFC 5280 section 5.1.2.5 wants it, and without it nobody can tell an old list.
    #[error("it has no nextUpdate")]
    NoNextUpdate,
    /// RFC 5280 section 5.2.4.
    #[error("it is a delta CRL: give the complete one")]
    Delta,
    /// RFC 5280 section 5.2.5: it has entries of other issuers.
    #[error("it is an indirect CRL, which has entries of other issuers: give each CA's own")]
    Indirect,
    /// RFC 5280 section 5.2.5.
    #[error("it is about attribute certificates")]
    AttributeCertificates,
    /// RFC 5280 section 5.2: a list with a critical extension that is not known must not be used.
    #[error("it has the critical extension {0}, which is not known")]
    Critical(String),
    /// Of another CA.
    #[error("its issuer is not this CA")]
    OtherIssuer,
    /// The CA's certificate cannot be read, is of no CA, or may not sign lists.
    #[error("the certificate of the CA {0}")]
    Authority(&'static str),
    /// The signature is not the CA's.
    #[error("its signature is not of this CA's key")]
    Signature,
    /// A kind of signature that is not known here.
    #[error(
        "its signature is of another kind than the CA's key, or of one that is not known: expected RSA, ECDSA on P-256 or P-384, or Ed25519"
    )]
    UnknownSignature,
    /// thisUpdate is to come.
    #[error("it is of {0}, which is to come")]
    NotYet(Timestamp),
    /// nextUpdate has passed.
    #[error("a newer one was due at {0}")]
    Outdated(Timestamp),
}

/// A list whose signature nobody has checked.
#[derive(Debug)]
pub struct UnverifiedList<'a> {
    list: CertificateRevocationList<'a>,
    issuer: DistinguishedName,
    this_update: Timestamp,
    next_update: Timestamp,
    serials: Vec<SerialNumber>,
}

/// A complete list of a CA, signed by it and in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    /// The CA, in the form of RFC 4514.
    pub issuer: String,
    /// When the next list is due.
    pub next_update: Timestamp,
    /// The serial numbers of the certificates that are revoked, in the order of the list.
    pub serials: Vec<SerialNumber>,
}

impl<'a> UnverifiedList<'a> {
    /// Reads a list in DER, with nothing behind it.
    ///
    /// # Errors
    /// [`RevocationListError`] names what is wrong.
    pub fn read(der: &'a [u8]) -> Result<Self, RevocationListError> {
        if der.len() > MAXIMUM_LIST {
            return Err(RevocationListError::TooLong(der.len()));
        }
        let list = match CertificateRevocationList::from_der(der) {
            Ok(([], list)) => list,
            Ok(_) | Err(_) => return Err(RevocationListError::Structure),
        };
        let signed = &list.tbs_cert_list;
        if signed.signature != list.signature_algorithm {
            return Err(RevocationListError::Algorithms);
        }
        let algorithm = &list.signature_algorithm.algorithm;
        if [OID_PKCS1_SHA1WITHRSA, OID_SHA1_WITH_RSA].contains(algorithm) {
            return Err(RevocationListError::Sha1);
        }
        check_extensions(list.extensions())?;
        let entries = signed.revoked_certificates.iter();
        let serials = entries.map(serial_number).collect::<Result<_, _>>()?;
        let issuer = DistinguishedName::from_der(list.issuer().as_raw());
        let next_update = list
            .next_update()
            .ok_or(RevocationListError::NoNextUpdate)?;
        Ok(Self {
            issuer: issuer.map_err(|_| RevocationListError::Issuer)?,
            this_update: Timestamp::from_unix(list.last_update().timestamp()),
            next_update: Timestamp::from_unix(next_update.timestamp()),
            serials,
            list,
        })
    }

    /// The serial numbers of the entries.
    pub fn serials(&self) -> &[SerialNumber] {
        &self.serials
    }

    /// The list, if the CA with this certificate (DER) has signed it and it is in force.
    ///
    /// # Errors
    /// [`RevocationListError`] names what is wrong.
    pub fn verify(
        self,
        authority: &[u8],
        now: Timestamp,
    ) -> Result<RevocationList, RevocationListError> {
        let unreadable = RevocationListError::Authority("cannot be read");
        let Ok(([], authority)) = X509Certificate::from_der(authority) else {
            return Err(unreadable);
        };
        let subject = DistinguishedName::from_der(authority.subject().as_raw());
        let subject: ComparableName = subject.map_err(|_| unreadable)?.comparable();
        if subject != self.issuer.comparable() {
            return Err(RevocationListError::OtherIssuer);
        }
        check_authority(&authority)?;
        match self.list.verify_signature(authority.public_key()) {
            Ok(()) => {}
            Err(x509_parser::error::X509Error::SignatureUnsupportedAlgorithm) => {
                return Err(RevocationListError::UnknownSignature);
            }
            Err(_) => return Err(RevocationListError::Signature),
        }
        if now < self.this_update {
            return Err(RevocationListError::NotYet(self.this_update));
        }
        if now > self.next_update {
            return Err(RevocationListError::Outdated(self.next_update));
        }
        Ok(RevocationList {
            issuer: self.issuer.to_string(),
            next_update: self.next_update,
            serials: self.serials,
        })
    }
}

/// RFC 5280 section 6.3.3 (f): a CA signs lists, and its key may do so.
fn check_authority(authority: &X509Certificate<'_>) -> Result<(), RevocationListError> {
    let constraints = authority.basic_constraints().ok().flatten();
    if !constraints.is_some_and(|it| it.value.ca) {
        return Err(RevocationListError::Authority("is of no CA"));
    }
    match authority.key_usage() {
        Ok(Some(usage)) if !usage.value.crl_sign() => Err(RevocationListError::Authority(
            "does not allow it to sign CRLs",
        )),
        Ok(_) => Ok(()),
        Err(_) => Err(RevocationListError::Authority("has an unreadable keyUsage")),
    }
}

/// The extensions of the whole list. One that only narrows what the list is about does no harm: each entry is revoked.
fn check_extensions(extensions: &[X509Extension<'_>]) -> Result<(), RevocationListError> {
    for extension in extensions {
        if extension.oid == OID_X509_EXT_DELTA_CRL_INDICATOR {
            return Err(RevocationListError::Delta);
        }
        if let ParsedExtension::IssuingDistributionPoint(scope) = extension.parsed_extension() {
            if scope.indirect_crl {
                return Err(RevocationListError::Indirect);
            }
            if scope.only_contains_attribute_certs {
                return Err(RevocationListError::AttributeCertificates);
            }
        } else if is_unknown(extension) {
            let name = extension.oid.to_id_string();
            return Err(RevocationListError::Critical(name));
        }
    }
    Ok(())
}

/// Whether an extension says something that must be known, and is not: here it is one, or it cannot be read.
fn is_unknown(extension: &X509Extension<'_>) -> bool {
    let is_scope = extension.oid == OID_X509_EXT_ISSUER_DISTRIBUTION_POINT;
    is_scope || (extension.critical && extension.oid != OID_X509_EXT_CRL_NUMBER)
}

/// The serial number of an entry, which must be of the list's own issuer.
fn serial_number(entry: &RevokedCertificate<'_>) -> Result<SerialNumber, RevocationListError> {
    for extension in entry.extensions() {
        let name = extension.oid.to_id_string();
        // certificateIssuer, RFC 5280 section 5.3.3.
        if name == "2.5.29.29" {
            return Err(RevocationListError::Indirect);
        }
        if extension.critical && extension.oid != OID_X509_EXT_REASON_CODE {
            return Err(RevocationListError::Critical(name));
        }
    }
    let contents = entry.raw_serial();
    match contents.is_empty() {
        true => Err(RevocationListError::Structure),
        false => Ok(SerialNumber::from_integer(contents)),
    }
}
