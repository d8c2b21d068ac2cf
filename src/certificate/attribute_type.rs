//! Attribute types of distinguished names and their short names (RFC 4519, RFC 2985, RFC 4524).

use crate::certificate::object_identifier;

/// An attribute type: its OBJECT IDENTIFIER in DER, without tag and length (X.690 section 8.19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeType {
    oid: Vec<u8>,
}

impl AttributeType {
    /// The DER contents of `commonName`, 2.5.4.3.
    pub const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    /// The DER contents of `organizationName`, 2.5.4.10.
    pub const ORGANIZATION: &[u8] = &[0x55, 4, 10];
    /// The DER contents of `organizationalUnitName`, 2.5.4.11.
    pub const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 4, 11];

    /// The attribute type with this OBJECT IDENTIFIER; none if the bytes are not one.
    pub fn from_der_contents(oid: &[u8]) -> Option<Self> {
        object_identifier::dotted(oid).map(|_| Self { oid: oid.to_vec() })
    }

    /// Whether this is the attribute type with these DER contents.
    pub fn is(&self, oid: &[u8]) -> bool {
        self.oid == oid
    }

    /// The short name Envoy's subject string uses, such as `CN`; none for a type it has none for.
    pub fn short_name(&self) -> Option<&'static str> {
        let (&number, arc) = self.oid.split_last()?;
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
            let kind = |number: u8| Self {
                oid: [arc, &[number][..]].concat(),
            };
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
        object_identifier::dotted(&self.oid).unwrap_or_default()
    }
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
}
