//! The shapes of ASN.1 types, to tell whether DER is of a type to its last byte.
//!
//! The X.509 parser underneath passes over elements it does not expect; OpenSSL and BoringSSL refuse them.

use crate::der::{Element, tag};

/// The shape of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Any element.
    Any,
    /// One for which this holds.
    Is(fn(Element<'_>) -> bool),
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

pub(crate) const BOOLEAN: Shape =
    Shape::Is(|element| element.tag == 0x01 && matches!(element.contents, [0x00 | 0xff]));

/// INTEGER in its shortest form (X.690 section 8.3.2).
pub(crate) const INTEGER: Shape = Shape::Is(|element| {
    let is_shortest = !matches!(
        element.contents,
        [] | [0, 0..=0x7f, ..] | [0xff, 0x80..=0xff, ..]
    );
    element.tag == 0x02 && is_shortest
});

pub(crate) const BIT_STRING: Shape =
    Shape::Is(|element| element.tag == 0x03 && matches!(element.contents, [0..8, ..]));

pub(crate) const OCTET_STRING: Shape = Shape::Is(|element| element.tag == 0x04);

pub(crate) const OBJECT_IDENTIFIER: Shape =
    Shape::Is(|element| element.tag == tag::OBJECT_IDENTIFIER && is_oid(element.contents));

/// Whether bytes are the contents of an OBJECT IDENTIFIER (X.690 section 8.19).
pub(crate) fn is_oid(contents: &[u8]) -> bool {
    let mut inside = false;
    let is_shortest = contents.iter().all(|&byte| {
        let begins_with_nothing = !inside && byte == 0x80;
        inside = byte & 0x80 != 0;
        !begins_with_nothing
    });
    is_shortest && !inside && !contents.is_empty()
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
    fn numbers_and_identifiers_are_in_their_shortest_form() {
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
            (&[0x2a][..], true),
            (&[0x2a, 0x86, 0x48], true),
            (&[], false),
            (&[0x2a, 0x86], false),
            (&[0x2a, 0x80, 1], false),
        ] {
            assert_eq!(is_oid(contents), expected, "{contents:02x?}");
        }
    }
}
