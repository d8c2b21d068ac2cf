//! The shapes of RFC 5280: of a certificate, and of the extensions whose kind is known.

use crate::der::{Element, Elements, tag};
use crate::name::DistinguishedName;
use crate::shape::Field::{Optional, Required};
use crate::shape::Shape::{self, Any, Fields, Is, OneOf, SomeOf};
use crate::shape::{BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, is_oid};

/// Certificate, RFC 5280 section 4.1.
pub(crate) const CERTIFICATE: Shape = Fields(
    0x30,
    &[
        Required(TBS_CERTIFICATE),
        Required(ALGORITHM_IDENTIFIER),
        Required(BIT_STRING),
    ],
);

const TBS_CERTIFICATE: Shape = Fields(
    0x30,
    &[
        Optional(Fields(0xa0, &[Required(VERSION)])),
        Required(INTEGER),
        Required(ALGORITHM_IDENTIFIER),
        Required(SEQUENCE),
        Required(Fields(0x30, &[Required(TIME), Required(TIME)])),
        Required(SEQUENCE),
        Required(Fields(
            0x30,
            &[Required(ALGORITHM_IDENTIFIER), Required(BIT_STRING)],
        )),
        Optional(Is(|element| element.tag == 0x81)),
        Optional(Is(|element| element.tag == 0x82)),
        Optional(Fields(0xa3, &[Required(SomeOf(0x30, &EXTENSION))])),
    ],
);

/// Version 2 or 3; version 1 is not written.
const VERSION: Shape = Is(|element| element.tag == 0x02 && matches!(element.contents, [1 | 2]));

/// Names are read in full by [`DistinguishedName`], which says what is wrong with them.
const SEQUENCE: Shape = Is(|element| element.tag == tag::SEQUENCE);

const ALGORITHM_IDENTIFIER: Shape = Fields(0x30, &[Required(OBJECT_IDENTIFIER), Optional(Any)]);

const EXTENSION: Shape = Fields(
    0x30,
    &[
        Required(OBJECT_IDENTIFIER),
        Optional(BOOLEAN),
        Required(OCTET_STRING),
    ],
);

/// RFC 5280 section 4.1.2.5: to the second, and in UTC.
const TIME: Shape = Is(|element| {
    let digits = match element.tag {
        tag::UTC_TIME => 12,
        tag::GENERALIZED_TIME => 14,
        _ => return false,
    };
    match element.contents.split_last() {
        Some((b'Z', time)) => time.len() == digits && time.iter().all(u8::is_ascii_digit),
        _ => false,
    }
});

const NAME: Shape = Is(|element| DistinguishedName::from_der(element.raw).is_ok());

/// GeneralName, RFC 5280 section 4.2.1.6. What is in the strings is asked elsewhere.
pub(crate) const GENERAL_NAME: Shape = OneOf(&[
    Fields(
        0xa0,
        &[
            Required(OBJECT_IDENTIFIER),
            Required(Fields(0xa0, &[Required(Any)])),
        ],
    ),
    Is(|element| matches!(element.tag, 0x81 | 0x82 | 0x86) && element.contents.is_ascii()),
    Is(|element| matches!(element.tag, 0x87 | 0xa3)),
    Fields(0xa4, &[Required(NAME)]),
    Fields(
        0xa5,
        &[
            Optional(Fields(0xa0, &[Required(STRING)])),
            Required(Fields(0xa1, &[Required(STRING)])),
        ],
    ),
    Is(|element| element.tag == 0x88 && is_oid(element.contents)),
]);

const GENERAL_NAMES: Shape = SomeOf(0x30, &GENERAL_NAME);

/// DirectoryString and DisplayText: any string type of theirs.
const STRING: Shape = Is(|element| {
    matches!(
        element.tag,
        tag::UTF8_STRING
            | tag::PRINTABLE_STRING
            | tag::TELETEX_STRING
            | tag::IA5_STRING
            | tag::VISIBLE_STRING
            | tag::UNIVERSAL_STRING
            | tag::BMP_STRING
    )
});

/// Whether the value of an extension has the shape of its kind; an unknown kind may have any.
pub(crate) fn has_shape(oid: &[u8], value: &[u8]) -> bool {
    let mut known = EXTENSIONS.iter().filter(|(kind, _)| *kind == oid);
    known
        .next()
        .is_none_or(|(_, shape)| shape.matches_der(value))
}

/// The extensions of RFC 5280 section 4.2, by the DER of their OBJECT IDENTIFIERs.
const EXTENSIONS: &[(&[u8], Shape)] = &[
    (&[0x55, 0x1d, 14], OCTET_STRING),
    (&[0x55, 0x1d, 15], BIT_STRING),
    (&[0x55, 0x1d, 17], GENERAL_NAMES),
    (&[0x55, 0x1d, 18], GENERAL_NAMES),
    (
        &[0x55, 0x1d, 19],
        Fields(0x30, &[Optional(BOOLEAN), Optional(INTEGER)]),
    ),
    (&[0x55, 0x1d, 31], DISTRIBUTION_POINTS),
    (&[0x55, 0x1d, 32], SomeOf(0x30, &POLICY_INFORMATION)),
    (
        &[0x55, 0x1d, 35],
        Fields(
            0x30,
            &[
                Optional(Is(|element| element.tag == 0x80)),
                Optional(SomeOf(0xa1, &GENERAL_NAME)),
                Optional(Is(|element| element.tag == 0x82)),
            ],
        ),
    ),
    (&[0x55, 0x1d, 37], SomeOf(0x30, &OBJECT_IDENTIFIER)),
    (&[0x55, 0x1d, 46], DISTRIBUTION_POINTS),
    (&[0x2b, 6, 1, 5, 5, 7, 1, 1], ACCESS_DESCRIPTIONS),
    (&[0x2b, 6, 1, 5, 5, 7, 1, 11], ACCESS_DESCRIPTIONS),
];

const ACCESS_DESCRIPTIONS: Shape = SomeOf(
    0x30,
    &Fields(0x30, &[Required(OBJECT_IDENTIFIER), Required(GENERAL_NAME)]),
);

/// RFC 5280 section 4.2.1.13.
const DISTRIBUTION_POINTS: Shape = SomeOf(
    0x30,
    &Fields(
        0x30,
        &[
            Optional(Fields(0xa0, &[Required(DISTRIBUTION_POINT_NAME)])),
            Optional(Is(|element| element.tag == 0x81)),
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
