//! `mtls-identity inspect`.

use std::path::PathBuf;

use mtls_identity::certificate::AttributeType;
use mtls_identity::certificate::PeerCertificate;
use mtls_identity::encoding::{base64, hex};
use serde::Serialize;

use super::input;

#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// A certificate in PEM or DER, or `-` for the standard input.
    certificate: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<String, String> {
        let report = Report::of(&input::certificate(&self.certificate)?);
        if !self.json {
            return Ok(report.lines());
        }
        let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        Ok(format!("{json}\n"))
    }
}

/// What the filter reads in a certificate.
#[derive(Debug, Serialize)]
struct Report {
    /// None for a subject that cannot be read, and so for the issuer.
    subject: Option<String>,
    issuer: Option<String>,
    serial: String,
    not_before: String,
    not_after: String,
    cn: Vec<String>,
    san: SubjectAltNames,
    sha256: String,
    spki_sha256: String,
    spiffe: Option<String>,
    /// What the certificate has and cannot be read, so that nobody may be named by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct SubjectAltNames {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<String>,
}

impl SubjectAltNames {
    /// The names that can be read, and why others cannot.
    fn of(certificate: &PeerCertificate) -> (Self, Vec<String>) {
        let empty = Self::default();
        let names = match certificate.subject_alt_name() {
            Ok(names) => names,
            Err(error) => return (empty, vec![error.to_string()]),
        };
        let (dns, email, uri, ip) = (names.dns(), names.email(), names.uri(), names.ip());
        let errors = [dns.err(), email.err(), uri.err(), ip.err()];
        let unreadable = errors.iter().flatten().map(ToString::to_string);
        let names = Self {
            dns: dns.unwrap_or_default().to_vec(),
            email: email.unwrap_or_default().to_vec(),
            uri: uri.unwrap_or_default().to_vec(),
            ip: ip
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        (names, unreadable.collect())
    }
}

impl Report {
    fn of(certificate: &PeerCertificate) -> Self {
        let subject = certificate.subject();
        let common_names = subject.iter().flat_map(|subject| {
            let values = subject.values(AttributeType::COMMON_NAME);
            values.map(ToString::to_string)
        });
        let (san, mut unreadable) = SubjectAltNames::of(certificate);
        unreadable.extend(subject.err().map(|error| format!("subject: {error}")));
        Self {
            subject: subject.ok().map(ToString::to_string),
            issuer: certificate.issuer().map(ToString::to_string),
            serial: certificate.serial().to_string(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            cn: common_names.collect(),
            san,
            sha256: hex(certificate.sha256()),
            spki_sha256: base64(certificate.spki_sha256()),
            spiffe: certificate.spiffe_id().map(|id| id.to_string()),
            unreadable,
        }
    }

    /// One line a value. A terminal obeys control characters, so they are shown and not sent.
    fn lines(&self) -> String {
        let one = |name: &'static str, value: &str| (name, value.to_owned());
        let several = |name: &'static str, values: &[String]| {
            let values = values.iter().map(|value| (name, value.clone()));
            values.collect::<Vec<_>>()
        };
        let rows = [
            several("subject", self.subject.as_slice()),
            several("issuer", self.issuer.as_slice()),
            vec![
                one("serial", &self.serial),
                one("not_before", &self.not_before),
                one("not_after", &self.not_after),
            ],
            several("cn", &self.cn),
            several("san.dns", &self.san.dns),
            several("san.email", &self.san.email),
            several("san.uri", &self.san.uri),
            several("san.ip", &self.san.ip),
            vec![
                one("sha256", &self.sha256),
                one("spki_sha256", &self.spki_sha256),
            ],
            several("spiffe", self.spiffe.as_slice()),
            several("unreadable", &self.unreadable),
        ];
        let line = |(name, value): &(&str, String)| format!("{name:12} {}\n", visible(value));
        rows.concat().iter().map(line).collect()
    }
}

fn visible(text: &str) -> String {
    let visible = |character: char| {
        if character.is_control() {
            character.escape_default().to_string()
        } else {
            character.to_string()
        }
    };
    text.chars().map(visible).collect()
}
