//! What a file is when it is no certificate.

use x509_parser::asn1_rs::{Any, FromDer};

/// What bytes in DER are, as far as their outermost elements tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Certificate,
    Request,
    PrivateKey,
    PublicKey,
    Pkcs7,
    Pkcs12,
    Other,
}

impl Kind {
    /// Looks at DER.
    pub(super) fn of_der(der: &[u8]) -> Self {
        known(der).unwrap_or(Self::Other)
    }

    /// By the label of a PEM block (RFC 7468).
    pub(super) fn of_label(label: &str) -> Self {
        match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Request,
            "PUBLIC KEY" => Self::PublicKey,
            "PKCS7" | "CMS" => Self::Pkcs7,
            label if label.ends_with("PRIVATE KEY") => Self::PrivateKey,
            _ => Self::Other,
        }
    }

    /// What it is, and how a certificate is had from it. `file` stands for the file in commands.
    pub(super) fn description(self, file: &str) -> String {
        match self {
            Self::Certificate => "a certificate".to_owned(),
            Self::Request => {
                "a certificate request (CSR): a CA makes the certificate from it".to_owned()
            }
            Self::PrivateKey => "a private key: give the certificate that belongs to it".to_owned(),
            Self::PublicKey => "a public key: give the certificate that belongs to it".to_owned(),
            Self::Pkcs7 => format!("PKCS#7: openssl pkcs7 -in {file} -print_certs"),
            Self::Pkcs12 => format!("PKCS#12: openssl pkcs12 -in {file} -nokeys"),
            Self::Other => "something else".to_owned(),
        }
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const EXPLICIT_0: u8 = 0xa0;

/// signedData of RFC 2315.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

fn known(der: &[u8]) -> Option<Kind> {
    let (SEQUENCE, content, _) = element(der)? else {
        return None;
    };
    let (tag, first, rest) = element(content)?;
    let second = element(rest);
    match (tag, second) {
        (OBJECT_IDENTIFIER, _) if first == SIGNED_DATA => Some(Kind::Pkcs7),
        (INTEGER, Some((SEQUENCE, inner, _)))
            if first == [3] && begins_with(inner, OBJECT_IDENTIFIER) =>
        {
            Some(Kind::Pkcs12)
        }
        (INTEGER, Some((SEQUENCE | INTEGER | OCTET_STRING, ..))) => Some(Kind::PrivateKey),
        (SEQUENCE, Some((SEQUENCE, ..))) => to_be_signed(first),
        (SEQUENCE, Some(_)) => Some(Kind::PublicKey),
        _ => None,
    }
}

/// Of two structures that are signed. A request has a name behind its version (RFC 2986 section 4), a certificate an
/// algorithm behind its serial number (RFC 5280 section 4.1).
fn to_be_signed(content: &[u8]) -> Option<Kind> {
    match element(content)? {
        (EXPLICIT_0, ..) => Some(Kind::Certificate),
        (INTEGER, _, rest) => match element(rest)? {
            (SEQUENCE, name, _) if name.is_empty() || begins_with(name, SET) => Some(Kind::Request),
            (SEQUENCE, ..) => Some(Kind::Certificate),
            _ => None,
        },
        _ => None,
    }
}

fn begins_with(content: &[u8], tag: u8) -> bool {
    content.first() == Some(&tag)
}

/// The first element: its first byte, its contents, what is behind it (X.690 section 8.1).
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (behind, any) = Any::from_der(bytes).ok()?;
    Some((*bytes.first()?, any.data, behind))
}
