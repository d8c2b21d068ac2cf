//! Every value that an extension has in the corpus, whole and with an element too many, under every kind of extension:
//! only the subjectAltName names anybody, and what it names is read by Python's cryptography as well.

use std::collections::BTreeSet;

use mtls_identity::certificate::PeerCertificate;

use crate::der::{self, Element, encode};
use crate::insertion::with_one_more;
use crate::vectors::CERTIFICATES;
use crate::{cryptography, parallel};

/// The DER of the OBJECT IDENTIFIERs of extensions in wide use, but for the subjectAltName: all below 2.5.29, two of
/// PKIX, the signed certificate timestamps, and Netscape's type and comment.
const KINDS: [&[u8]; 21] = [
    &[0x55, 0x1d, 14],
    &[0x55, 0x1d, 15],
    &[0x55, 0x1d, 18],
    &[0x55, 0x1d, 19],
    &[0x55, 0x1d, 20],
    &[0x55, 0x1d, 21],
    &[0x55, 0x1d, 24],
    &[0x55, 0x1d, 28],
    &[0x55, 0x1d, 30],
    &[0x55, 0x1d, 31],
    &[0x55, 0x1d, 32],
    &[0x55, 0x1d, 33],
    &[0x55, 0x1d, 35],
    &[0x55, 0x1d, 36],
    &[0x55, 0x1d, 37],
    &[0x55, 0x1d, 54],
    &[0x2b, 6, 1, 5, 5, 7, 1, 1],
    &[0x2b, 6, 1, 5, 5, 7, 1, 11],
    &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2],
    &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 1],
    &[0x60, 0x86, 0x48, 1, 0x86, 0xf8, 0x42, 1, 13],
];

/// Values at the edges of what a kind may have: numbers, enumerations, strings of bits and moments.
const EDGES: [&[u8]; 20] = [
    &[],
    &[0x30, 0],
    &[0x30, 3, 2, 1, 0xff],
    &[0x30, 7, 2, 5, 1, 0, 0, 0, 0],
    &[0x30, 3, 0x80, 1, 0xff],
    &[0x30, 7, 0x81, 5, 1, 0, 0, 0, 0],
    &[2, 0],
    &[2, 1, 0],
    &[2, 1, 0xff],
    &[2, 5, 0, 0xff, 0xff, 0xff, 0xff],
    &[2, 5, 1, 0, 0, 0, 0],
    &[0x0a, 1, 10],
    &[0x0a, 1, 11],
    &[0x0a, 2, 1, 0],
    &[3, 1, 0],
    &[3, 1, 1],
    &[3, 2, 7, 0x80],
    &[3, 2, 7, 0xff],
    b"\x18\x0f20240229235959Z",
    b"\x18\x0f20230229235959Z",
];

/// The DER of the OBJECT IDENTIFIER of the subjectAltName.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];

#[test]
fn an_extension_of_another_kind_names_nobody_whatever_it_holds() {
    let base = base();
    let values: Vec<Vec<u8>> = values().into_iter().collect();
    let read = parallel::map(&values, |value| {
        for kind in KINDS {
            let der = with_extension(base.der(), kind, value);
            let certificate = PeerCertificate::from_der(der).unwrap();
            assert_eq!(certificate.subject(), base.subject());
            assert_eq!(certificate.issuer(), base.issuer());
            assert_eq!(certificate.subject_alt_name(), base.subject_alt_name());
        }
    });
    assert!(read.len() > 500, "{}", read.len());
}

#[test]
fn a_subject_alt_name_is_read_as_cryptography_reads_it() {
    let base = base();
    let certificates: Vec<_> = values()
        .iter()
        .map(|value| with_extension(base.der(), SUBJECT_ALT_NAME, value))
        .map(|der| PeerCertificate::from_der(der).unwrap())
        .collect();
    let readings = cryptography::read(&certificates);
    let mut with_names = 0;
    for (ours, theirs) in certificates.iter().zip(readings) {
        let disagreement = theirs.and_then(|theirs| cryptography::disagreement(ours, &theirs));
        assert_eq!(disagreement, None, "{:02x?}", ours.der());
        with_names += usize::from(ours.subject_alt_name().is_ok());
    }
    assert!(with_names > 50, "{with_names}");
}

/// A short certificate of version 3.
const BASE: &str = "x509/ed25519/root-ed25519.pem";

fn base() -> PeerCertificate {
    let vector = CERTIFICATES.iter().find(|vector| vector.name == BASE);
    vector.unwrap().read().unwrap()
}

fn values() -> BTreeSet<Vec<u8>> {
    let certificates = CERTIFICATES.iter().filter_map(|vector| vector.read().ok());
    let mut values: BTreeSet<Vec<u8>> = certificates
        .flat_map(|certificate| extension_values(certificate.der()))
        .collect();
    let longer = values.iter().flat_map(|value| with_one_more(value));
    let longer: Vec<_> = longer.map(|(_, value)| value).collect();
    values.extend(longer);
    values.extend(EDGES.map(<[u8]>::to_vec));
    values
}

fn extension_values(certificate: &[u8]) -> Vec<Vec<u8>> {
    let tbs_certificate = elements(elements(certificate)[0].contents)[0];
    let last = elements(tbs_certificate.contents).pop().unwrap();
    if last.tag != 0xa3 {
        return Vec::new();
    }
    let extensions = elements(elements(last.contents)[0].contents);
    let values = extensions.into_iter().map(|extension| {
        let value = elements(extension.contents).pop().unwrap();
        value.contents.to_vec()
    });
    values.collect()
}

/// The certificate with this extension instead of its own.
fn with_extension(certificate: &[u8], kind: &[u8], value: &[u8]) -> Vec<u8> {
    let certificate = elements(elements(certificate)[0].contents);
    let [tbs_certificate, algorithm, signature] = certificate.as_slice() else {
        panic!("a certificate has three fields");
    };
    let extension = encode(0x30, &[encode(0x06, kind), encode(0x04, value)].concat());
    let extensions = encode(0xa3, &encode(0x30, &extension));
    let fields = elements(tbs_certificate.contents).into_iter();
    let fields = fields.filter(|field| field.tag != 0xa3);
    let fields: Vec<&[u8]> = fields.map(|field| field.raw).collect();
    let tbs_certificate = encode(0x30, &[fields.concat(), extensions].concat());
    encode(
        0x30,
        &[&tbs_certificate, algorithm.raw, signature.raw].concat(),
    )
}

fn elements(bytes: &[u8]) -> Vec<Element<'_>> {
    der::elements(bytes).unwrap()
}
