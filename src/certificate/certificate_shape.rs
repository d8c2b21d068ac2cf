//! The shapes of RFC 5280 section 4.1: of a certificate, and of the names in it and in its extensions.

use crate::certificate::der::tag;
use crate::certificate::name::DistinguishedName;
use crate::certificate::object_identifier::is_oid;
use crate::certificate::shape::Field::{Optional, Required};
use crate::certificate::shape::Shape::{self, Any, Contents, Fields, Is, OneOf, SomeOf};
use crate::certificate::shape::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, is_bit_string,
};
use crate::certificate::timestamp::Timestamp;

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
        Optional(Contents(0x81, is_bit_string)),
        Optional(Contents(0x82, is_bit_string)),
        Optional(Fields(0xa3, &[Required(SomeOf(0x30, &EXTENSION))])),
    ],
);

/// Version 2 or 3; version 1 is not written.
const VERSION: Shape = Contents(0x02, |contents| matches!(contents, [1 | 2]));

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

const TIME: Shape = Is(|element| Timestamp::from_der(element).is_some());

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
    Contents(0x88, is_oid),
]);

pub(crate) const GENERAL_NAMES: Shape = SomeOf(0x30, &GENERAL_NAME);

/// DirectoryString and DisplayText: any string type of theirs.
pub(crate) const STRING: Shape = Is(|element| {
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
