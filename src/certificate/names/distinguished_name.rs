//! Distinguished names, RFC 5280 section 4.1.2.4.

use std::fmt;

use thiserror::Error;
use x509_parser::asn1_rs::Tag;

use super::attribute_type::AttributeType;
use crate::certificate::element::{DerError, Element};

/// The most attributes of a name: certificates are kept for their connections, and a name of thousands of
/// empty attributes would be a hundred times its DER.
const MAXIMUM_ATTRIBUTES: usize = 128;

/// Why bytes are not a distinguished name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// The structure is not that of RFC 5280 section 4.1.2.4.
    #[error("not a distinguished name: {0}")]
    Structure(#[from] DerError),
    /// A RelativeDistinguishedName is a SET of at least one attribute.
    #[error("a RelativeDistinguishedName without an attribute")]
    EmptyRelativeDistinguishedName,
    /// AttributeTypeAndValue is a SEQUENCE of exactly a type and a value.
    #[error("an AttributeTypeAndValue that is not a type and a value")]
    NotTypeAndValue,
    /// The bytes of a string are not what its ASN.1 type allows: UTF-8, UCS-2 or UCS-4.
    #[error("a string of ASN.1 type {0} whose bytes are not of that type")]
    MalformedString(Tag),
    /// More attributes than any name needs.
    #[error("a name of {0} attributes, at most 128 are read")]
    TooManyAttributes(usize),
    /// An attribute type whose bytes are no OBJECT IDENTIFIER.
    #[error("an attribute type that is no OBJECT IDENTIFIER")]
    MalformedType,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A character string, decoded.
    Text(String),
    /// A string of one byte a character with bytes above 0x7f, decoded as Latin-1 by custom. By
    /// definition it is T.61, or no string of its type at all, so it can be shown but names nobody. So can a time.
    Latin1(String),
    /// Anything else.
    Other,
}

impl AttributeValue {
    /// Reads the DER of a value, all of it.
    ///
    /// # Errors
    /// [`NameError`] when the bytes are not what their type allows.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        Self::read(&Element::only(der)?)
    }

    fn read(value: &Element<'_>) -> Result<Self, NameError> {
        let bytes = value.contents();
        let Some(tag) = value.universal() else {
            return Ok(Self::Other);
        };
        let text = match tag {
            Tag::Utf8String => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Tag::BmpString => decode_ucs(bytes, 2),
            Tag::UniversalString => decode_ucs(bytes, 4),
            Tag::NumericString
            | Tag::PrintableString
            | Tag::TeletexString
            | Tag::Ia5String
            | Tag::VisibleString => return Ok(Self::of_single_bytes(bytes)),
            Tag::UtcTime | Tag::GeneralizedTime => return Ok(Self::Latin1(latin_1(bytes))),
            _ => return Ok(Self::Other),
        };
        text.map(Self::Text).ok_or(NameError::MalformedString(tag))
    }

    /// The string types of one byte a character: ISO 8859-1, as OpenSSL and BoringSSL read them.
    fn of_single_bytes(bytes: &[u8]) -> Self {
        match bytes.is_ascii() {
            true => Self::Text(latin_1(bytes)),
            false => Self::Latin1(latin_1(bytes)),
        }
    }
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn decode_ucs(bytes: &[u8], width: usize) -> Option<String> {
    let characters = bytes.chunks_exact(width);
    if !characters.remainder().is_empty() {
        return None;
    }
    characters
        .map(|unit| char::from_u32(unit.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte))))
        .collect()
}

/// The text; for what is none, a word that says so.
impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Latin1(text) => f.write_str(text),
            Self::Other => f.write_str("(not a character string)"),
        }
    }
}

/// AttributeTypeAndValue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) kind: AttributeType,
    pub(super) value: AttributeValue,
    /// The DER of the value, which RFC 4514 wants for what is no text of a known type.
    pub(super) der: Vec<u8>,
}

impl Attribute {
    fn read(element: Element<'_>) -> Result<Self, NameError> {
        let mut fields = element.of_type(Tag::Sequence)?.children();
        let kind = fields.next().ok_or(NameError::NotTypeAndValue)??;
        let value = fields.next().ok_or(NameError::NotTypeAndValue)??;
        if fields.next().is_some() {
            return Err(NameError::NotTypeAndValue);
        }
        let kind = kind.of_type(Tag::Oid)?.contents();
        Ok(Self {
            kind: AttributeType::from_der_contents(kind).ok_or(NameError::MalformedType)?,
            value: AttributeValue::read(&value)?,
            der: value.raw.to_vec(),
        })
    }

    fn comparable(&self) -> (String, ComparableValue) {
        let value = match (&self.value, self.kind.short_name()) {
            (AttributeValue::Text(text) | AttributeValue::Latin1(text), Some(_)) => {
                ComparableValue::Text(text.as_bytes().to_ascii_lowercase())
            }
            _ => ComparableValue::Der(self.der.clone()),
        };
        (self.kind.comparable(), value)
    }
}

/// The value of an attribute as two are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComparableValue {
    /// Text in UTF-8, in lower case (ASCII).
    Text(Vec<u8>),
    /// The DER of anything else.
    Der(Vec<u8>),
}

/// The attributes of a RelativeDistinguishedName in one order: type in lower case, and value.
type ComparableAttributes = Vec<(String, ComparableValue)>;

/// A distinguished name as two are compared: the last RelativeDistinguishedName first, as it is written.
pub type ComparableName = Vec<ComparableAttributes>;

/// A Name of RFC 5280: a sequence of RelativeDistinguishedNames, most general first as in the DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistinguishedName {
    pub(super) relative: Vec<Vec<Attribute>>,
}

impl DistinguishedName {
    /// Reads the DER of a Name, all of it.
    ///
    /// # Errors
    /// [`NameError`] names the rule of RFC 5280 section 4.1.2.4 that is broken.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        let name = Element::only(der)?.of_type(Tag::Sequence)?;
        // Counted first: the attributes are read only of a name of bearable size.
        let attributes_of = |relative: Element<'_>| relative.children().count();
        let count = name.children().flatten().map(attributes_of).sum();
        if count > MAXIMUM_ATTRIBUTES {
            return Err(NameError::TooManyAttributes(count));
        }
        let relative = name
            .children()
            .map(|element| relative_distinguished_name(element?))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { relative })
    }

    /// Whether the name has no RelativeDistinguishedName at all, as in a workload certificate.
    pub fn is_empty(&self) -> bool {
        self.relative.is_empty()
    }

    /// The name as it is compared with one that a person wrote.
    pub fn comparable(&self) -> ComparableName {
        let attributes = |relative: &Vec<Attribute>| {
            let mut attributes: Vec<_> = relative.iter().map(Attribute::comparable).collect();
            attributes.sort();
            attributes
        };
        self.relative.iter().rev().map(attributes).collect()
    }

    /// All attributes, in the order of the DER.
    pub fn attributes(&self) -> impl Iterator<Item = (&AttributeType, &AttributeValue)> {
        let attributes = self.relative.iter().flatten();
        attributes.map(|attribute| (&attribute.kind, &attribute.value))
    }

    /// The values of one attribute type, in the order of the DER.
    pub fn values(&self, kind: AttributeType) -> impl Iterator<Item = &AttributeValue> {
        let attributes = self.attributes();
        attributes.filter_map(move |(other, value)| (*other == kind).then_some(value))
    }
}

fn relative_distinguished_name(element: Element<'_>) -> Result<Vec<Attribute>, NameError> {
    let attributes: Vec<_> = element
        .of_type(Tag::Set)?
        .children()
        .map(|attribute| Attribute::read(attribute?))
        .collect::<Result<_, _>>()?;
    if attributes.is_empty() {
        return Err(NameError::EmptyRelativeDistinguishedName);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8_STRING: u8 = 0x0c;
    const PRINTABLE_STRING: u8 = 0x13;
    const TELETEX_STRING: u8 = 0x14;
    const IA5_STRING: u8 = 0x16;
    const UNIVERSAL_STRING: u8 = 0x1c;
    const BMP_STRING: u8 = 0x1e;
    const SEQUENCE: u8 = 0x30;
    const SET: u8 = 0x31;

    /// One AttributeTypeAndValue of X.520 with a value of that tag.
    fn attribute(number: u8, tag: u8, value: &[u8]) -> Vec<u8> {
        let value = element(tag, value);
        element(SEQUENCE, &[&[6, 3, 0x55, 4, number], &value[..]].concat())
    }

    fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
        let length = u8::try_from(contents.len()).unwrap();
        assert!(length < 0x80);
        [&[tag, length], contents].concat()
    }

    /// A Name of these RelativeDistinguishedNames, each given by its attributes.
    fn name(relative: &[&[Vec<u8>]]) -> Vec<u8> {
        let sets: Vec<_> = relative
            .iter()
            .map(|attributes| element(SET, &attributes.concat()))
            .collect();
        element(SEQUENCE, &sets.concat())
    }

    fn written(der: &[u8]) -> String {
        DistinguishedName::from_der(der).unwrap().to_string()
    }

    #[test]
    fn names_are_written_last_first_and_multi_valued_ones_reversed() {
        let cn = attribute(3, UTF8_STRING, b"a");
        let o = attribute(10, UTF8_STRING, b"b");
        let c = attribute(6, PRINTABLE_STRING, b"DE");
        assert_eq!(written(&name(&[&[c], &[cn, o]])), "O=b+CN=a,C=DE");
        assert_eq!(written(&name(&[])), "");
    }

    #[test]
    fn text_is_escaped_as_rfc_4514_demands() {
        for (value, expected) in [
            (&b" a "[..], r"CN=\ a\ "),
            (b"#a#", r"CN=\#a#"),
            (b"a,b+c\"d\\e<f>g;h", r#"CN=a\,b\+c\"d\\e\<f\>g\;h"#),
            (b"a=b/c", "CN=a=b/c"),
            (b"\0\r\n\x7f", r"CN=\00\0D\0A\7F"),
            ("\u{e9}".as_bytes(), r"CN=\C3\A9"),
            (b" ", r"CN=\ "),
            (b"", "CN="),
        ] {
            let der = name(&[&[attribute(3, UTF8_STRING, value)]]);
            assert_eq!(written(&der), expected);
        }
    }

    #[test]
    fn what_is_no_text_of_a_known_type_is_written_as_hex() {
        let integer = attribute(3, 0x02, &[5]);
        assert_eq!(written(&name(&[&[integer]])), "CN=#020105");
        let unknown = attribute(97, UTF8_STRING, b"x");
        assert_eq!(written(&name(&[&[unknown]])), "2.5.4.97=#0C0178");
    }

    #[test]
    fn every_string_type_is_decoded_as_openssl_does() {
        for (tag, value, expected) in [
            (BMP_STRING, &[0, b'a', 0x20, 0xac][..], "a\u{20ac}"),
            (
                UNIVERSAL_STRING,
                &[0, 0, 0, b'a', 0, 1, 0xf6, 0],
                "a\u{1f600}",
            ),
            (TELETEX_STRING, b"abc", "abc"),
            (PRINTABLE_STRING, b"a@*", "a@*"),
            (IA5_STRING, b"a_b", "a_b"),
        ] {
            let der = name(&[&[attribute(3, tag, value)]]);
            let name = DistinguishedName::from_der(&der).unwrap();
            let values: Vec<_> = name.values(AttributeType::COMMON_NAME).collect();
            assert_eq!(values, [&AttributeValue::Text(expected.to_owned())]);
        }
    }

    #[test]
    fn a_single_byte_string_above_ascii_is_kept_apart() {
        let der = name(&[&[attribute(3, TELETEX_STRING, &[0xc8, b'e'])]]);
        let name = DistinguishedName::from_der(&der).unwrap();
        let values: Vec<_> = name.values(AttributeType::COMMON_NAME).collect();
        assert_eq!(values, [&AttributeValue::Latin1("\u{c8}e".to_owned())]);
    }

    #[test]
    fn what_is_no_name_says_which_rule_is_broken() {
        let cn = attribute(3, UTF8_STRING, b"a");
        let bare_value = element(SEQUENCE, &[6, 3, 0x55, 4, 3]);
        let three = element(SEQUENCE, &[6, 3, 0x55, 4, 3, 12, 0, 12, 0]);
        let no_type = element(SEQUENCE, &[6, 0, 12, 0]);
        let trailing = [name(&[std::slice::from_ref(&cn)]), vec![5, 0]].concat();
        let not_a_set = element(SEQUENCE, &cn);
        for (der, expected) in [
            (name(&[&[]]), NameError::EmptyRelativeDistinguishedName),
            (
                name(&[&[cn.clone(), bare_value]]),
                NameError::NotTypeAndValue,
            ),
            (name(&[&[cn, three]]), NameError::NotTypeAndValue),
            (name(&[&[no_type]]), NameError::MalformedType),
            (trailing, NameError::Structure(DerError::Trailing(2))),
            (
                not_a_set,
                NameError::Structure(DerError::Tag {
                    expected: Tag::Set,
                    found: 0x30,
                }),
            ),
            (
                name(&[&[attribute(3, 0x0c, &[0xff])]]),
                NameError::MalformedString(Tag::Utf8String),
            ),
            (
                name(&[&[attribute(3, 0x1e, &[0])]]),
                NameError::MalformedString(Tag::BmpString),
            ),
            (
                name(&[&[attribute(3, 0x1e, &[0xd8, 0])]]),
                NameError::MalformedString(Tag::BmpString),
            ),
            (
                name(&[&[attribute(3, 0x1c, &[0, 1, 0])]]),
                NameError::MalformedString(Tag::UniversalString),
            ),
        ] {
            assert_eq!(DistinguishedName::from_der(&der), Err(expected));
        }
    }
}
