//! The fields of a certificate, RFC 5280 section 4.1, where they lie in its DER.

use crate::certificate::certificate_shape::CERTIFICATE;
use crate::certificate::der::Element;
use crate::certificate::timestamp::Timestamp;

/// TBSCertificate, what the issuer signs, without what is of no use here: the algorithm and the unique identifiers.
#[derive(Clone, Debug)]
pub(crate) struct TbsCertificate<'a> {
    /// As people count: 1 to 3.
    pub(crate) version: u32,
    /// The contents of the INTEGER.
    pub(crate) serial_number: &'a [u8],
    /// A Name in DER.
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// A Name in DER.
    pub(crate) subject: &'a [u8],
    /// In DER.
    pub(crate) subject_public_key_info: &'a [u8],
    pub(crate) extensions: Vec<Extension<'a>>,
}

/// Extension, RFC 5280 section 4.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// The contents of the OBJECT IDENTIFIER.
    pub(crate) oid: &'a [u8],
    /// What is in the OCTET STRING.
    pub(crate) value: &'a [u8],
}

impl<'a> TbsCertificate<'a> {
    /// The fields of a Certificate; none if anything in it, but for names and the values of extensions, does not have
    /// its form. Once it has, a field is told by its place.
    pub(crate) fn read(certificate: Element<'a>) -> Option<Self> {
        if !CERTIFICATE.matches(certificate) {
            return None;
        }
        let mut tbs = fields(certificate).next().map(fields)?.peekable();
        let version = tbs.next_if(|field| field.tag == 0xa0);
        let serial_number = tbs.next()?.contents;
        let _signature = tbs.next()?;
        let issuer = tbs.next()?.raw;
        let mut validity = fields(tbs.next()?).map(Timestamp::from_der);
        let subject = tbs.next()?.raw;
        let subject_public_key_info = tbs.next()?.raw;
        let extensions = tbs.find(|field| field.tag == 0xa3);
        Some(Self {
            // VERSION has but one byte, and counts from 0.
            version: version
                .and_then(|field| field.raw.last())
                .map_or(1, |&number| u32::from(number) + 1),
            serial_number,
            issuer,
            not_before: validity.next()??,
            not_after: validity.next()??,
            subject,
            subject_public_key_info,
            extensions: extensions
                .into_iter()
                .flat_map(fields)
                .flat_map(fields)
                .filter_map(Extension::of)
                .collect(),
        })
    }
}

impl<'a> Extension<'a> {
    fn of(extension: Element<'a>) -> Option<Self> {
        Some(Self {
            oid: fields(extension).next()?.contents,
            value: fields(extension).last()?.contents,
        })
    }
}

/// The fields of an element whose form has been checked.
fn fields(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    element.children().flatten()
}
