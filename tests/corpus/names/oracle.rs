//! What OpenSSL and Python's cryptography read in the names of certificates: `tests/corpus/names.py`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use data_encoding::HEXLOWER;
use serde::Deserialize;

/// One certificate; none for a reader that cannot read it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reading {
    pub(super) openssl: Option<OpenSsl>,
    pub(super) cryptography: Option<Cryptography>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenSsl {
    pub(super) subject: Vec<Attribute>,
    /// RFC 2253.
    pub(super) text: Option<String>,
    /// The same with types in dotted decimal and values in hexadecimal.
    pub(super) dump: Option<String>,
    /// None if there is no subjectAltName, or it cannot be read.
    pub(super) names: Option<Vec<Name>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cryptography {
    pub(super) subject: Option<Vec<Attribute>>,
    pub(super) names: Option<Vec<Name>>,
}

/// The number of the RelativeDistinguishedName, the type in dotted decimal, the number of the ASN.1 type of the value, and
/// the text of the value if the reader has one.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Attribute(
    pub(super) usize,
    pub(super) String,
    pub(super) u8,
    pub(super) Option<String>,
);

/// The kind of a SAN, and its contents in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Name(pub(super) String, pub(super) String);

/// What is read in these certificates, in their order.
pub(super) fn read(certificates: &[Vec<u8>]) -> Vec<Reading> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("certificates");
    let mut lines = BufWriter::new(File::create(&path).unwrap());
    for der in certificates {
        writeln!(lines, "{}", HEXLOWER.encode(der)).unwrap();
    }
    lines.into_inner().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/oracle.sh");
    let output = Command::new(script)
        .arg("names.py")
        .stdin(File::open(&path).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .expect("tests/corpus/oracle.sh can be run");
    assert!(
        output.status.success(),
        "tests/corpus/oracle.sh names.py failed"
    );
    let lines = output.stdout.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let readings: Vec<_> = lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(readings.len(), certificates.len());
    readings
}
