//! What `openssl x509` says of a certificate, brought into the form of [`Report`]: the oracle.

use std::net::IpAddr;
use std::process::{Command, Output};

use data_encoding::BASE64;
use mtls_identity::certificate::SpiffeId;
use sha2::{Digest, Sha256};

use crate::distinguished_name::{as_envoy_writes_it, common_names};
use crate::inspect::{Report, SubjectAltNames};
use crate::vectors::Vector;

/// What OpenSSL says, in the words of `inspect`; none when it cannot read the file. A key that OpenSSL cannot
/// print leaves `spki_sha256` empty.
pub(crate) fn report(vector: &Vector) -> Option<Report> {
    const FIELDS: &str = "-subject -issuer -serial -dates -dateopt iso_8601 -fingerprint -sha256 \
        -nameopt RFC2253 -ext subjectAltName";
    let with_key = x509(vector, &format!("{FIELDS} -pubkey"));
    let text = with_key.or_else(|| x509(vector, FIELDS))?;
    let (san, unreadable) = subject_alt_names(&text);
    Some(Report {
        subject: Some(name(vector, &text, "subject")),
        issuer: Some(name(vector, &text, "issuer")),
        serial: serial(value(&text, "serial")),
        not_before: value(&text, "notBefore").replace(' ', "T"),
        not_after: value(&text, "notAfter").replace(' ', "T"),
        cn: common_names(value(&text, "subject")),
        sha256: value(&text, "sha256 Fingerprint")
            .replace(':', "")
            .to_lowercase(),
        spki_sha256: sha256_of_key(&text).unwrap_or_default(),
        spiffe: spiffe(&san),
        san,
        unreadable,
        ..Report::default()
    })
}

/// Whether OpenSSL finds an extension that is not of the form of its kind.
pub(crate) fn finds_an_unreadable_extension(vector: &Vector) -> bool {
    let text = x509(vector, "-text -certopt ext_error");
    text.is_some_and(|text| text.contains("<Parse Error>"))
}

fn x509(vector: &Vector, arguments: &str) -> Option<String> {
    let output = openssl(vector, arguments);
    let text = || String::from_utf8(output.stdout).expect("OpenSSL prints ASCII with RFC2253");
    output.status.success().then(text)
}

fn openssl(vector: &Vector, arguments: &str) -> Output {
    Command::new("openssl")
        .args(["x509", "-noout", "-inform", vector.form.as_str(), "-in"])
        .arg(&vector.path)
        .args(arguments.split_whitespace())
        .output()
        .expect("openssl is on PATH: install the package openssl")
}

fn value<'a>(fields: &'a str, name: &str) -> &'a str {
    let named = |line: &'a str| line.strip_prefix(name)?.strip_prefix('=');
    let value = fields.lines().find_map(named);
    value.unwrap_or_else(|| panic!("OpenSSL prints no {name}: {fields}"))
}

fn name(vector: &Vector, text: &str, field: &str) -> String {
    let text = value(text, field);
    as_envoy_writes_it(text, || {
        let dump = format!("-{field} -nameopt RFC2253,oid,dump_all");
        let dump = x509(vector, &dump).unwrap();
        value(&dump, field).to_owned()
    })
}

/// In lower case, with its sign.
fn serial(text: &str) -> String {
    text.to_lowercase()
}

/// The entries that OpenSSL lists on one line with a comma and a space between them, and what it cannot read, which it
/// shows as bytes.
fn subject_alt_names(text: &str) -> (SubjectAltNames, Vec<String>) {
    let mut names = SubjectAltNames::default();
    let mut unreadable = Vec::new();
    let Some((_, entries)) = text.split_once("X509v3 Subject Alternative Name:") else {
        return (names, unreadable);
    };
    let mut lines = entries.lines().skip(1);
    for entry in lines.next().unwrap().trim().split(", ") {
        match entry.split_once(':') {
            Some(("DNS", name)) => names.dns.push(name.to_owned()),
            Some(("email", name)) => names.email.push(name.to_owned()),
            Some(("URI", name)) => names.uri.push(name.to_owned()),
            Some(("IP Address", address)) => names.ip.push(ip_address(address)),
            Some(("DirName" | "othername" | "Registered ID" | "X400Name", _)) => {}
            _ => unreadable.push(entry.to_owned()),
        }
    }
    (names, unreadable)
}

/// OpenSSL writes IPv6 in full and in upper case.
fn ip_address(text: &str) -> String {
    text.parse::<IpAddr>().unwrap().to_string()
}

/// X509-SVID section 2: the only URI, if it is a SPIFFE ID. OpenSSL knows nothing of SPIFFE.
fn spiffe(names: &SubjectAltNames) -> Option<String> {
    let [uri] = names.uri.as_slice() else {
        return None;
    };
    SpiffeId::parse(uri).ok().map(|id| id.to_string())
}

fn sha256_of_key(text: &str) -> Option<String> {
    let (_, key) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (key, _) = key.split_once("-----END PUBLIC KEY-----")?;
    let der = BASE64.decode(key.replace('\n', "").as_bytes()).unwrap();
    Some(BASE64.encode(&Sha256::digest(der)))
}
