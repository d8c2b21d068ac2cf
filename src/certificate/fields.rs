//! The fields of a certificate, RFC 5280 section 4.1, where they lie in its DER.

use x509_parser::asn1_rs::Tag;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Version;

use super::element::{Element, Elements};
use super::error::CertificateError;
use super::timestamp::Timestamp;

/// The most extensions of a certificate.
const MAXIMUM_EXTENSIONS: usize = 64;

/// What is of use here of a certificate. The names are not read yet: an issuer's slip in a name that nobody asks for
/// is no reason to refuse the holder.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    /// The contents of the INTEGER.
    pub(super) serial_number: &'a [u8],
    /// A Name in DER.
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// A Name in DER.
    pub(super) subject: &'a [u8],
    /// In DER.
    pub(super) subject_public_key_info: &'a [u8],
    /// The value of the extension: GeneralNames in DER.
    pub(super) subject_alt_name: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Finds the fields of a certificate, all of whose bytes these are. What is in the public key, the algorithms, the
    /// signature and the extensions of other kinds is not looked at.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut certificate = Element::only(der)?.of_type(Tag::Sequence)?.children();
        let mut tbs = certificate.require(Tag::Sequence)?.children();
        let _signature_algorithm = certificate.require(Tag::Sequence)?;
        let _signature_value = certificate.require(Tag::BitString)?;
        certificate.end()?;

        check_version(&mut tbs)?;
        let serial_number = tbs.require(Tag::Integer)?.contents();
        if serial_number.is_empty() {
            return Err(CertificateError::SerialNumber);
        }
        let _signature = tbs.require(Tag::Sequence)?;
        let issuer = tbs.require(Tag::Sequence)?.raw;
        let (not_before, not_after) = validity(&tbs.require(Tag::Sequence)?)?;
        let subject = tbs.require(Tag::Sequence)?.raw;
        let subject_public_key_info = tbs.require(Tag::Sequence)?.raw;
        for number in [1, 2] {
            let _unique_id = tbs.optional(|it| it.context_specific() == Some((number, false)))?;
        }
        let extensions = tbs.optional(|it| it.context_specific() == Some((3, true)))?;
        tbs.end()?;
        Ok(Self {
            serial_number,
            issuer,
            not_before,
            not_after,
            subject,
            subject_public_key_info,
            subject_alt_name: extensions.map_or(Ok(None), |it| subject_alt_name(&it))?,
        })
    }
}

/// Version 1 may be left out or written.
fn check_version(tbs: &mut Elements<'_>) -> Result<(), CertificateError> {
    let Some(version) = tbs.optional(|it| it.context_specific() == Some((0, true)))? else {
        return Ok(());
    };
    match X509Version::from_der(version.contents()) {
        Ok(([], X509Version::V1 | X509Version::V2 | X509Version::V3)) => Ok(()),
        Ok(_) | Err(_) => Err(CertificateError::Version),
    }
}

fn validity(validity: &Element<'_>) -> Result<(Timestamp, Timestamp), CertificateError> {
    let mut times = validity.children();
    let mut moment = || {
        let time = times.next().and_then(Result::ok);
        let time = time.and_then(|time| ASN1Time::from_der(time.raw).ok());
        time.map(|(_, time)| Timestamp::from_unix(time.timestamp()))
    };
    let (not_before, not_after) = (moment(), moment());
    times.end()?;
    not_before.zip(not_after).ok_or(CertificateError::Validity)
}

/// The value of the subjectAltName among the extensions. Of the others, only that they are extensions is checked.
fn subject_alt_name<'a>(extensions: &Element<'a>) -> Result<Option<&'a [u8]>, CertificateError> {
    let extensions = Element::only(extensions.contents())?.of_type(Tag::Sequence)?;
    let count = extensions.children().count();
    if count > MAXIMUM_EXTENSIONS {
        return Err(CertificateError::TooManyExtensions(count));
    }
    let mut found = None;
    for extension in extensions.children() {
        let mut fields = extension?.of_type(Tag::Sequence)?.children();
        let kind = fields.require(Tag::Oid)?.contents();
        let _critical = fields.optional(|it| it.universal() == Some(Tag::Boolean))?;
        let value = fields.require(Tag::OctetString)?.contents();
        fields.end()?;
        if kind != OID_X509_EXT_SUBJECT_ALT_NAME.as_bytes() {
            continue;
        }
        if found.replace(value).is_some() {
            return Err(CertificateError::RepeatedSubjectAltName);
        }
    }
    Ok(found)
}
