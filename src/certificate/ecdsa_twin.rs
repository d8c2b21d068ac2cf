//! The twins of a certificate: the same certificate with another signature that is as valid.
//!
//! Whoever has an ECDSA signature (r, s) can make the signature (r, n − s) of it, without any key: n is the order of the
//! curve. So whoever has a certificate can make one with another SHA-256 that every TLS stack admits. The certificate
//! does not say on which curve its issuer signs, so a twin is made for each curve whose order is above r and s.

use sha2::{Digest, Sha256};
use x509_parser::asn1_rs::{Any, Tag, ToDer};

use super::element::Element;

/// The contents of the OBJECT IDENTIFIER 1.2.840.10045.4, with which those of all ECDSA signatures begin (RFC 5758
/// section 3.2).
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// The bytes of a number of P-521.
const SIZE: usize = 66;

/// A whole number, big-endian.
type Number = [u8; SIZE];

/// The orders of P-224, P-256, P-384 and P-521 (SP 800-186 section 3.2.1), from the smallest on.
const ORDERS: [&str; 4] = [
    "ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
     fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
];

/// The SHA-256 of each twin of a certificate, and of its canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Twins {
    /// The SHA-256 of each twin; none for a certificate that is not signed with ECDSA.
    pub digests: Vec<[u8; 32]>,
    /// The SHA-256 of whichever has the smaller s: the certificate or its twin for the smallest order. Both have the same.
    /// None for a certificate that is not signed with ECDSA.
    pub canonical: Option<[u8; 32]>,
}

impl Twins {
    /// The twins of the certificate with this DER.
    pub(super) fn of(der: &[u8]) -> Self {
        let Some(signed) = Signed::read(der) else {
            return Self::default();
        };
        let orders = ORDERS.iter().map(|order| number_of_hex(order));
        let twins = orders.filter_map(|order| {
            let is_above = signed.r < order && signed.s < order;
            is_above.then(|| difference(&order, &signed.s))
        });
        let twins: Vec<_> = twins.map(|s| (s, signed.digest(&s))).collect();
        let canonical = twins.first().map(|(s, twin)| match *s < signed.s {
            true => *twin,
            false => Sha256::digest(der).into(),
        });
        Self {
            digests: twins.into_iter().map(|(_, digest)| digest).collect(),
            canonical,
        }
    }
}

/// A certificate taken apart at its ECDSA signature.
struct Signed<'a> {
    /// The TBSCertificate and the algorithm.
    signed: &'a [u8],
    r: Number,
    s: Number,
}

impl<'a> Signed<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let certificate = Element::only(der).ok()?;
        let contents = certificate.contents();
        let mut fields = certificate.children();
        let _tbs_certificate = fields.require(Tag::Sequence).ok()?;
        let algorithm = fields.require(Tag::Sequence).ok()?;
        let signature = fields.require(Tag::BitString).ok()?;
        let algorithm = algorithm.children().require(Tag::Oid).ok()?;
        if !algorithm.contents().starts_with(ECDSA) {
            return None;
        }
        // ECDSA-Sig-Value (RFC 3279 section 2.2.3), behind the number of unused bits.
        let value = signature.contents().strip_prefix(&[0])?;
        let mut numbers = Element::only(value)
            .ok()?
            .of_type(Tag::Sequence)
            .ok()?
            .children();
        let r = number(numbers.require(Tag::Integer).ok()?.contents())?;
        let s = number(numbers.require(Tag::Integer).ok()?.contents())?;
        let signed = contents.get(..contents.len().checked_sub(signature.raw.len())?)?;
        Some(Self { signed, r, s })
    }

    /// The SHA-256 of the certificate with another s.
    fn digest(&self, s: &Number) -> [u8; 32] {
        let numbers = [integer(&self.r), integer(s)].concat();
        let value = [&[0][..], &element(Tag::Sequence, &numbers)].concat();
        let contents = [self.signed, &element(Tag::BitString, &value)].concat();
        Sha256::digest(element(Tag::Sequence, &contents)).into()
    }
}

/// The number in the contents of a positive INTEGER.
fn number(contents: &[u8]) -> Option<Number> {
    let digits = match contents {
        [0, digits @ ..] => digits,
        [] | [0x80..=0xff, ..] => return None,
        digits => digits,
    };
    padded(digits)
}

fn padded(digits: &[u8]) -> Option<Number> {
    let mut number = [0; SIZE];
    let start = SIZE.checked_sub(digits.len())?;
    number.get_mut(start..)?.copy_from_slice(digits);
    Some(number)
}

fn number_of_hex(digits: &str) -> Number {
    let bytes = crate::encoding::bytes_of_hex(digits.as_bytes());
    bytes.and_then(|bytes| padded(&bytes)).unwrap_or([0; SIZE])
}

/// `one - other`, for an `other` that is not above `one`.
fn difference(one: &Number, other: &Number) -> Number {
    let mut result = *one;
    let mut borrow = false;
    for (digit, other) in result.iter_mut().zip(other).rev() {
        let (next, first) = digit.overflowing_sub(*other);
        let (next, second) = next.overflowing_sub(u8::from(borrow));
        *digit = next;
        borrow = first || second;
    }
    result
}

/// The DER of a positive INTEGER.
fn integer(number: &Number) -> Vec<u8> {
    let start = number.iter().position(|&byte| byte != 0);
    let digits = number.get(start.unwrap_or(SIZE - 1)..).unwrap_or_default();
    let sign: &[u8] = match digits {
        [0x80..=0xff, ..] => &[0],
        _ => &[],
    };
    element(Tag::Integer, &[sign, digits].concat())
}

/// The DER of an element. Nothing in memory fails to be written; if it did, no twin would be found.
fn element(tag: Tag, contents: &[u8]) -> Vec<u8> {
    let element = Any::from_tag_and_data(tag, contents);
    element.to_der_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate as far as this file reads it: any contents, an algorithm, and a signature.
    fn certificate(algorithm: &[u8], r: &Number, s: &Number) -> Vec<u8> {
        let signature = element(Tag::Sequence, &[integer(r), integer(s)].concat());
        let contents = [
            element(Tag::Sequence, b"\x02\x01\x01"),
            element(Tag::Sequence, &element(Tag::Oid, algorithm)),
            element(Tag::BitString, &[&[0], &signature[..]].concat()),
        ];
        element(Tag::Sequence, &contents.concat())
    }

    const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

    #[test]
    fn a_certificate_and_its_twin_know_each_other_and_have_one_canonical_form() {
        for order in ORDERS.map(number_of_hex) {
            let (mut r, mut s) = (order, order);
            let first = order.iter().position(|&byte| byte != 0).unwrap();
            r[first] -= 1;
            s[first] -= 1;
            s[60] = s[60].wrapping_add(3);
            let twin = certificate(ECDSA_WITH_SHA256, &r, &difference(&order, &s));
            let first = certificate(ECDSA_WITH_SHA256, &r, &s);
            for (one, other) in [(&first, &twin), (&twin, &first)] {
                let digest: [u8; 32] = Sha256::digest(other).into();
                assert!(Twins::of(one).digests.contains(&digest));
            }
            let canonical = Twins::of(&first).canonical;
            assert!(canonical.is_some());
            assert_eq!(canonical, Twins::of(&twin).canonical);
        }
    }

    #[test]
    fn what_is_not_signed_with_ecdsa_has_no_twin() {
        let rsa = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
        let (r, s) = (number_of_hex("05"), number_of_hex("07"));
        assert_eq!(Twins::of(&certificate(&rsa, &r, &s)), Twins::default());
        assert_eq!(Twins::of(b""), Twins::default());
        let four = Twins::of(&certificate(ECDSA_WITH_SHA256, &r, &s));
        assert_eq!(four.digests.len(), ORDERS.len());
    }

    #[test]
    fn numbers_are_written_in_their_shortest_form() {
        for (digits, expected) in [
            ("00", &[2, 1, 0][..]),
            ("7f", &[2, 1, 0x7f]),
            ("80", &[2, 2, 0, 0x80]),
            ("0100", &[2, 2, 1, 0]),
        ] {
            assert_eq!(integer(&number_of_hex(digits)), expected);
        }
        assert_eq!(element(Tag::OctetString, &[0; 200])[..3], [4, 0x81, 200]);
        assert_eq!(element(Tag::OctetString, &[0; 300])[..4], [4, 0x82, 1, 44]);
    }
}
