//! One more element at the end of every SEQUENCE, SET and extension: where OpenSSL does not know what to do with
//! it, the certificate is refused; where it is not, x509-parser reads the same.

use std::fs;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::certificate::der::{Element, Elements};

use crate::vectors::{CERTIFICATES, Form, Vector};
use crate::{openssl, parallel, x509_parser};

/// Between them they have every kind of extension that a client's certificate has.
const EXTENDED: [&str; 3] = [
    "x509/cryptography.io.pem",
    "x509/custom/all_key_usages.pem",
    "x509/custom/san_email_dns_ip_dirname_uri.pem",
];

/// NULL, in DER.
const ONE_MORE: [u8; 2] = [5, 0];

#[test]
fn an_element_too_many_is_refused_as_openssl_refuses_it() {
    let folder = tempfile::tempdir().unwrap();
    let originals = CERTIFICATES.iter();
    let originals = originals.filter(|vector| EXTENDED.contains(&vector.name.as_str()));
    let extended: Vec<Vector> = originals
        .flat_map(|vector| {
            let certificate = vector.read().unwrap();
            let ways = with_one_more(certificate.der());
            let extended = |(place, bytes): (String, Vec<u8>)| Vector {
                name: format!("{}{place}", vector.name),
                path: folder
                    .path()
                    .join(format!("{}{place}", vector.name).replace('/', "-")),
                bytes,
                form: Form::Der,
            };
            ways.into_iter().map(extended).collect::<Vec<_>>()
        })
        .collect();
    let accepted = parallel::map(&extended, |vector| {
        fs::write(&vector.path, &vector.bytes).unwrap();
        let is_accepted = vector.read().is_ok() && openssl::cannot_read(vector);
        is_accepted.then_some(vector.name.as_str())
    });
    let accepted: Vec<&str> = accepted.into_iter().flatten().collect();
    assert_eq!(accepted, [""; 0], "of {}", extended.len());
}

#[test]
fn a_certificate_with_an_element_too_many_is_none_or_read_by_x509_parser_as_well() {
    let disagreements = parallel::map(&CERTIFICATES, |vector| {
        let Ok(certificate) = vector.read() else {
            return Vec::new();
        };
        let ways = with_one_more(certificate.der()).into_iter();
        let read = ways.filter_map(|(place, der)| {
            let extended = PeerCertificate::from_der(der).ok()?;
            let disagreement = x509_parser::disagreement(&extended)?;
            Some(format!("{}{place}: {disagreement}", vector.name))
        });
        read.collect()
    });
    assert_eq!(disagreements.concat(), [""; 0]);
}

/// All the ways to put one more element somewhere into these, each with its place: the numbers of the elements
/// around it, from 0. None into what is no DER, as in a field of a type that nobody knows.
pub(crate) fn with_one_more(elements: &[u8]) -> Vec<(String, Vec<u8>)> {
    let read: Result<Vec<_>, _> = Elements::of(elements).collect();
    let mut ways = Vec::new();
    let mut before = 0;
    for (number, element) in read.unwrap_or_default().into_iter().enumerate() {
        let behind = before + element.raw.len();
        for (place, contents) in contents_with_one_more(element) {
            let changed = encode(element.tag, &contents);
            let bytes = [&elements[..before], &changed, &elements[behind..]].concat();
            ways.push((format!(" {number}{place}"), bytes));
        }
        before = behind;
    }
    ways
}

fn contents_with_one_more(element: Element<'_>) -> Vec<(String, Vec<u8>)> {
    let is_constructed = element.tag & 0x20 != 0;
    // The value of an extension is DER inside an OCTET STRING.
    let is_extension = element.tag == 0x04 && Element::only(element.contents).is_ok();
    let mut ways = Vec::new();
    if is_constructed || is_extension {
        ways.push((String::new(), [element.contents, &ONE_MORE].concat()));
        ways.extend(with_one_more(element.contents));
    }
    ways
}

pub(crate) fn encode(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [.., high, low] = contents.len().to_be_bytes();
    let length = match contents.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [vec![tag], length, contents.to_vec()].concat()
}
