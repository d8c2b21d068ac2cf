//! Attribute types of distinguished names and their short names (RFC 4519, RFC 2985, RFC 4524).

use x509_parser::asn1_rs::Oid;
use x509_parser::oid_registry::{
    OID_PKCS9_EMAIL_ADDRESS, OID_USERID, OID_X509_COMMON_NAME, OID_X509_ORGANIZATION_NAME,
    OID_X509_ORGANIZATIONAL_UNIT, OID_X509_SERIALNUMBER,
};

/// An attribute type, which is an OBJECT IDENTIFIER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeType(Oid<'static>);

impl AttributeType {
    /// `commonName`, 2.5.4.3.
    pub const COMMON_NAME: Self = Self(OID_X509_COMMON_NAME);
    /// `organizationName`, 2.5.4.10.
    pub const ORGANIZATION: Self = Self(OID_X509_ORGANIZATION_NAME);
    /// `organizationalUnitName`, 2.5.4.11.
    pub const ORGANIZATIONAL_UNIT: Self = Self(OID_X509_ORGANIZATIONAL_UNIT);

    /// `emailAddress`, 1.2.840.113549.1.9.1 (RFC 2985).
    pub const EMAIL_ADDRESS: Self = Self(OID_PKCS9_EMAIL_ADDRESS);
    /// `serialNumber`, 2.5.4.5.
    pub const SERIAL_NUMBER: Self = Self(OID_X509_SERIALNUMBER);
    /// `userid`, 0.9.2342.19200300.100.1.1 (RFC 4519 section 2.39).
    pub const USER_ID: Self = Self(OID_USERID);

    /// The attribute type with this OBJECT IDENTIFIER, given by its DER without tag and length (X.690 section 8.19);
    /// none if the bytes are not one.
    pub fn from_der_contents(oid: &[u8]) -> Option<Self> {
        dotted(oid).map(|_| Self(Oid::new(oid.to_vec().into())))
    }

    /// The short name Envoy's subject string uses, such as `CN`; none for a type it has none for.
    pub fn short_name(&self) -> Option<&'static str> {
        let (&number, arc) = self.0.as_bytes().split_last()?;
        let (_, names) = ARCS.iter().find(|(prefix, _)| *prefix == arc)?;
        let place = names.binary_search_by_key(&number, |&(number, _)| number);
        names.get(place.ok()?).map(|&(_, name)| name)
    }

    /// The name under which two types are compared: the short name in lower case, else dotted decimal.
    pub fn comparable(&self) -> String {
        let short = self.short_name().map(str::to_ascii_lowercase);
        short.unwrap_or_else(|| self.dotted())
    }

    /// The same name for a type that a person wrote, by its short name or in dotted decimal; none for what is
    /// neither.
    pub fn comparable_name(text: &str) -> Option<String> {
        let known = ARCS.iter().flat_map(|(arc, names)| {
            let kind = |number: u8| Self(Oid::new([arc, &[number][..]].concat().into()));
            names
                .iter()
                .map(move |&(number, name)| (name, kind(number)))
        });
        let is_meant =
            |(name, kind): &(&str, Self)| name.eq_ignore_ascii_case(text) || kind.dotted() == text;
        let is_dotted = |text: &str| {
            let is_arc =
                |arc: &str| !arc.is_empty() && arc.bytes().all(|byte| byte.is_ascii_digit());
            text.contains('.') && text.split('.').all(is_arc)
        };
        let mut known = known.filter(is_meant);
        match known.next() {
            Some((name, _)) => Some(name.to_ascii_lowercase()),
            None => is_dotted(text).then(|| text.to_owned()),
        }
    }

    /// The OBJECT IDENTIFIER in dotted decimal.
    pub fn dotted(&self) -> String {
        dotted(self.0.as_bytes()).unwrap_or_default()
    }
}

/// An OBJECT IDENTIFIER in dotted decimal; none for bytes that are not one, and for a number above 2^57. asn1-rs writes
/// `3.16.55` for 2.999: it takes the first byte for the first two numbers, which X.690 section 8.19.4 does not.
fn dotted(bytes: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    let mut inside = false;
    for &byte in bytes {
        if (!inside && byte == 0x80) || arc > u64::MAX >> 7 {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        inside = byte & 0x80 != 0;
        if !inside {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let (&first, rest) = arcs.split_first().filter(|_| !inside)?;
    let root = (first / 40).min(2);
    let text = format!("{root}.{}", first - root * 40);
    Some(rest.iter().fold(text, |text, arc| format!("{text}.{arc}")))
}

/// Short names by the last number of the OBJECT IDENTIFIER, ascending.
type ShortNames = &'static [(u8, &'static str)];

/// The arcs with short names: the DER of the arc, and its types.
const ARCS: &[(&[u8], ShortNames)] = &[
    (&[0x55, 4], X520),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9], PKCS9),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1], COSINE),
];

/// X.520 attribute types, 2.5.4.
const X520: ShortNames = &[
    (3, "CN"),
    (4, "SN"),
    (5, "serialNumber"),
    (6, "C"),
    (7, "L"),
    (8, "ST"),
    (9, "street"),
    (10, "O"),
    (11, "OU"),
    (12, "title"),
    (13, "description"),
    (14, "searchGuide"),
    (15, "businessCategory"),
    (16, "postalAddress"),
    (17, "postalCode"),
    (18, "postOfficeBox"),
    (19, "physicalDeliveryOfficeName"),
    (20, "telephoneNumber"),
    (21, "telexNumber"),
    (22, "teletexTerminalIdentifier"),
    (23, "facsimileTelephoneNumber"),
    (24, "x121Address"),
    (25, "internationaliSDNNumber"),
    (26, "registeredAddress"),
    (27, "destinationIndicator"),
    (28, "preferredDeliveryMethod"),
    (29, "presentationAddress"),
    (30, "supportedApplicationContext"),
    (31, "member"),
    (32, "owner"),
    (33, "roleOccupant"),
    (34, "seeAlso"),
    (35, "userPassword"),
    (36, "userCertificate"),
    (37, "cACertificate"),
    (38, "authorityRevocationList"),
    (39, "certificateRevocationList"),
    (40, "crossCertificatePair"),
    (41, "name"),
    (42, "GN"),
    (43, "initials"),
    (44, "generationQualifier"),
    (45, "x500UniqueIdentifier"),
    (46, "dnQualifier"),
    (47, "enhancedSearchGuide"),
    (48, "protocolInformation"),
    (49, "distinguishedName"),
    (50, "uniqueMember"),
    (51, "houseIdentifier"),
    (52, "supportedAlgorithms"),
    (53, "deltaRevocationList"),
    (54, "dmdName"),
    (65, "pseudonym"),
    (72, "role"),
];

/// PKCS #9 attribute types, 1.2.840.113549.1.9.
const PKCS9: ShortNames = &[
    (1, "emailAddress"),
    (2, "unstructuredName"),
    (3, "contentType"),
    (4, "messageDigest"),
    (5, "signingTime"),
    (6, "countersignature"),
    (7, "challengePassword"),
    (8, "unstructuredAddress"),
    (9, "extendedCertificateAttributes"),
    (14, "extReq"),
    (15, "SMIME-CAPS"),
    (16, "SMIME"),
    (20, "friendlyName"),
    (21, "localKeyID"),
];

/// COSINE and Internet X.500 attribute types, 0.9.2342.19200300.100.1.
const COSINE: ShortNames = &[
    (1, "UID"),
    (2, "textEncodedORAddress"),
    (3, "mail"),
    (4, "info"),
    (5, "favouriteDrink"),
    (6, "roomNumber"),
    (7, "photo"),
    (8, "userClass"),
    (9, "host"),
    (10, "manager"),
    (11, "documentIdentifier"),
    (12, "documentTitle"),
    (13, "documentVersion"),
    (14, "documentAuthor"),
    (15, "documentLocation"),
    (20, "homeTelephoneNumber"),
    (21, "secretary"),
    (22, "otherMailbox"),
    (23, "lastModifiedTime"),
    (24, "lastModifiedBy"),
    (25, "DC"),
    (26, "aRecord"),
    (27, "pilotAttributeType27"),
    (28, "mXRecord"),
    (29, "nSRecord"),
    (30, "sOARecord"),
    (31, "cNAMERecord"),
    (37, "associatedDomain"),
    (38, "associatedName"),
    (39, "homePostalAddress"),
    (40, "personalTitle"),
    (41, "mobileTelephoneNumber"),
    (42, "pagerTelephoneNumber"),
    (43, "friendlyCountryName"),
    (45, "organizationalStatus"),
    (46, "janetMailbox"),
    (47, "mailPreferenceOption"),
    (48, "buildingName"),
    (49, "dSAQuality"),
    (50, "singleLevelQuality"),
    (51, "subtreeMinimumQuality"),
    (52, "subtreeMaximumQuality"),
    (53, "personalSignature"),
    (54, "dITRedirect"),
    (55, "audio"),
    (56, "documentPublisher"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_short_names_of_their_arc() {
        for (oid, expected) in [
            (&[0x55, 4, 3][..], Some("CN")),
            (&[0x55, 4, 9], Some("street")),
            (
                &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
                Some("emailAddress"),
            ),
            (
                &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25],
                Some("DC"),
            ),
            (&[0x55, 4, 97], None),
            (&[0x55, 4, 3, 3], None),
            (&[0x55], None),
        ] {
            let kind = AttributeType::from_der_contents(oid).unwrap();
            assert_eq!(kind.short_name(), expected, "{}", kind.dotted());
        }
    }

    #[test]
    fn the_tables_are_in_order() {
        for (_, names) in ARCS {
            assert!(names.is_sorted_by(|one, other| one.0 < other.0));
        }
    }

    #[test]
    fn an_object_identifier_is_written_in_dotted_decimal() {
        for (oid, expected) in [
            (&[0x2a, 0x86, 0x48][..], Some("1.2.840")),
            (&[0x88, 0x37], Some("2.999")),
            (&[], None),
            (&[0x2a, 0x86], None),
            (&[0x2a, 0x80, 1], None),
            (&[0x2a, 0x80], None),
            (&[0xff; 12], None),
        ] {
            let kind = AttributeType::from_der_contents(oid);
            let written = kind.map(|kind| kind.dotted());
            assert_eq!(written.as_deref(), expected, "{oid:02x?}");
        }
    }
}
