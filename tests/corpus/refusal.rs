//! What is refused is refused by name, and nothing else is.

use crate::inspect::inspect;
use crate::vectors::{CERTIFICATES, FILES, Vector};
use crate::{openssl, parallel, vectors};

/// Every certificate that is refused, and why.
const REFUSED: [(&str, &str); 9] = [
    // A time of the year 19020.
    ("x509/badasn1time.pem", "a validity that is not two times"),
    // What a log signs: a certificate without its signature.
    (
        "x509/cryptography-scts-tbs-precert.der",
        "not a certificate: DER tag 0xa0 where Sequence is expected",
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
        "x509/custom/invalid_version.pem",
        "a version other than 1, 2 and 3",
    ),
    (
        "x509/custom/long-form-name-attribute.pem",
        "no -----BEGIN CERTIFICATE----- in the PEM text",
    ),
];

/// Certificates that are read though OpenSSL cannot read one of their extensions: timestamps, policies, names of the
/// issuer, and two subjectAltNames with an entry of a kind that names nobody here.
const EXTENSIONS_UNREADABLE_TO_OPENSSL: [&str; 8] = [
    "x509/badssl-sct-anonymous-sig.der",
    "x509/badssl-sct-none-hash.der",
    "x509/custom/cp_invalid.pem",
    "x509/custom/cp_invalid2.der",
    "x509/custom/invalid-sct-length.der",
    "x509/custom/malformed-ian.pem",
    "x509/custom/malformed-san.pem",
    "x509/san_edipartyname.der",
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
fn an_extension_that_names_nobody_is_no_reason_to_refuse() {
    let unreadable = parallel::map(&CERTIFICATES, openssl::finds_an_unreadable_extension);
    let pairs = CERTIFICATES.iter().zip(unreadable);
    let accepted = pairs.filter(|(vector, unreadable)| *unreadable && vector.read().is_ok());
    let names: Vec<&str> = accepted.map(|(vector, _)| vector.name.as_str()).collect();
    assert_eq!(names, EXTENSIONS_UNREADABLE_TO_OPENSSL);
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
