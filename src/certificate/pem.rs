//! PEM text of one certificate, RFC 7468, plain or URL-encoded as Envoy hands it over.

use std::borrow::Cow;
use std::io::Cursor;

use percent_encoding::percent_decode;
use thiserror::Error;
use x509_parser::error::PEMError;
use x509_parser::pem::Pem;

use crate::encoding;

/// The label of a certificate (RFC 7468 section 5.1).
const LABEL: &str = "CERTIFICATE";

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
    /// No line that begins with `-----END`.
    #[error("no -----END CERTIFICATE----- in the PEM text")]
    NoEnd,
    /// Something behind the certificate: a second one, say.
    #[error("{0} bytes behind the certificate in the PEM text")]
    Trailing(usize),
    /// What stands between the lines is no base64 (RFC 4648 section 4).
    #[error("no base64 between the lines of the PEM text")]
    Base64,
}

impl From<PEMError> for PemError {
    fn from(error: PEMError) -> Self {
        match error {
            PEMError::MissingHeader | PEMError::InvalidHeader => Self::NoBegin,
            PEMError::IncompletePEM => Self::NoEnd,
            PEMError::Base64DecodeError | PEMError::IOError(_) => Self::Base64,
        }
    }
}

/// The DER in a PEM text with exactly one certificate. Text before it is passed over, as RFC 7468
/// section 2 allows; behind it only white space is. Lines may be of any length.
///
/// # Errors
/// [`PemError`] says what is wrong with the text.
pub fn decode(text: &[u8]) -> Result<Vec<u8>, PemError> {
    if text.len() > MAXIMUM {
        return Err(PemError::TooLong(text.len()));
    }
    let mut reader = Cursor::new(text);
    let (certificate, end) = loop {
        let (block, end) = Pem::read(&mut reader)?;
        if block.label == LABEL {
            break (block.contents, end);
        }
    };
    match text.get(end..).unwrap_or_default().trim_ascii() {
        [] => Ok(certificate),
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
        let key = encode(b"key").replace("CERTIFICATE", "PRIVATE KEY");
        let text = format!("{key}{}", encode(b"abc"));
        assert_eq!(decode(text.as_bytes()), Ok(b"abc".to_vec()));
    }

    #[test]
    fn lines_may_have_any_length_and_white_space_at_their_ends() {
        let der: Vec<u8> = (0..=255).collect();
        let base64 = encoding::base64(&der);
        for width in [1, 4, 76, 1000] {
            let lines: Vec<_> = base64.as_bytes().chunks(width).collect();
            let body = String::from_utf8(lines.join(&b" \r\n"[..])).unwrap();
            let text = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----");
            assert_eq!(decode(text.as_bytes()), Ok(der.clone()), "{width}");
        }
    }

    #[test]
    fn what_is_not_one_certificate_says_why() {
        let one = encode(b"abc");
        let two = format!("{one}{one}");
        for (text, expected) in [
            ("", PemError::NoBegin),
            ("-----BEGIN PRIVATE KEY-----", PemError::NoEnd),
            (&one.replace("CERTIFICATE", "CSR"), PemError::NoBegin),
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
