//! What is refused is refused by name, and nothing else is.

use crate::inspect::inspect;
use crate::vectors::{CERTIFICATES, FILES, Vector};
use crate::{openssl, parallel, vectors};

/// Every certificate that is refused, and why.
const REFUSED: [(&str, &str); 21] = [
    (
        "pkcs7/non-ascii-san.pem",
        "subjectAltName: a subjectAltName entry [1] that is not ASCII",
    ),
    // A time of the year 19020.
    (
        "x509/badasn1time.pem",
        "not a certificate of RFC 5280 section 4.1",
    ),
    // What a log signs: a certificate without its signature.
    (
        "x509/cryptography-scts-tbs-precert.der",
        "not a certificate of RFC 5280 section 4.1",
    ),
    (
        "x509/cryptography.io.chain.pem",
        "1496 bytes behind the certificate in the PEM text",
    ),
    (
        "x509/cryptography.io.chain_with_garbage.pem",
        "1646 bytes behind the certificate in the PEM text",
    ),
    // RFC 7468 section 5.1 has the one label; that of old files is never Envoy's.
    (
        "x509/cryptography.io.old_header.pem",
        "no -----BEGIN CERTIFICATE----- in the PEM text",
    ),
    (
        "x509/cryptography.io.with_garbage.pem",
        "115 bytes behind the certificate in the PEM text",
    ),
    (
        "x509/cryptography.io.with_headers.pem",
        "1765 bytes behind the certificate in the PEM text",
    ),
    (
        "x509/custom/cp_invalid.pem",
        "the extension 2.5.29.32 does not have the form of its kind",
    ),
    (
        "x509/custom/cp_invalid2.der",
        "the extension 2.5.29.32 does not have the form of its kind",
    ),
    // RFC 5280 section 4.2.1.12 wants one purpose at least.
    (
        "x509/custom/empty-eku.pem",
        "the extension 2.5.29.37 does not have the form of its kind",
    ),
    (
        "x509/custom/inhibit_any_policy_negative.pem",
        "the extension 2.5.29.54 does not have the form of its kind",
    ),
    (
        "x509/custom/invalid-sct-length.der",
        "the extension 1.3.6.1.4.1.11129.2.4.2 does not have the form of its kind",
    ),
    (
        "x509/custom/invalid_utf8_common_name.pem",
        "subject: a string of ASN.1 type 0x0c whose bytes are not of that type",
    ),
    (
        "x509/custom/invalid_version.pem",
        "not a certificate of RFC 5280 section 4.1",
    ),
    (
        "x509/custom/long-form-name-attribute.pem",
        "no -----BEGIN CERTIFICATE----- in the PEM text",
    ),
    (
        "x509/custom/malformed-ian.pem",
        "the extension 2.5.29.18 does not have the form of its kind",
    ),
    (
        "x509/custom/malformed-san.pem",
        "subjectAltName: a subjectAltName entry [0] that does not have its form",
    ),
    (
        "x509/custom/two_basic_constraints.pem",
        "the extension 2.5.29.19 is there twice",
    ),
    (
        "x509/san_edipartyname.der",
        "subjectAltName: a subjectAltName entry [5] that does not have its form",
    ),
    (
        "x509/utf8-dnsname.pem",
        "subjectAltName: a subjectAltName entry [2] that is not ASCII",
    ),
];

/// OpenSSL reads the list of signed certificate timestamps down to the names of algorithms, which only concern
/// who verifies them. RFC 6962 section 3.2 leaves room for others.
const TIMESTAMPS_OF_UNKNOWN_ALGORITHMS: [&str; 2] = [
    "x509/badssl-sct-anonymous-sig.der",
    "x509/badssl-sct-none-hash.der",
];

#[test]
fn what_is_refused_says_why() {
    let refusals = CERTIFICATES.iter().filter_map(|vector| {
        let error = vector.read().err()?;
        Some((vector.name.as_str(), error.to_string()))
    });
    let expected = REFUSED.map(|(name, reason)| (name, reason.to_owned()));
    assert_eq!(refusals.collect::<Vec<_>>(), expected);
}

#[test]
fn inspect_refuses_in_the_same_words() {
    // What stands around a certificate in PEM text is no matter to the command, which takes the first of a file.
    let is_refused = |reason: &str| !reason.contains("in the PEM text");
    for vector in CERTIFICATES.iter() {
        let refused = REFUSED.iter().find(|(name, _)| *name == vector.name);
        if let Some((_, reason)) = refused.filter(|(_, reason)| is_refused(reason)) {
            assert_eq!(inspect(vector), Err((*reason).to_owned()));
        }
    }
}

#[test]
fn an_extension_that_openssl_cannot_read_is_refused() {
    let unreadable = parallel::map(&CERTIFICATES, openssl::finds_an_unreadable_extension);
    let pairs = CERTIFICATES.iter().zip(unreadable);
    let accepted = pairs.filter(|(vector, unreadable)| *unreadable && vector.read().is_ok());
    let names: Vec<&str> = accepted.map(|(vector, _)| vector.name.as_str()).collect();
    assert_eq!(names, TIMESTAMPS_OF_UNKNOWN_ALGORITHMS);
}

/// Keys, requests, lists, responses, archives: whatever it is, it is read as a certificate.
#[test]
fn what_is_no_certificate_at_all_is_refused() {
    let is_certificate = |vector: &Vector| CERTIFICATES.iter().any(|it| it.path == vector.path);
    let accepted = parallel::map(&FILES, |path| {
        let vectors = vectors::as_anything(path);
        let accepted = vectors.filter(|vector| vector.read().is_ok());
        accepted.filter(|vector| !is_certificate(vector)).count()
    });
    assert_eq!(accepted.iter().sum::<usize>(), 0);
}
