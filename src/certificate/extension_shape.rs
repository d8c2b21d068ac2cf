//! The shapes of the extensions whose kind is known: those of RFC 5280 and a few in wide use.
//!
//! None of them names anybody, but for the subjectAltName. One that is not of its kind is refused, for nobody knows
//! how another program reads such a certificate.

use crate::certificate::certificate_shape::{GENERAL_NAME, GENERAL_NAMES, STRING};
use crate::certificate::certificate_transparency::is_timestamp_list;
use crate::certificate::der::{Element, Elements, tag};
use crate::certificate::shape::Field::{Optional, Required};
use crate::certificate::shape::Shape::{self, Any, Contents, Fields, Is, OneOf, SomeOf};
use crate::certificate::shape::{
    BIT_STRING, BOOLEAN, COUNT, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, is_bit_string,
    is_boolean, is_count, is_integer,
};
use crate::certificate::timestamp::Timestamp;

/// The OBJECT IDENTIFIER of the subjectAltName, 2.5.29.17.
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];

/// Whether the value of an extension has the shape of its kind; an unknown kind may have any. The subjectAltName is not asked
/// of here: it is read, by [`crate::certificate::subject_alt_name`].
pub(crate) fn has_shape(oid: &[u8], value: &[u8]) -> bool {
    let mut known = EXTENSIONS.iter().filter(|(kind, _)| *kind == oid);
    known
        .next()
        .is_none_or(|(_, shape)| shape.matches_der(value))
}

/// By the DER of their OBJECT IDENTIFIERs.
const EXTENSIONS: &[(&[u8], Shape)] = &[
    // RFC 5280 section 4.2.1, id-ce.
    (&[0x55, 0x1d, 14], OCTET_STRING),
    (&[0x55, 0x1d, 15], BIT_STRING),
    (&[0x55, 0x1d, 18], GENERAL_NAMES),
    (
        &[0x55, 0x1d, 19],
        Fields(0x30, &[Optional(BOOLEAN), Optional(COUNT)]),
    ),
    (&[0x55, 0x1d, 30], NAME_CONSTRAINTS),
    (&[0x55, 0x1d, 31], DISTRIBUTION_POINTS),
    (&[0x55, 0x1d, 32], SomeOf(0x30, &POLICY_INFORMATION)),
    (&[0x55, 0x1d, 33], POLICY_MAPPINGS),
    (&[0x55, 0x1d, 35], AUTHORITY_KEY_IDENTIFIER),
    (&[0x55, 0x1d, 36], POLICY_CONSTRAINTS),
    (&[0x55, 0x1d, 37], SomeOf(0x30, &OBJECT_IDENTIFIER)),
    (&[0x55, 0x1d, 46], DISTRIBUTION_POINTS),
    (&[0x55, 0x1d, 54], COUNT),
    // RFC 5280 section 4.2.2, id-pe.
    (&[0x2b, 6, 1, 5, 5, 7, 1, 1], ACCESS_DESCRIPTIONS),
    (&[0x2b, 6, 1, 5, 5, 7, 1, 11], ACCESS_DESCRIPTIONS),
    // Those of a revocation list, RFC 5280 section 5, should one stray into a certificate.
    (
        &[0x55, 0x1d, 20],
        Contents(0x02, |contents| {
            is_integer(contents) && matches!(contents, [0..=0x7f, ..])
        }),
    ),
    (
        &[0x55, 0x1d, 21],
        Contents(0x0a, |contents| matches!(contents, [0..=10])),
    ),
    (
        &[0x55, 0x1d, 24],
        Is(|element| {
            element.tag == tag::GENERALIZED_TIME && Timestamp::from_der(element).is_some()
        }),
    ),
    (&[0x55, 0x1d, 28], ISSUING_DISTRIBUTION_POINT),
    // Signed certificate timestamps, RFC 6962 section 3.3.
    (
        &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2],
        Contents(0x04, is_timestamp_list),
    ),
    // Netscape's certificate type and comment.
    (
        &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1],
        Contents(0x03, |contents| {
            is_bit_string(contents) && contents.len() == 2
        }),
    ),
    (
        &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 13],
        // By definition ASCII, in practice what somebody typed.
        Contents(tag::IA5_STRING, |contents| {
            std::str::from_utf8(contents).is_ok()
        }),
    ),
];

/// RFC 5280 section 4.2.1.1.
const AUTHORITY_KEY_IDENTIFIER: Shape = Fields(
    0x30,
    &[
        Optional(Contents(0x80, |_| true)),
        Optional(SomeOf(0xa1, &GENERAL_NAME)),
        Optional(Contents(0x82, is_integer)),
    ],
);

/// RFC 5280 section 4.2.1.4.
const POLICY_INFORMATION: Shape = Fields(
    0x30,
    &[
        Required(OBJECT_IDENTIFIER),
        Optional(SomeOf(0x30, &Is(is_policy_qualifier))),
    ],
);

fn is_policy_qualifier(element: Element<'_>) -> bool {
    const QUALIFIER: Shape = Fields(0x30, &[Required(OBJECT_IDENTIFIER), Required(Any)]);
    const CPS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 1];
    const USER_NOTICE_ID: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 2];
    let mut fields = Elements::of(element.contents).flatten();
    let (Some(kind), Some(value)) = (fields.next(), fields.next()) else {
        return false;
    };
    let has_form = match kind.contents {
        CPS => value.tag == tag::IA5_STRING,
        USER_NOTICE_ID => USER_NOTICE.matches(value),
        _ => true,
    };
    has_form && QUALIFIER.matches(element)
}

const USER_NOTICE: Shape = Fields(
    0x30,
    &[
        Optional(Fields(
            0x30,
            &[Required(STRING), Required(SomeOf(0x30, &INTEGER))],
        )),
        Optional(STRING),
    ],
);

/// RFC 5280 section 4.2.1.5.
const POLICY_MAPPINGS: Shape = SomeOf(
    0x30,
    &Fields(
        0x30,
        &[Required(OBJECT_IDENTIFIER), Required(OBJECT_IDENTIFIER)],
    ),
);

/// RFC 5280 section 4.2.1.10.
const NAME_CONSTRAINTS: Shape = Fields(
    0x30,
    &[
        Optional(SomeOf(0xa0, &GENERAL_SUBTREE)),
        Optional(SomeOf(0xa1, &GENERAL_SUBTREE)),
    ],
);

const GENERAL_SUBTREE: Shape = Fields(
    0x30,
    &[
        Required(GENERAL_NAME),
        Optional(Contents(0x80, is_count)),
        Optional(Contents(0x81, is_count)),
    ],
);

/// RFC 5280 section 4.2.1.11.
const POLICY_CONSTRAINTS: Shape = Fields(
    0x30,
    &[
        Optional(Contents(0x80, is_count)),
        Optional(Contents(0x81, is_count)),
    ],
);

/// RFC 5280 section 4.2.1.13.
const DISTRIBUTION_POINTS: Shape = SomeOf(
    0x30,
    &Fields(
        0x30,
        &[
            Optional(Fields(0xa0, &[Required(DISTRIBUTION_POINT_NAME)])),
            Optional(Contents(0x81, is_bit_string)),
            Optional(SomeOf(0xa2, &GENERAL_NAME)),
        ],
    ),
);

const DISTRIBUTION_POINT_NAME: Shape = OneOf(&[
    SomeOf(0xa0, &GENERAL_NAME),
    SomeOf(
        0xa1,
        &Fields(0x30, &[Required(OBJECT_IDENTIFIER), Required(Any)]),
    ),
]);

/// RFC 5280 section 4.2.2.1 and 4.2.2.2.
const ACCESS_DESCRIPTIONS: Shape = SomeOf(
    0x30,
    &Fields(0x30, &[Required(OBJECT_IDENTIFIER), Required(GENERAL_NAME)]),
);

/// RFC 5280 section 5.2.5.
const ISSUING_DISTRIBUTION_POINT: Shape = Fields(
    0x30,
    &[
        Optional(Fields(0xa0, &[Required(DISTRIBUTION_POINT_NAME)])),
        Optional(Contents(0x81, is_boolean)),
        Optional(Contents(0x82, is_boolean)),
        Optional(Contents(0x83, is_bit_string)),
        Optional(Contents(0x84, is_boolean)),
        Optional(Contents(0x85, is_boolean)),
    ],
);
