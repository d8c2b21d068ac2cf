//! Serial numbers of certificates (RFC 5280 section 4.1.2.2).

use std::fmt;

use crate::encoding::{bytes_of_written_hex, hex};

/// A serial number: a whole number of any size. RFC 5280 wants it positive, and some issuers do not care.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SerialNumber {
    is_negative: bool,
    /// Big-endian, without leading zeros but for the number 0.
    magnitude: Vec<u8>,
}

impl SerialNumber {
    /// Reads the contents of an INTEGER: two's complement, big-endian (X.690 section 8.3).
    pub(super) fn from_integer(contents: &[u8]) -> Self {
        let is_negative = contents.first().is_some_and(|byte| byte & 0x80 != 0);
        let mut magnitude = contents.to_vec();
        if is_negative {
            negate(&mut magnitude);
        }
        Self::new(is_negative, &magnitude)
    }

    fn new(is_negative: bool, mut magnitude: &[u8]) -> Self {
        while let [0, rest @ ..] = magnitude
            && !rest.is_empty()
        {
            magnitude = rest;
        }
        Self {
            is_negative: is_negative && magnitude != [0],
            magnitude: magnitude.to_vec(),
        }
    }

    /// The bytes of the number without its sign, big-endian.
    pub fn magnitude(&self) -> &[u8] {
        &self.magnitude
    }

    /// Hexadecimal with `0x` before it, which is nobody's decimal.
    pub fn unambiguous(&self) -> String {
        let sign = if self.is_negative { "-" } else { "" };
        format!("{sign}0x{}", hex(&self.magnitude))
    }

    /// The numbers that a text can mean; none if it is no number.
    ///
    /// Hexadecimal, as `mtls-identity inspect`, `openssl x509 -serial` and Envoy print it, with its sign. With `0x` before it or
    /// colons in it, it is nothing else. Without them, digits only could also be decimal, as `openssl x509 -text` prints
    /// numbers of up to 8 bytes, and Go and Python any: then both are meant.
    pub fn readings(text: &str) -> Vec<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let prefixed = ["0x", "0X"]
            .iter()
            .find_map(|prefix| digits.strip_prefix(prefix));
        let hexadecimal = of_hexadecimal(prefixed.unwrap_or(digits));
        let is_decimal = prefixed.is_none() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let decimal = (is_decimal && !digits.is_empty()).then(|| of_decimal(digits));
        let readings = hexadecimal.into_iter().chain(decimal);
        let mut readings: Vec<_> = readings
            .map(|bytes| Self::new(is_negative, &bytes))
            .collect();
        readings.dedup();
        readings
    }
}

/// The bytes of hexadecimal digits, with colons between bytes or none; none if there is no digit.
fn of_hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let even = match digits.len() % 2 == 1 && !digits.contains(':') {
        true => format!("0{digits}"),
        false => digits.to_owned(),
    };
    bytes_of_written_hex(&even).filter(|bytes| !bytes.is_empty())
}

/// The bytes of decimal digits, big-endian.
fn of_decimal(digits: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for digit in digits.bytes() {
        let mut carry = u16::from(digit.saturating_sub(b'0'));
        for byte in bytes.iter_mut().rev() {
            let sum = u16::from(*byte) * 10 + carry;
            let [high, low] = sum.to_be_bytes();
            *byte = low;
            carry = u16::from(high);
        }
        if let Ok(carry @ 1..) = u8::try_from(carry) {
            bytes.insert(0, carry);
        }
    }
    bytes
}

/// The magnitude of a negative number in two's complement.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes.iter_mut().rev() {
        let (next, overflows) = (!*byte).overflowing_add(u8::from(carry));
        *byte = next;
        carry = overflows;
    }
}

/// Hexadecimal in whole bytes, with a `-` before a negative number.
impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        write!(f, "{sign}{}", hex(&self.magnitude))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_their_sign() {
        for (contents, expected) in [
            (&[0][..], "00"),
            (&[0x0a, 0xbc], "0abc"),
            (&[0, 0xff], "ff"),
            (&[0xff], "-01"),
            (&[0x80], "-80"),
            (&[0xff, 0x7f], "-81"),
            (&[0xff, 0], "-0100"),
            (&[0, 0, 1], "01"),
        ] {
            let number = SerialNumber::from_integer(contents);
            assert_eq!(number.to_string(), expected);
            assert!(
                SerialNumber::readings(expected).contains(&number),
                "{expected}"
            );
        }
    }

    #[test]
    fn a_text_means_every_number_that_it_could_be_printed_for() {
        let readings = |text: &str| -> Vec<String> {
            SerialNumber::readings(text)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        for (text, expected) in [
            ("0abc", &["0abc"][..]),
            ("ABC", &["0abc"]),
            ("16", &["16", "10"]),
            (
                "1234605616436508552",
                &["01234605616436508552", "1122334455667788"],
            ),
            ("7", &["07"]),
            ("0x16", &["16"]),
            ("0X16", &["16"]),
            ("00:16", &["16"]),
            ("-16", &["-16", "-10"]),
            ("-0x10", &["-10"]),
            (
                "99999999999999999999",
                &["99999999999999999999", "056bc75e2d630fffff"],
            ),
            ("", &[]),
            ("-", &[]),
            ("0x", &[]),
            ("xyz", &[]),
            ("1:2", &[]),
            ("+1", &[]),
        ] {
            assert_eq!(readings(text), expected, "{text}");
        }
    }
}
