//! OpenSSL's own words on a certificate: the oracle.

use std::io::Write;
use std::process::{Command, Stdio};

/// What `openssl` prints, given a certificate in PEM.
pub(crate) fn ask(arguments: &[&str], certificate: &[u8]) -> String {
    let pem = mtls_identity::certificate::pem::encode(certificate);
    let output = pipe(arguments, pem.as_bytes());
    String::from_utf8(output).unwrap().trim_end().to_owned()
}

/// SHA-256 of the SubjectPublicKeyInfo in base64, as the pin of RFC 7469 is made by hand.
pub(crate) fn spki_sha256(certificate: &[u8]) -> String {
    let key = ask(&["x509", "-noout", "-pubkey"], certificate);
    let der = pipe(&["pkey", "-pubin", "-outform", "DER"], key.as_bytes());
    let digest = pipe(&["dgst", "-sha256", "-binary"], &der);
    data_encoding::BASE64.encode(&digest)
}

fn pipe(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("openssl is on PATH: install the package openssl");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}");
    output.stdout
}
