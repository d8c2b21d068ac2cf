//! What Python's package cryptography reads in certificates: an oracle of another maker.

use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;
use mtls_identity::certificate::{AttributeValue, DistinguishedName, PeerCertificate};
use serde::Deserialize;

/// A certificate as the package reads it; none for a field that it cannot read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reading {
    subject: Option<Name>,
    issuer: Option<Name>,
    serial: Option<String>,
    not_before: Option<i64>,
    not_after: Option<i64>,
    sha256: Option<String>,
    san: Option<SubjectAltNames>,
}

/// Attributes in the order of the DER: the type in dotted decimal, and its text, if it has one.
type Name = Vec<(String, Option<String>)>;

#[derive(Clone, Debug, Deserialize)]
struct SubjectAltNames {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<IpAddr>,
}

/// What the package reads in these certificates; none for one that it cannot read.
pub(crate) fn read<'a>(
    certificates: impl IntoIterator<Item = &'a PeerCertificate>,
) -> Vec<Option<Reading>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificates");
    let mut lines = std::io::BufWriter::new(File::create(&path).unwrap());
    for certificate in certificates {
        writeln!(lines, "{}", HEXLOWER.encode(certificate.der())).unwrap();
    }
    lines.into_inner().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/oracle.sh");
    let mut oracle = Command::new(script);
    oracle.stdin(File::open(&path).unwrap());
    let output = oracle.stderr(Stdio::inherit()).output();
    let output = output.expect("tests/corpus/oracle.sh can be run");
    assert!(output.status.success(), "tests/corpus/oracle.sh failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let readings = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    readings.collect()
}

/// The field that the package reads and that is something else here. What cannot be read here names nobody.
pub(crate) fn disagreement(ours: &PeerCertificate, theirs: &Reading) -> Option<&'static str> {
    let subject = ours.subject().ok().zip(theirs.subject.as_ref());
    let issuer = ours.issuer().zip(theirs.issuer.as_ref());
    let is = |text: &Option<String>, bytes: &[u8]| {
        text.as_ref()
            .is_none_or(|text| *text == HEXLOWER.encode(bytes))
    };
    let at = |moment: Option<i64>, ours: i64| moment.is_none_or(|moment| moment == ours);
    let fields = [
        ("subject", subject.is_none_or(is_the_same_name)),
        ("issuer", issuer.is_none_or(is_the_same_name)),
        ("serial", is(&theirs.serial, ours.serial().magnitude())),
        ("notBefore", at(theirs.not_before, ours.not_before().unix())),
        ("notAfter", at(theirs.not_after, ours.not_after().unix())),
        ("SHA-256", is(&theirs.sha256, ours.sha256())),
        ("subjectAltName", has_the_same_names(ours, theirs)),
    ];
    let different = fields.iter().find(|(_, is_equal)| !is_equal);
    different.map(|&(field, _)| field)
}

/// A string of one byte a character is Latin-1 here and UTF-8 there, so only what is certain here is compared.
fn is_the_same_name((ours, theirs): (&DistinguishedName, &Name)) -> bool {
    let types = ours.attributes().map(|(kind, _)| kind.dotted());
    let has_same_types = types.eq(theirs.iter().map(|(kind, _)| kind.clone()));
    let mut pairs = ours.attributes().zip(theirs);
    has_same_types
        && pairs.all(|((_, value), (_, text))| match (value, text) {
            (AttributeValue::Text(ours), Some(theirs)) => ours == theirs,
            _ => true,
        })
}

/// By kind: what cannot be read here names nobody.
fn has_the_same_names(ours: &PeerCertificate, theirs: &Reading) -> bool {
    let (Ok(ours), Some(theirs)) = (ours.subject_alt_name(), &theirs.san) else {
        return true;
    };
    ours.dns().ok().is_none_or(|names| names == theirs.dns)
        && ours.email().ok().is_none_or(|names| names == theirs.email)
        && ours.uri().ok().is_none_or(|names| names == theirs.uri)
        && ours.ip().ok().is_none_or(|names| names == theirs.ip)
}
