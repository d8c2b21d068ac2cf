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
    subject: String,
    issuer: String,
    serial: String,
    not_before: String,
    not_after: String,
    cn: Vec<String>,
    san: SubjectAltNames,
    sha256: String,
    spki_sha256: String,
    spiffe: Option<String>,
}

#[derive(Debug, Serialize)]
struct SubjectAltNames {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<String>,
}

impl Report {
    fn of(certificate: &PeerCertificate) -> Self {
        let names = certificate.subject_alt_name();
        let common_names = certificate.subject().values(AttributeType::COMMON_NAME);
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: hex(certificate.serial()),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            cn: common_names.map(ToString::to_string).collect(),
            san: SubjectAltNames {
                dns: names.dns.clone(),
                email: names.email.clone(),
                uri: names.uri.clone(),
                ip: names.ip.iter().map(ToString::to_string).collect(),
            },
            sha256: hex(certificate.sha256()),
            spki_sha256: base64(certificate.spki_sha256()),
            spiffe: certificate.spiffe_id().map(|id| id.to_string()),
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
            vec![
                one("subject", &self.subject),
                one("issuer", &self.issuer),
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
