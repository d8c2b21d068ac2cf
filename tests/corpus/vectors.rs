//! The files with certificates: fetched once, and found by what is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use mtls_identity::certificate::{CertificateError, PeerCertificate};

/// A file of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct Vector {
    /// Its path below the corpus, which names it in tables.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    pub(crate) form: Form,
}

/// How a certificate is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Pem,
    Der,
}

impl Form {
    /// As OpenSSL's `-inform` has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pem => "PEM",
            Self::Der => "DER",
        }
    }
}

impl Vector {
    pub(crate) fn read(&self) -> Result<PeerCertificate, CertificateError> {
        match self.form {
            Form::Pem => PeerCertificate::from_pem(&self.bytes),
            Form::Der => PeerCertificate::from_der(self.bytes.clone()),
        }
    }
}

/// Every file that holds a certificate, in the order of the names.
pub(crate) static CERTIFICATES: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let files = FILES.iter().filter_map(|path| certificate(path));
    files.collect()
});

/// Every file there is, whatever it holds.
pub(crate) static FILES: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let mut files = Vec::new();
    collect(&ROOT, &mut files);
    files.sort();
    files
});

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/fetch.sh");
    let output = Command::new(script).stderr(Stdio::inherit()).output();
    let output = output.expect("tests/corpus/fetch.sh can be run");
    assert!(output.status.success(), "tests/corpus/fetch.sh failed");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
});

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn certificate(path: &Path) -> Option<Vector> {
    let bytes = fs::read(path).unwrap();
    Some(Vector {
        name: name(path),
        path: path.to_owned(),
        form: form(path, &bytes)?,
        bytes,
    })
}

/// A file, whatever it holds, in each form.
pub(crate) fn as_anything(path: &Path) -> impl Iterator<Item = Vector> {
    let bytes = fs::read(path).unwrap();
    [Form::Pem, Form::Der].into_iter().map(move |form| Vector {
        name: name(path),
        path: path.to_owned(),
        bytes: bytes.clone(),
        form,
    })
}

fn name(path: &Path) -> String {
    path.strip_prefix(&*ROOT).unwrap().display().to_string()
}

/// By the label in a PEM text. DER has none: there the folders tell certificates from keys, requests, lists
/// and responses.
fn form(path: &Path, bytes: &[u8]) -> Option<Form> {
    const LABELS: [&[u8]; 2] = [b"-BEGIN CERTIFICATE-", b"-BEGIN X509 CERTIFICATE-"];
    let is_in = |label: &&[u8]| bytes.windows(label.len()).any(|window| window == *label);
    if LABELS.iter().any(is_in) {
        return Some(Form::Pem);
    }
    let folder = path.parent()?.strip_prefix(&*ROOT).ok()?.to_str()?;
    let is_certificate = match (path.extension()?.to_str()?, folder) {
        ("crt" | "cer", _) => true,
        ("der", "x509" | "x509/custom") => !path.file_name()?.to_str()?.starts_with("crl_"),
        _ => false,
    };
    is_certificate.then_some(Form::Der)
}
