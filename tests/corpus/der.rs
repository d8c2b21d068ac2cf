//! DER taken apart by asn1-rs and put together again, for tests that change certificates.

use x509_parser::asn1_rs::{Any, FromDer};

/// One element: its first byte, its contents, and all of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// The elements that these bytes are, one after the other; none if they are no DER.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<Element<'_>>> {
    let mut elements = Vec::new();
    let mut rest = bytes;
    while let Some(&tag) = rest.first() {
        let (behind, any) = Any::from_der(rest).ok()?;
        let raw = &rest[..rest.len() - behind.len()];
        let contents = any.data;
        elements.push(Element { tag, contents, raw });
        rest = behind;
    }
    Some(elements)
}

/// An element of at most 65,535 bytes.
pub(crate) fn encode(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, low] = contents.len().to_be_bytes();
    let length = match contents.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [vec![tag], length, contents.to_vec()].concat()
}
