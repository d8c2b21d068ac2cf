//! The subjectAltName extension, RFC 5280 section 4.2.1.6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use crate::certificate::certificate_shape::GENERAL_NAME;
use crate::certificate::der::{DerError, Element, tag};

/// Why bytes are not a subjectAltName.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SubjectAltNameError {
    /// The structure is not a SEQUENCE OF GeneralName.
    #[error("not a subjectAltName: {0}")]
    Structure(#[from] DerError),
    /// RFC 5280: if the extension is present, it has at least one entry.
    #[error("a subjectAltName without an entry")]
    Empty,
    /// rfc822Name, dNSName and URI are IA5String: ASCII.
    #[error("a subjectAltName entry [{0}] that is not ASCII")]
    NotAscii(u8),
    /// iPAddress is 4 or 16 bytes.
    #[error("an iPAddress of {0} bytes, expected 4 or 16")]
    IpAddress(usize),
    /// An entry of another kind, which names nobody here, does not have its form.
    #[error("a subjectAltName entry [{0}] that does not have its form")]
    Malformed(u8),
    /// A tag that GeneralName does not have.
    #[error("no GeneralName has the tag {0:#04x}")]
    Kind(u8),
}

/// The entries of a subjectAltName by kind, each in the order of the DER.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectAltName {
    /// dNSName.
    pub dns: Vec<String>,
    /// rfc822Name.
    pub email: Vec<String>,
    /// uniformResourceIdentifier.
    pub uri: Vec<String>,
    /// iPAddress.
    pub ip: Vec<IpAddr>,
}

impl SubjectAltName {
    /// Reads the value of the extension. Kinds that name nobody here (otherName, x400Address,
    /// directoryName, ediPartyName, registeredID) are passed over.
    ///
    /// # Errors
    /// [`SubjectAltNameError`] names the rule that is broken.
    pub fn from_der(der: &[u8]) -> Result<Self, SubjectAltNameError> {
        let mut names = Self::default();
        let entries = Element::only(der)?.expect(tag::SEQUENCE)?;
        if entries.contents.is_empty() {
            return Err(SubjectAltNameError::Empty);
        }
        for entry in entries.children() {
            names.add(entry?)?;
        }
        Ok(names)
    }

    fn add(&mut self, entry: Element<'_>) -> Result<(), SubjectAltNameError> {
        match entry.tag {
            0x81 => self.email.push(ia5_string(entry)?),
            0x82 => self.dns.push(ia5_string(entry)?),
            0x86 => self.uri.push(ia5_string(entry)?),
            0x87 => self.ip.push(ip_address(entry)?),
            0xa0 | 0xa3 | 0xa4 | 0xa5 | 0x88 if GENERAL_NAME.matches(entry) => {}
            0xa0 | 0xa3 | 0xa4 | 0xa5 | 0x88 => {
                return Err(SubjectAltNameError::Malformed(entry.tag & 0x1f));
            }
            other => return Err(SubjectAltNameError::Kind(other)),
        }
        Ok(())
    }
}

fn ia5_string(entry: Element<'_>) -> Result<String, SubjectAltNameError> {
    std::str::from_utf8(entry.contents)
        .ok()
        .filter(|text| text.is_ascii())
        .map(str::to_owned)
        .ok_or(SubjectAltNameError::NotAscii(entry.tag & 0x1f))
}

fn ip_address(entry: Element<'_>) -> Result<IpAddr, SubjectAltNameError> {
    let bytes = entry.contents;
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
        [vec![0x30, u8::try_from(contents.len()).unwrap()], contents].concat()
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
        assert_eq!(names.dns, ["b.example.com", "a.example.com"]);
        assert_eq!(names.email, ["a@example.com"]);
        assert_eq!(names.uri, ["spiffe://a/b"]);
        assert_eq!(names.ip, [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn what_is_no_subject_alt_name_says_why() {
        let trailing = [sequence(&[(0x82, b"a")]), vec![0]].concat();
        for (der, expected) in [
            (sequence(&[]), SubjectAltNameError::Empty),
            (
                sequence(&[(0x82, &[0xc3, 0xa9])]),
                SubjectAltNameError::NotAscii(2),
            ),
            (
                sequence(&[(0x87, &[1, 2, 3])]),
                SubjectAltNameError::IpAddress(3),
            ),
            (sequence(&[(0x89, b"a")]), SubjectAltNameError::Kind(0x89)),
            (sequence(&[(0x16, b"a")]), SubjectAltNameError::Kind(0x16)),
            (
                trailing,
                SubjectAltNameError::Structure(DerError::Trailing(1)),
            ),
            (
                vec![0x30, 2, 0x82, 5],
                SubjectAltNameError::Structure(DerError::Truncated),
            ),
        ] {
            assert_eq!(SubjectAltName::from_der(&der), Err(expected), "{der:02x?}");
        }
    }
}
