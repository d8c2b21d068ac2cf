//! The subjectAltName extension, RFC 5280 section 4.2.1.6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;
use x509_parser::asn1_rs::Tag;

use super::attribute_type::AttributeType;
use crate::certificate::element::{DerError, Element};

/// The most names of a subjectAltName.
const MAXIMUM_NAMES: usize = 1024;

/// Why a subjectAltName, or the names of one kind in it, cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubjectAltNameError {
    /// The structure is not a SEQUENCE OF GeneralName.
    #[error("subjectAltName: {0}")]
    Structure(#[from] DerError),
    /// An entry of no kind that GeneralName has.
    #[error("subjectAltName: no GeneralName has the tag {0:#04x}")]
    Kind(u8),
    /// More names than any certificate needs.
    #[error("subjectAltName: {0} names, at most 1024 are read")]
    TooMany(usize),
    /// rfc822Name, dNSName and URI are IA5String: ASCII.
    #[error("subjectAltName: an entry [{0}] that is not ASCII")]
    NotAscii(u32),
    /// OtherName is a SEQUENCE of a type and a value.
    #[error("subjectAltName: an otherName that is not a type and a value")]
    OtherName,
    /// The userPrincipalName is a UTF8String.
    #[error("subjectAltName: a userPrincipalName that is no UTF8String")]
    UserPrincipalName,
    /// iPAddress is 4 or 16 bytes.
    #[error("subjectAltName: an iPAddress of {0} bytes, expected 4 or 16")]
    IpAddress(usize),
}

/// The kinds of names whose text other programs write as it stands in the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// dNSName.
    Dns,
    /// uniformResourceIdentifier.
    Uri,
}

/// The bytes of all names of a kind in the value of the extension, in the order of the DER, whatever the bytes are. None
/// for an extension that is not DER: a reader of the whole finds no name in it.
pub(in crate::certificate) fn contents_of(der: &[u8], kind: GeneralName) -> Option<Vec<&[u8]>> {
    let number = match kind {
        GeneralName::Dns => 2,
        GeneralName::Uri => 6,
    };
    let entries = Element::only(der).ok()?.of_type(Tag::Sequence).ok()?;
    let entries: Vec<_> = entries.children().collect::<Result<_, _>>().ok()?;
    let of_kind = |entry: &&Element<'_>| entry.context_specific() == Some((number, false));
    Some(
        entries
            .iter()
            .filter(of_kind)
            .map(Element::contents)
            .collect(),
    )
}

/// The names of one kind in the order of the DER, or why one of them cannot be read.
type Names<T> = Result<Vec<T>, SubjectAltNameError>;

/// The entries of a subjectAltName by kind. An entry that cannot be read spoils its own kind only: who asks for the
/// e-mail address of a certificate does not ask for its host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectAltName {
    email: Names<String>,
    dns: Names<String>,
    uri: Names<String>,
    ip: Names<IpAddr>,
    upn: Names<String>,
    other: Names<OtherName>,
}

/// An otherName: a kind of name that whoever needs it has made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherName {
    /// The OBJECT IDENTIFIER in dotted decimal.
    pub kind: String,
    /// The DER of the value.
    pub value: Vec<u8>,
}

/// The OBJECT IDENTIFIER of Microsoft's userPrincipalName.
const USER_PRINCIPAL_NAME: &str = "1.3.6.1.4.1.311.20.2.3";

impl OtherName {
    /// Reads the contents of the `[0]`, in which the tag of the SEQUENCE is not written.
    fn read(entry: &Element<'_>) -> Option<Self> {
        let mut fields = entry.children();
        let kind = fields.require(Tag::Oid).ok()?.contents();
        let explicit = fields.next()?.ok()?;
        fields.end().ok()?;
        let is_explicit = explicit.context_specific() == Some((0, true));
        let value = Element::only(explicit.contents()).ok()?.raw.to_vec();
        let kind = AttributeType::from_der_contents(kind)?.dotted();
        is_explicit.then_some(Self { kind, value })
    }

    /// The userPrincipalName, if it is one.
    fn upn(&self) -> Option<Result<String, SubjectAltNameError>> {
        let text = || {
            let value = Element::only(&self.value).ok()?;
            let value = value.of_type(Tag::Utf8String).ok()?;
            std::str::from_utf8(value.contents()).ok()
        };
        let upn = || text().ok_or(SubjectAltNameError::UserPrincipalName);
        (self.kind == USER_PRINCIPAL_NAME).then(|| upn().map(str::to_owned))
    }
}

/// No names of any kind, as in a certificate without the extension.
impl Default for SubjectAltName {
    fn default() -> Self {
        Self {
            email: Ok(Vec::new()),
            dns: Ok(Vec::new()),
            uri: Ok(Vec::new()),
            ip: Ok(Vec::new()),
            upn: Ok(Vec::new()),
            other: Ok(Vec::new()),
        }
    }
}

impl SubjectAltName {
    /// Reads the value of the extension. The contents of x400Address, directoryName, ediPartyName and registeredID are
    /// passed over: they name nobody here.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] names the rule that is broken, if it concerns the names of all kinds.
    pub fn from_der(der: &[u8]) -> Result<Self, SubjectAltNameError> {
        let entries = Element::only(der)?.of_type(Tag::Sequence)?;
        let count = entries.children().count();
        if count > MAXIMUM_NAMES {
            return Err(SubjectAltNameError::TooMany(count));
        }
        let mut names = Self::default();
        for entry in entries.children() {
            names.add(&entry?)?;
        }
        Ok(names)
    }

    fn add(&mut self, entry: &Element<'_>) -> Result<(), SubjectAltNameError> {
        match entry.context_specific() {
            Some((1, false)) => add(&mut self.email, ia5_string(1, entry.contents())),
            Some((2, false)) => add(&mut self.dns, ia5_string(2, entry.contents())),
            Some((6, false)) => add(&mut self.uri, ia5_string(6, entry.contents())),
            Some((7, false)) => add(&mut self.ip, ip_address(entry.contents())),
            Some((0, true)) => self.add_other(entry),
            Some((3..=5, true) | (8, false)) => {}
            _ => return Err(SubjectAltNameError::Kind(entry.identifier())),
        }
        Ok(())
    }

    /// One that cannot be read could be a userPrincipalName.
    fn add_other(&mut self, entry: &Element<'_>) {
        let other = OtherName::read(entry).ok_or(SubjectAltNameError::OtherName);
        match &other {
            Ok(other) => {
                if let Some(upn) = other.upn() {
                    add(&mut self.upn, upn);
                }
            }
            Err(error) => add(&mut self.upn, Err(*error)),
        }
        add(&mut self.other, other);
    }

    /// The userPrincipalNames: otherNames 1.3.6.1.4.1.311.20.2.3.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them, or any otherName, cannot be read.
    pub fn upn(&self) -> Result<&[String], SubjectAltNameError> {
        slice(&self.upn)
    }

    /// The otherNames of all types, userPrincipalNames among them.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them cannot be read.
    pub fn other(&self) -> Result<&[OtherName], SubjectAltNameError> {
        slice(&self.other)
    }

    /// The rfc822Names.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them cannot be read.
    pub fn email(&self) -> Result<&[String], SubjectAltNameError> {
        slice(&self.email)
    }

    /// The dNSNames.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them cannot be read.
    pub fn dns(&self) -> Result<&[String], SubjectAltNameError> {
        slice(&self.dns)
    }

    /// The uniformResourceIdentifiers.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them cannot be read.
    pub fn uri(&self) -> Result<&[String], SubjectAltNameError> {
        slice(&self.uri)
    }

    /// The iPAddresses.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] when one of them cannot be read.
    pub fn ip(&self) -> Result<&[IpAddr], SubjectAltNameError> {
        slice(&self.ip)
    }
}

fn slice<T>(names: &Names<T>) -> Result<&[T], SubjectAltNameError> {
    names.as_deref().map_err(|&error| error)
}

/// The first name that cannot be read decides for its kind.
fn add<T>(names: &mut Names<T>, name: Result<T, SubjectAltNameError>) {
    match (names.as_mut(), name) {
        (Ok(names), Ok(name)) => names.push(name),
        (Ok(_), Err(error)) => *names = Err(error),
        (Err(_), _) => {}
    }
}

fn ia5_string(kind: u32, contents: &[u8]) -> Result<String, SubjectAltNameError> {
    std::str::from_utf8(contents)
        .ok()
        .filter(|text| text.is_ascii())
        .map(str::to_owned)
        .ok_or(SubjectAltNameError::NotAscii(kind))
}

fn ip_address(bytes: &[u8]) -> Result<IpAddr, SubjectAltNameError> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let v6 = || <[u8; 16]>::try_from(bytes).map(|octets| IpAddr::V6(Ipv6Addr::from(octets)));
    v4.or_else(|_| v6())
        .map_err(|_| SubjectAltNameError::IpAddress(bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(entries: &[(u8, &[u8])]) -> Vec<u8> {
        let mut contents = Vec::new();
        for (tag, value) in entries {
            contents.extend([*tag, u8::try_from(value.len()).unwrap()]);
            contents.extend(*value);
        }
        let [.., high, low] = contents.len().to_be_bytes();
        let header = match contents.len() {
            0..0x80 => vec![0x30, low],
            0x80..0x100 => vec![0x30, 0x81, low],
            _ => vec![0x30, 0x82, high, low],
        };
        [header, contents].concat()
    }

    #[test]
    fn entries_are_sorted_by_kind_in_their_order() {
        let der = sequence(&[
            (0x82, b"b.example.com"),
            (0x81, b"a@example.com"),
            (0x82, b"a.example.com"),
            (0x86, b"spiffe://a/b"),
            (0x87, &[127, 0, 0, 1]),
            (0x88, &[0x2a]),
        ]);
        let names = SubjectAltName::from_der(&der).unwrap();
        assert_eq!(names.dns().unwrap(), ["b.example.com", "a.example.com"]);
        assert_eq!(names.email().unwrap(), ["a@example.com"]);
        assert_eq!(names.uri().unwrap(), ["spiffe://a/b"]);
        assert_eq!(names.ip().unwrap(), [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn a_name_that_cannot_be_read_spoils_its_own_kind_only() {
        let der = sequence(&[
            (0x81, b"a@example.com"),
            (0x81, &[0xc3, 0xa9]),
            (0x81, b"b@example.com"),
            (0x82, b"a.example.com"),
            (0x86, &[0xe9]),
            (0x87, &[1, 2, 3]),
            (0xa0, b"no otherName"),
        ]);
        let names = SubjectAltName::from_der(&der).unwrap();
        assert_eq!(names.email(), Err(SubjectAltNameError::NotAscii(1)));
        assert_eq!(names.uri(), Err(SubjectAltNameError::NotAscii(6)));
        assert_eq!(names.ip(), Err(SubjectAltNameError::IpAddress(3)));
        assert_eq!(names.other(), Err(SubjectAltNameError::OtherName));
        assert_eq!(names.upn(), Err(SubjectAltNameError::OtherName));
        assert_eq!(names.dns().unwrap(), ["a.example.com"]);
    }

    #[test]
    fn no_names_are_names_that_can_be_read() {
        let names = SubjectAltName::from_der(&sequence(&[]));
        assert_eq!(names, Ok(SubjectAltName::default()));
    }

    #[test]
    fn what_is_no_subject_alt_name_says_why() {
        let trailing = [sequence(&[(0x82, b"a")]), vec![0]].concat();
        let many = vec![(0x82, &b"a"[..]); MAXIMUM_NAMES + 1];
        for (der, expected) in [
            (sequence(&[(0x89, b"a")]), SubjectAltNameError::Kind(0x89)),
            (sequence(&[(0x16, b"a")]), SubjectAltNameError::Kind(0x16)),
            (sequence(&[(0xa1, b"a")]), SubjectAltNameError::Kind(0xa1)),
            (trailing, DerError::Trailing(1).into()),
            (vec![0x30, 2, 0x82, 5], DerError::NotDer.into()),
            (vec![], DerError::NotDer.into()),
            (sequence(&many), SubjectAltNameError::TooMany(1025)),
        ] {
            assert_eq!(SubjectAltName::from_der(&der), Err(expected));
        }
        assert!(SubjectAltName::from_der(&sequence(&many[1..])).is_ok());
    }
}
