//! `mtls-identity inspect`.

use std::path::PathBuf;
use std::rc::Rc;

use mtls_identity::certificate::{AttributeType, PeerCertificate, Timestamp};
use mtls_identity::config::Configuration;
use mtls_identity::encoding::{base64, hex};
use mtls_identity::identity::Peer;
use serde::Serialize;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::text::quoted;
use super::time::now;
use super::{Finished, configurations, input};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mtls-identity inspect alice.crt
  kubectl get secret alice -o jsonpath='{.data.tls\\.crt}' | mtls-identity inspect -")]
pub(crate) struct Inspect {
    /// A certificate in PEM or DER, or `-` for the standard input. The first of the file counts.
    certificate: PathBuf,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
    /// The configuration that says who the certificate is; `{}` if not given.
    #[arg(long)]
    config: Option<PathBuf>,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<Finished, String> {
        input::check_standard_input(self.config.iter().chain([&self.certificate]))?;
        let configuration = configurations::one_or_default(self.config.as_deref())?;
        let (certificate, note) = input::certificate(&self.certificate)?;
        let report = Report::of(&certificate);
        let output = match self.json {
            true => {
                let json = serde_json::to_string_pretty(&report);
                format!("{}\n", json.map_err(|error| error.to_string())?)
            }
            false => {
                let more = more_lines(certificate, &configuration, now()?);
                format!("{}{more}", report.lines())
            }
        };
        Ok(Finished {
            output,
            notes: note.into_iter().collect(),
            code: 0,
        })
    }
}

/// What no field of the certificate says: whether it is valid now, what it is for, and who it is.
fn more_lines(
    certificate: PeerCertificate,
    configuration: &Configuration,
    now: Timestamp,
) -> String {
    let validity = match () {
        () if now < certificate.not_before() => "not yet valid",
        () if now > certificate.not_after() => "expired",
        () => "valid now",
    };
    let mut lines = format!("{:12} {validity}\n", "validity");
    if let Ok((_, parsed)) = X509Certificate::from_der(certificate.der()) {
        let kind = match parsed.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => format!("RSA {}", key.key_size()),
            Ok(PublicKey::EC(point)) => format!("EC {}", point.key_size()),
            Ok(_) | Err(_) => parsed.public_key().algorithm.algorithm.to_id_string(),
        };
        lines.push_str(&format!("{:12} {kind}\n", "key"));
        for purpose in purposes(&parsed) {
            lines.push_str(&format!("{:12} {purpose}\n", "purpose"));
        }
    }
    let peer = Peer::Certificate(Rc::new(certificate));
    let user = match configuration.filter.policy.identity.identify(&peer) {
        Ok(identity) => format!(
            "user         {} (source {})\n",
            quoted(identity.user.as_str()),
            identity.source
        ),
        Err(error) => format!("user none: {error}\n"),
    };
    lines + &user
}

/// The extended key usage (RFC 5280 section 4.2.1.12); nothing if any use is allowed.
fn purposes(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(usage)) = certificate.extended_key_usage() else {
        return Vec::new();
    };
    let usage = usage.value;
    let named = [
        (usage.any, "any"),
        (usage.client_auth, "client authentication"),
        (usage.server_auth, "server authentication"),
        (usage.code_signing, "code signing"),
        (usage.email_protection, "e-mail protection"),
        (usage.time_stamping, "time stamping"),
        (usage.ocsp_signing, "OCSP signing"),
    ];
    let named = named.into_iter().filter(|(is_set, _)| *is_set);
    let others = usage.other.iter().map(|oid| oid.to_id_string());
    named
        .map(|(_, name)| name.to_owned())
        .chain(others)
        .collect()
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

    /// One line a value. Names are in quotes, so that white space and control characters can be seen.
    fn lines(&self) -> String {
        let name = |field: &'static str, values: &[String]| {
            let values = values.iter().map(|value| (field, quoted(value)));
            values.collect::<Vec<_>>()
        };
        let plain = |field: &'static str, value: &String| (field, value.clone());
        let rows = [
            name("subject", self.subject.as_slice()),
            name("issuer", self.issuer.as_slice()),
            vec![
                plain("serial", &self.serial),
                plain("not_before", &self.not_before),
                plain("not_after", &self.not_after),
            ],
            name("cn", &self.cn),
            name("san.dns", &self.san.dns),
            name("san.email", &self.san.email),
            name("san.uri", &self.san.uri),
            name("san.ip", &self.san.ip),
            vec![
                plain("sha256", &self.sha256),
                plain("spki_sha256", &self.spki_sha256),
            ],
            name("spiffe", self.spiffe.as_slice()),
            name("unreadable", &self.unreadable),
        ];
        let line = |(name, value): &(&str, String)| format!("{name:12} {value}\n");
        rows.concat().iter().map(line).collect()
    }
}
