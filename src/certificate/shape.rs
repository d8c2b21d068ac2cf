//! The shapes of ASN.1 types, to tell whether DER is of a type to its last byte.
//!
//! As OpenSSL and BoringSSL do, and other parsers do not, an element that is not expected is refused.

use crate::certificate::der::{Element, tag};
use crate::certificate::object_identifier::is_oid;

/// The shape of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Any element.
    Any,
    /// One for which this holds.
    Is(fn(Element<'_>) -> bool),
    /// One of this tag with contents for which this holds.
    Contents(u8, fn(&[u8]) -> bool),
    /// A constructed element of this tag with these fields, in this order and no others.
    Fields(u8, &'static [Field]),
    /// A constructed element of this tag with at least one of these.
    SomeOf(u8, &'static Shape),
    /// Any one of these.
    OneOf(&'static [Shape]),
}

/// A field of a SEQUENCE.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    /// It must be there.
    Required(Shape),
    /// It may be absent.
    Optional(Shape),
}

impl Shape {
    /// Whether these bytes are one element of this shape, and nothing more.
    pub(crate) fn matches_der(&self, der: &[u8]) -> bool {
        Element::only(der).is_ok_and(|element| self.matches(element))
    }

    /// Whether the element is of this shape. The depth is that of the shape, whatever the element is.
    pub(crate) fn matches(&self, element: Element<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::Is(holds) => holds(element),
            Self::Contents(tag, holds) => element.tag == *tag && holds(element.contents),
            Self::Fields(tag, fields) => element.tag == *tag && has_fields(element, fields),
            Self::SomeOf(tag, shape) => {
                let mut children = element.children();
                element.tag == *tag
                    && !element.contents.is_empty()
                    && children.all(|child| child.is_ok_and(|child| shape.matches(child)))
            }
            Self::OneOf(shapes) => shapes.iter().any(|shape| shape.matches(element)),
        }
    }
}

fn has_fields(element: Element<'_>, fields: &[Field]) -> bool {
    let mut children = element.children().peekable();
    for field in fields {
        let next = children.peek();
        let is_there = |shape: &Shape| {
            let next = next.and_then(|child| child.as_ref().ok());
            next.is_some_and(|child| shape.matches(*child))
        };
        let (is_there, is_required) = match field {
            Field::Required(shape) => (is_there(shape), true),
            Field::Optional(shape) => (is_there(shape), false),
        };
        if is_there {
            children.next();
        } else if is_required {
            return false;
        }
    }
    children.next().is_none()
}

pub(crate) const BOOLEAN: Shape = Shape::Contents(0x01, is_boolean);
pub(crate) const INTEGER: Shape = Shape::Contents(0x02, is_integer);
/// INTEGER (0..MAX), of at most 32 bits.
pub(crate) const COUNT: Shape = Shape::Contents(0x02, is_count);
pub(crate) const BIT_STRING: Shape = Shape::Contents(0x03, is_bit_string);
pub(crate) const OCTET_STRING: Shape = Shape::Contents(0x04, |_| true);
pub(crate) const OBJECT_IDENTIFIER: Shape = Shape::Contents(tag::OBJECT_IDENTIFIER, is_oid);

/// Whether bytes are the contents of a BOOLEAN (X.690 section 11.1).
pub(crate) fn is_boolean(contents: &[u8]) -> bool {
    matches!(contents, [0x00 | 0xff])
}

/// Whether bytes are the contents of an INTEGER, in its shortest form (X.690 section 8.3.2).
pub(crate) fn is_integer(contents: &[u8]) -> bool {
    !matches!(contents, [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..])
}

/// Whether bytes are the contents of an INTEGER that is not negative and has at most 32 bits.
pub(crate) fn is_count(contents: &[u8]) -> bool {
    let is_short = contents.len() <= 4 || matches!(contents, [0, _, _, _, _]);
    is_integer(contents) && matches!(contents, [0..=0x7f, ..]) && is_short
}

/// Whether bytes are the contents of a BIT STRING, its unused bits zero (X.690 sections 8.6.2 and 11.2.1).
pub(crate) fn is_bit_string(contents: &[u8]) -> bool {
    match contents {
        [0] => true,
        [unused @ 0..8, .., last] => last.trailing_zeros() >= u32::from(*unused),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape::Fields(
        0x30,
        &[
            Field::Required(OBJECT_IDENTIFIER),
            Field::Optional(BOOLEAN),
            Field::Required(OCTET_STRING),
        ],
    );

    #[test]
    fn every_element_is_accounted_for() {
        for (der, expected) in [
            (&[0x30, 5, 6, 1, 0x2a, 4, 0][..], true),
            (&[0x30, 8, 6, 1, 0x2a, 1, 1, 0xff, 4, 0], true),
            (&[0x30, 7, 6, 1, 0x2a, 4, 0, 5, 0], false),
            (&[0x30, 7, 6, 1, 0x2a, 4, 0, 4, 0], false),
            (&[0x30, 8, 6, 1, 0x2a, 4, 0, 1, 1, 0xff], false),
            (&[0x30, 8, 6, 1, 0x2a, 1, 1, 1, 4, 0], false),
            (&[0x30, 3, 6, 1, 0x2a], false),
            (&[0x31, 5, 6, 1, 0x2a, 4, 0], false),
            (&[0x30, 5, 6, 1, 0x2a, 4, 0, 0], false),
            (&[0x30, 5, 6, 1, 0x2a, 4, 9], false),
        ] {
            assert_eq!(SHAPE.matches_der(der), expected, "{der:02x?}");
        }
    }

    #[test]
    fn numbers_are_in_their_shortest_form() {
        for (contents, expected) in [
            (&[0][..], true),
            (&[0x7f], true),
            (&[0, 0x80], true),
            (&[0xff], true),
            (&[0xff, 0x7f], true),
            (&[], false),
            (&[0, 0x7f], false),
            (&[0xff, 0x80], false),
        ] {
            let der = [&[2, contents.len() as u8], contents].concat();
            assert_eq!(INTEGER.matches_der(&der), expected, "{contents:02x?}");
        }
        for (contents, expected) in [
            (&[0][..], true),
            (&[0x7f, 0xff, 0xff, 0xff], true),
            (&[0, 0xff, 0xff, 0xff, 0xff], true),
            (&[1, 0, 0, 0, 0], false),
            (&[0, 0x7f], false),
            (&[0xff], false),
            (&[], false),
        ] {
            assert_eq!(is_count(contents), expected, "{contents:02x?}");
        }
    }

    #[test]
    fn the_bits_of_a_bit_string_that_are_not_used_are_zero() {
        for (contents, expected) in [
            (&[0][..], true),
            (&[0, 0xff], true),
            (&[4, 0xf0], true),
            (&[4, 0xff, 0x10], true),
            (&[7, 0x80], true),
            (&[7, 0], true),
            (&[], false),
            (&[1], false),
            (&[4, 0xf8], false),
            (&[8, 0], false),
        ] {
            assert_eq!(is_bit_string(contents), expected, "{contents:02x?}");
        }
    }
}
