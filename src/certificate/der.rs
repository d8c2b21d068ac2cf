//! A strict reader of DER (X.690 section 8 and 10): just what a certificate needs.
//!
//! A certificate decides who somebody is, so every byte is accounted for.

use thiserror::Error;

/// Why bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DerError {
    /// The bytes end inside an element.
    #[error("the DER ends inside an element")]
    Truncated,
    /// X.690 section 10.1: the length is indefinite, longer than needed, or above 2^24.
    #[error("a DER length that is not in its shortest form")]
    Length,
    /// A tag of more than one byte, which no certificate field read here has.
    #[error("a DER tag of more than one byte")]
    LongTag,
    /// Another tag than the field's.
    #[error("DER tag {found:#04x} where {expected:#04x} is expected")]
    Tag {
        /// The tag the field has by its definition.
        expected: u8,
        /// The tag that was there.
        found: u8,
    },
    /// Bytes behind the last element.
    #[error("{0} bytes behind the end of a DER element")]
    Trailing(usize),
}

/// Universal tags, with the constructed bit where the type is constructed (X.680 section 8.6).
pub mod tag {
    /// OBJECT IDENTIFIER.
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    /// UTF8String.
    pub const UTF8_STRING: u8 = 0x0c;
    /// NumericString.
    pub const NUMERIC_STRING: u8 = 0x12;
    /// PrintableString.
    pub const PRINTABLE_STRING: u8 = 0x13;
    /// TeletexString, also called T61String.
    pub const TELETEX_STRING: u8 = 0x14;
    /// IA5String.
    pub const IA5_STRING: u8 = 0x16;
    /// UTCTime.
    pub const UTC_TIME: u8 = 0x17;
    /// GeneralizedTime.
    pub const GENERALIZED_TIME: u8 = 0x18;
    /// VisibleString.
    pub const VISIBLE_STRING: u8 = 0x1a;
    /// UniversalString (UCS-4).
    pub const UNIVERSAL_STRING: u8 = 0x1c;
    /// BMPString (UCS-2).
    pub const BMP_STRING: u8 = 0x1e;
    /// SEQUENCE and SEQUENCE OF.
    pub const SEQUENCE: u8 = 0x30;
    /// SET and SET OF.
    pub const SET: u8 = 0x31;
}

/// One element: its tag, its contents, and all of its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier byte.
    pub tag: u8,
    /// The contents.
    pub contents: &'a [u8],
    /// Tag, length and contents.
    pub raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// The one element that `bytes` are, with nothing behind it.
    ///
    /// # Errors
    /// [`DerError`] when the bytes are not exactly one element.
    pub fn only(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut elements = Elements::of(bytes);
        let element = elements.next().ok_or(DerError::Truncated)??;
        match elements.rest.len() {
            0 => Ok(element),
            trailing => Err(DerError::Trailing(trailing)),
        }
    }

    /// This element, if it has that tag.
    ///
    /// # Errors
    /// [`DerError::Tag`] when it has another.
    pub fn expect(self, tag: u8) -> Result<Self, DerError> {
        if self.tag == tag {
            return Ok(self);
        }
        Err(DerError::Tag {
            expected: tag,
            found: self.tag,
        })
    }

    /// The elements in the contents of a constructed element.
    pub fn children(self) -> Elements<'a> {
        Elements::of(self.contents)
    }
}

/// Elements one after the other; after an error there are no more.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements in these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn read(&mut self) -> Result<Element<'a>, DerError> {
        let whole = self.rest;
        let (&tag, after_tag) = whole.split_first().ok_or(DerError::Truncated)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::LongTag);
        }
        let (length, after_length) = length(after_tag)?;
        let (contents, rest) = after_length
            .split_at_checked(length)
            .ok_or(DerError::Truncated)?;
        let size = whole.len() - rest.len();
        let raw = whole.get(..size).ok_or(DerError::Truncated)?;
        self.rest = rest;
        Ok(Element { tag, contents, raw })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, DerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.read();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

/// X.690 section 8.1.3 in the form of section 10.1: definite, and as short as can be.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), DerError> {
    let (&first, rest) = bytes.split_first().ok_or(DerError::Truncated)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=3).contains(&count) {
        return Err(DerError::Length);
    }
    let (digits, rest) = rest.split_at_checked(count).ok_or(DerError::Truncated)?;
    let length = digits
        .iter()
        .fold(0_usize, |sum, &byte| sum << 8 | usize::from(byte));
    let shortest = length >= 0x80 && digits.first() != Some(&0);
    shortest.then_some((length, rest)).ok_or(DerError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_its_tag_contents_and_bytes() {
        let element = Element::only(&[0x0c, 2, b'h', b'i']).unwrap();
        assert_eq!((element.tag, element.contents), (0x0c, &b"hi"[..]));
        assert_eq!(element.raw, &[0x0c, 2, b'h', b'i']);
    }

    #[test]
    fn what_is_not_der_has_a_name() {
        let long_but_small = [0x0c, 0x81, 1, b'h'];
        for (bytes, expected) in [
            (&[][..], DerError::Truncated),
            (&[0x0c], DerError::Truncated),
            (&[0x0c, 2, b'h'], DerError::Truncated),
            (&[0x0c, 0x82, 1], DerError::Truncated),
            (&[0x0c, 0x80, 0, 0], DerError::Length),
            (&[0x0c, 0x84, 0, 0, 0, 1], DerError::Length),
            (&[0x0c, 0x82, 0, 0x90], DerError::Length),
            (&long_but_small, DerError::Length),
            (&[0x1f, 0x81, 1, 0], DerError::LongTag),
            (&[0x0c, 0, 0], DerError::Trailing(1)),
        ] {
            assert_eq!(Element::only(bytes), Err(expected), "{bytes:02x?}");
        }
    }

    #[test]
    fn after_an_error_nothing_is_read() {
        let elements: Vec<_> = Elements::of(&[0x0c, 0, 0x1f, 0x0c, 0]).collect();
        assert_eq!(elements.len(), 2);
        assert_eq!(elements.last(), Some(&Err(DerError::LongTag)));
    }
}
