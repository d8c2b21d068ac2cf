//! Certificates with generated names: every ASN.1 type of a string, every attribute type that has a short name and some that
//! have none, multi-valued RelativeDistinguishedNames, names of every kind, and a few that are broken.

use super::random::Random;
use super::text;
use crate::der::encode;

const OID: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const UNIVERSAL: u8 = 0x1c;
const BMP: u8 = 0x1e;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// How often something is broken on purpose: one attribute or one name of so many.
const BROKEN: usize = 1_000;

/// Types whose value is a string, by how often CAs use them.
const STRINGS: [u8; 10] = [
    UTF8, UTF8, UTF8, PRINTABLE, PRINTABLE, 0x16, 0x14, 0x12, BMP, UNIVERSAL,
];

/// Types of strings that hardly any CA uses: VisibleString, GeneralString, VideotexString, GraphicString. OpenSSL does not
/// read the first in a name.
const RARE_STRINGS: [u8; 4] = [0x1a, 0x1b, 0x15, 0x19];

/// Types whose value is none: BIT STRING, OCTET STRING, SEQUENCE, UTCTime, GeneralizedTime, INTEGER, NULL, BOOLEAN,
/// ENUMERATED and a context-specific one.
const OTHERS: [(u8, &[u8]); 10] = [
    (0x03, &[0, 0xa5]),
    (0x04, b"ab"),
    (SEQUENCE, &[0x0c, 1, b'x']),
    (0x17, b"260101000000Z"),
    (0x18, b"20260101000000Z"),
    (0x02, &[5]),
    (0x05, &[]),
    (0x01, &[0xff]),
    (0x0a, &[1]),
    (0x80, b"a"),
];

/// Arcs of attribute types in DER, and up to which number they are tried: X.520, PKCS #9, COSINE.
const ARCS: [(&[u8], usize); 3] = [
    (&[0x55, 4], 110),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9], 30),
    (&[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1], 60),
];

/// Whole types: those that OpenSSL has a short name for and Envoy has none, and UPN as an attribute.
const WHOLE: [&[u8]; 5] = [
    &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x3c, 2, 1, 3],
    &[0x2a, 0x85, 0x03, 0x64, 1],
    &[0x2a, 0x85, 0x03, 3, 0x81, 3, 1, 1],
    &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3],
    &[0x55, 0x1d, 0x11],
];

/// The common ones: CN, O, OU, C, serialNumber.
const COMMON: [u8; 5] = [3, 10, 11, 6, 5];

/// An EC key and a signature of its form; nobody verifies them.
const KEY: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
    0xce, 0x3d, 0x03, 0x01, 0x07,
];
const ALGORITHM: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

/// Makes one certificate after the other.
pub(crate) struct Generator {
    random: Random,
    page: u32,
}

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        // Each seed walks through Unicode from another place.
        let page = u32::try_from(seed % 8704).unwrap() * 1009;
        let random = Random::new(seed);
        Self { random, page }
    }

    /// The DER of a certificate.
    pub(crate) fn certificate(&mut self) -> Vec<u8> {
        let subject = self.name();
        let issuer = encode(
            SEQUENCE,
            &set(&[attribute(&[0x55, 4, 3], &encode(UTF8, b"CA"))]),
        );
        let validity = [
            encode(0x17, b"260101000000Z"),
            encode(0x17, b"360101000000Z"),
        ]
        .concat();
        let point = [&[0, 4][..], &[7; 64]].concat();
        let key = encode(SEQUENCE, &[KEY, &encode(0x03, &point)].concat());
        let mut fields = vec![
            encode(0xa0, &[2, 1, 2]),
            vec![2, 1, 7],
            ALGORITHM.to_vec(),
            issuer,
        ];
        fields.extend([encode(SEQUENCE, &validity), subject, key, self.extensions()]);
        let signature = encode(SEQUENCE, &[2, 1, 1, 2, 1, 1]);
        let signature = encode(0x03, &[&[0], &signature[..]].concat());
        let signed = encode(SEQUENCE, &fields.concat());
        encode(SEQUENCE, &[&signed, ALGORITHM, &signature].concat())
    }

    fn text(&mut self) -> String {
        text::any(&mut self.random, &mut self.page)
    }

    fn name(&mut self) -> Vec<u8> {
        let count = self.random.below(6);
        let relative: Vec<_> = (0..count).map(|_| self.relative()).collect();
        encode(SEQUENCE, &relative.concat())
    }

    fn relative(&mut self) -> Vec<u8> {
        let count = match self.random.below(4) {
            0 => 2 + self.random.below(2),
            _ => 1,
        };
        let mut attributes: Vec<_> = (0..count).map(|_| self.attribute()).collect();
        // X.690 section 11.6 has them in order, and some CAs have not.
        if !self.random.once_in(50) {
            attributes.sort();
        }
        if self.random.once_in(4 * BROKEN) {
            attributes.clear();
        }
        set(&attributes)
    }

    fn attribute(&mut self) -> Vec<u8> {
        let kind = self.kind();
        if self.random.once_in(BROKEN) {
            return self.broken_attribute(&kind);
        }
        let value = match self.random.below(50) {
            0 => {
                let (tag, contents) = self.random.of(&OTHERS);
                encode(tag, contents)
            }
            _ => self.string(),
        };
        attribute(&kind, &value)
    }

    fn broken_attribute(&mut self, kind: &[u8]) -> Vec<u8> {
        match self.random.below(7) {
            0 => attribute(kind, &encode(UTF8, &[0xc3])),
            1 => attribute(kind, &encode(BMP, &[0xd8, 0, b'a'])),
            2 => attribute(kind, &encode(BMP, &[0xd8, 0x3d, 0xde, 0])),
            3 => attribute(kind, &encode(UNIVERSAL, &[0, 0x11, 0, 0])),
            4 => encode(SEQUENCE, &encode(OID, kind)),
            5 => attribute(&[], &self.string()),
            _ => attribute(&[0x2a, 0x86], &self.string()),
        }
    }

    fn kind(&mut self) -> Vec<u8> {
        match self.random.below(10) {
            0..4 => vec![0x55, 4, self.random.of(&COMMON)],
            4..8 => {
                let (arc, most) = self.random.of(&ARCS);
                let number = self.random.below(most + 1);
                [arc, &[u8::try_from(number).unwrap()]].concat()
            }
            8 => self.random.of(&WHOLE).to_vec(),
            // Below 2.999, the arc of examples: numbers of up to five bytes.
            _ => {
                let long = (0..self.random.below(4)).map(|_| self.random.byte() | 0x81);
                let long: Vec<_> = long.collect();
                [&[0x88, 0x37][..], &long, &[self.random.byte() & 0x7f]].concat()
            }
        }
    }

    fn string(&mut self) -> Vec<u8> {
        let tag = match self.random.once_in(40) {
            true => self.random.of(&RARE_STRINGS),
            false => self.random.of(&STRINGS),
        };
        let text = self.text();
        let contents = match tag {
            UTF8 => text.into_bytes(),
            UNIVERSAL => text
                .chars()
                .flat_map(|it| u32::from(it).to_be_bytes())
                .collect(),
            BMP => {
                let units = text
                    .chars()
                    .filter_map(|it| u16::try_from(u32::from(it)).ok());
                units.flat_map(u16::to_be_bytes).collect()
            }
            PRINTABLE if !self.random.once_in(20) => printable(&text),
            // Latin-1, whatever the type allows.
            _ => text
                .chars()
                .filter_map(|it| u8::try_from(u32::from(it)).ok())
                .collect(),
        };
        encode(tag, &contents)
    }

    fn extensions(&mut self) -> Vec<u8> {
        if self.random.once_in(10) {
            return Vec::new();
        }
        let count = self.random.below(6);
        let names: Vec<_> = (0..count).map(|_| self.general_name()).collect();
        let names = encode(0x04, &encode(SEQUENCE, &names.concat()));
        let extension = encode(
            SEQUENCE,
            &[encode(OID, &[0x55, 0x1d, 0x11]), names].concat(),
        );
        encode(0xa3, &encode(SEQUENCE, &extension))
    }

    /// Every choice of GeneralName.
    fn general_name(&mut self) -> Vec<u8> {
        if self.random.once_in(BROKEN) {
            return self.broken_general_name();
        }
        match self.random.below(12) {
            0..2 => encode(0x81, text::ascii(&mut self.random).as_bytes()),
            2..4 => encode(0x82, text::ascii(&mut self.random).as_bytes()),
            4..7 => encode(0x86, text::ascii(&mut self.random).as_bytes()),
            7 => {
                let length = self.random.of(&[4, 16]);
                let bytes: Vec<_> = (0..length).map(|_| self.random.byte()).collect();
                encode(0x87, &bytes)
            }
            8 => encode(0xa4, &self.name()),
            9 => {
                let text = self.text();
                let upn = [0x2b, 6, 1, 4, 1, 0x82, 0x37, 0x14, 2, 3];
                other_name(&upn, &encode(UTF8, text.as_bytes()))
            }
            10 => {
                let kind = self.kind();
                let value = self.string();
                other_name(&kind, &value)
            }
            _ => encode(0x88, &self.kind()),
        }
    }

    fn broken_general_name(&mut self) -> Vec<u8> {
        let text = self.text();
        match self.random.below(6) {
            0 => encode(0x81, text.as_bytes()),
            1 => encode(0x82, "z\u{f6}e.example.com".as_bytes()),
            2 => encode(0x86, &[0xe9]),
            3 => encode(0x87, &[1; 8]),
            4 => encode(0xa0, text.as_bytes()),
            _ => encode(0x89, text.as_bytes()),
        }
    }
}

fn set(attributes: &[Vec<u8>]) -> Vec<u8> {
    encode(SET, &attributes.concat())
}

fn attribute(kind: &[u8], value: &[u8]) -> Vec<u8> {
    encode(SEQUENCE, &[&encode(OID, kind), value].concat())
}

fn other_name(kind: &[u8], value: &[u8]) -> Vec<u8> {
    encode(0xa0, &[encode(OID, kind), encode(0xa0, value)].concat())
}

/// PrintableString has these characters, and CAs also write `@`, `*`, `_` and `&`.
fn printable(text: &str) -> Vec<u8> {
    let is_printable =
        |byte: &u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?@*_&".contains(byte);
    text.bytes().filter(is_printable).collect()
}
