//! PEM text of one certificate, RFC 7468, plain or URL-encoded as Envoy hands it over.

use percent_encoding::percent_decode;
use std::borrow::Cow;
use thiserror::Error;

use crate::encoding;

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

/// The longest PEM text that is read: 16 KiB of DER, every byte of its base64 percent-encoded.
const MAXIMUM: usize = 72 * 1024;

/// Why text is not the PEM of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PemError {
    /// Longer than any certificate that is read.
    #[error("PEM text of {0} bytes, more than a certificate of 16 KiB can need")]
    TooLong(usize),
    /// No `-----BEGIN CERTIFICATE-----`.
    #[error("no -----BEGIN CERTIFICATE----- in the PEM text")]
    NoBegin,
    /// No `-----END CERTIFICATE-----`.
    #[error("no -----END CERTIFICATE----- in the PEM text")]
    NoEnd,
    /// Something behind the certificate: a second one, say.
    #[error("{0} bytes behind the certificate in the PEM text")]
    Trailing(usize),
    /// What stands between the lines is no base64 (RFC 4648 section 4).
    #[error("no base64 between the lines of the PEM text")]
    Base64,
}

/// The DER in a PEM text with exactly one certificate. Text before it is passed over, as RFC 7468
/// section 2 allows; behind it only white space is.
///
/// # Errors
/// [`PemError`] says what is wrong with the text.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, PemError> {
    if text.len() > MAXIMUM {
        return Err(PemError::TooLong(text.len()));
    }
    let (_, body) = split(text, BEGIN).ok_or(PemError::NoBegin)?;
    let (base64, behind) = split(body, END).ok_or(PemError::NoEnd)?;
    match behind.trim_ascii() {
        [] => decode_lines(base64).ok_or(PemError::Base64),
        trailing => Err(PemError::Trailing(trailing.len())),
    }
}

/// As [`decode`], for text that may be URL-encoded as a whole (RFC 3986 section 2.1).
///
/// # Errors
/// [`PemError`] says what is wrong with the text.
pub fn decode_url_encoded(text: &[u8]) -> Result<Vec<u8>, PemError> {
    if text.len() > MAXIMUM {
        return Err(PemError::TooLong(text.len()));
    }
    let decoded: Cow<'_, [u8]> = percent_decode(text).into();
    decode(&decoded)
}

/// The PEM text of a certificate, in lines of 64 characters, with a line feed at the end.
pub fn encode(der: &[u8]) -> String {
    let base64 = encoding::base64(der);
    let lines = base64.as_bytes().chunks(64);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in lines {
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

/// What stands before and behind the first `separator`.
fn split<'a>(text: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let place = text
        .windows(separator.len())
        .position(|window| window == separator)?;
    let (before, rest) = text.split_at_checked(place)?;
    Some((before, rest.get(separator.len()..)?))
}

/// Base64 with line ends passed over.
fn decode_lines(text: &[u8]) -> Option<Vec<u8>> {
    let is_character = |byte: &u8| !matches!(byte, b'\r' | b'\n');
    let base64: Vec<u8> = text.iter().copied().filter(is_character).collect();
    encoding::bytes_of_base64(&base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der: Vec<u8> = (0..length).map(|number| number as u8).collect();
            let text = encode(&der);
            assert_eq!(decode(text.as_bytes()), Ok(der.clone()));
            let escaped = text.replace('+', "%2B").replace('\n', "%0A");
            assert_eq!(decode_url_encoded(escaped.as_bytes()), Ok(der.clone()));
            assert_eq!(decode_url_encoded(text.as_bytes()), Ok(der));
        }
    }

    #[test]
    fn text_before_the_certificate_is_passed_over() {
        let text = format!("subject=CN = a\r\n{}", encode(b"abc").replace('\n', "\r\n"));
        assert_eq!(decode(text.as_bytes()), Ok(b"abc".to_vec()));
    }

    #[test]
    fn what_is_not_one_certificate_says_why() {
        let one = encode(b"abc");
        let two = format!("{one}{one}");
        for (text, expected) in [
            ("", PemError::NoBegin),
            ("-----BEGIN PRIVATE KEY-----", PemError::NoBegin),
            ("-----BEGIN CERTIFICATE-----\nYWJj\n", PemError::NoEnd),
            (&two, PemError::Trailing(one.trim_end().len())),
            (&one.replace("YWJj", "YW Jj"), PemError::Base64),
            (&one.replace("YWJj", "YWJ"), PemError::Base64),
            (&one.replace("YWJj", "YWJjZB=="), PemError::Base64),
            (&"-".repeat(MAXIMUM + 1), PemError::TooLong(MAXIMUM + 1)),
        ] {
            assert_eq!(decode(text.as_bytes()), Err(expected));
        }
    }
}
