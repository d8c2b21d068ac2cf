//! Elements of DER (X.690), read by asn1-rs.
//!
//! The parsers of x509-parser for whole structures pass over bytes behind the last field of a SEQUENCE. A certificate
//! decides who somebody is, so here the caller sees every element, and can tell when there is one too many.

use thiserror::Error;
use x509_parser::asn1_rs::{Any, Class, FromDer, Tag, ToDer};

/// Why bytes are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DerError {
    /// The bytes end inside an element, or its tag or length is not in the one form of X.690 section 10.1.
    #[error("bytes that are not DER")]
    NotDer,
    /// Another element than the field's.
    #[error("DER tag {found:#04x} where {expected} is expected")]
    Tag {
        /// The type of the field.
        expected: Tag,
        /// The identifier byte that was there.
        found: u8,
    },
    /// A field is not there.
    #[error("the end of a DER element where {0} is expected")]
    Missing(Tag),
    /// Bytes behind the last element.
    #[error("{0} bytes behind the end of a DER element")]
    Trailing(usize),
}

/// One element: what asn1-rs read, and all of its bytes.
#[derive(Clone, Debug)]
pub(super) struct Element<'a> {
    any: Any<'a>,
    /// Tag, length and contents.
    pub(super) raw: &'a [u8],
}

impl<'a> Element<'a> {
    /// The one element that `bytes` are, with nothing behind it.
    pub(super) fn only(bytes: &'a [u8]) -> Result<Self, DerError> {
        let mut elements = Elements::of(bytes);
        let element = elements.next().ok_or(DerError::NotDer)??;
        elements.end()?;
        Ok(element)
    }

    /// The bytes behind tag and length.
    pub(super) fn contents(&self) -> &'a [u8] {
        self.any.data
    }

    /// The elements in the contents of a constructed element.
    pub(super) fn children(&self) -> Elements<'a> {
        Elements::of(self.any.data)
    }

    /// The type of a universal element; none for another class, and where X.690 wants the other form, primitive or
    /// constructed.
    pub(super) fn universal(&self) -> Option<Tag> {
        let tag = self.any.tag();
        let is_list = matches!(tag, Tag::Sequence | Tag::Set);
        let is_of_its_form = self.any.header.is_constructed() == is_list;
        (self.any.class() == Class::Universal && is_of_its_form).then_some(tag)
    }

    /// The number of a context-specific element, and whether it is constructed.
    pub(super) fn context_specific(&self) -> Option<(u32, bool)> {
        let number = (self.any.tag().0, self.any.header.is_constructed());
        (self.any.class() == Class::ContextSpecific).then_some(number)
    }

    /// The first byte: class, form and tag.
    pub(super) fn identifier(&self) -> u8 {
        self.raw.first().copied().unwrap_or_default()
    }

    /// This element, if it is of that type.
    pub(super) fn of_type(self, expected: Tag) -> Result<Self, DerError> {
        let found = self.identifier();
        let is_expected = self.universal() == Some(expected);
        let error = DerError::Tag { expected, found };
        is_expected.then_some(self).ok_or(error)
    }
}

/// Elements one after the other; after an error there are no more.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next element, which must be of this type.
    pub(super) fn require(&mut self, expected: Tag) -> Result<Element<'a>, DerError> {
        self.next()
            .ok_or(DerError::Missing(expected))??
            .of_type(expected)
    }

    /// The next element, if it is the one that is asked for.
    pub(super) fn optional(
        &mut self,
        is_asked_for: impl Fn(&Element<'a>) -> bool,
    ) -> Result<Option<Element<'a>>, DerError> {
        let mut ahead = self.clone();
        let Some(element) = ahead.next().transpose()? else {
            return Ok(None);
        };
        if !is_asked_for(&element) {
            return Ok(None);
        }
        *self = ahead;
        Ok(Some(element))
    }

    /// That nothing is left.
    pub(super) fn end(&self) -> Result<(), DerError> {
        match self.rest.len() {
            0 => Ok(()),
            trailing => Err(DerError::Trailing(trailing)),
        }
    }

    fn read(&mut self) -> Option<Element<'a>> {
        let (rest, any) = Any::from_der(self.rest).ok()?;
        let size = self.rest.len().checked_sub(rest.len())?;
        let raw = self.rest.get(..size)?;
        // asn1-rs reads tags and lengths that are longer than they need be. X.690 section 10.1 has one form.
        let header = any.header.to_der_len().ok()?;
        if header + any.data.len() != size {
            return None;
        }
        self.rest = rest;
        Some(Element { any, raw })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, DerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.read();
        if element.is_none() {
            self.rest = &[];
        }
        Some(element.ok_or(DerError::NotDer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_has_its_type_contents_and_bytes() {
        let element = Element::only(&[0x0c, 2, b'h', b'i']).unwrap();
        assert_eq!(element.universal(), Some(Tag::Utf8String));
        assert_eq!(element.contents(), b"hi");
        assert_eq!(element.raw, &[0x0c, 2, b'h', b'i']);
    }

    #[test]
    fn what_is_not_der_is_not_read() {
        for (bytes, expected) in [
            (&[][..], DerError::NotDer),
            (&[0x0c], DerError::NotDer),
            (&[0x0c, 2, b'h'], DerError::NotDer),
            (&[0x0c, 0x82, 1], DerError::NotDer),
            (&[0x30, 0x80, 0, 0], DerError::NotDer),
            (&[0x0c, 0x81, 1, b'h'], DerError::NotDer),
            (&[0x0c, 0x82, 0, 1, b'h'], DerError::NotDer),
            (&[0x9f, 0x01, 0], DerError::NotDer),
            (&[0x0c, 0, 0], DerError::Trailing(1)),
        ] {
            assert_eq!(Element::only(bytes).unwrap_err(), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_type_has_its_own_form() {
        for (bytes, expected) in [
            (&[0x30, 0][..], Some(Tag::Sequence)),
            (&[0x10, 0], None),
            (&[0x2c, 0], None),
            (&[0x82, 0], None),
        ] {
            assert_eq!(Element::only(bytes).unwrap().universal(), expected);
        }
        let implicit = Element::only(&[0xa1, 0]).unwrap();
        assert_eq!(implicit.context_specific(), Some((1, true)));
    }

    #[test]
    fn after_an_error_nothing_is_read() {
        let elements: Vec<_> = Elements::of(&[0x0c, 0, 0x0c, 9, 0x0c, 0]).collect();
        assert_eq!(elements.len(), 2);
        assert!(matches!(elements.last(), Some(Err(DerError::NotDer))));
    }
}
