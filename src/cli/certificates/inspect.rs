//! `mtls-identity inspect`.

use std::path::PathBuf;
use std::rc::Rc;

use mtls_identity::certificate::{PeerCertificate, Timestamp};
use mtls_identity::config::Configuration;
use mtls_identity::identity::Peer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::report::Report;
use crate::cli::finished::Finished;
use crate::cli::text::quoted;
use crate::cli::time::now;
use crate::cli::{configurations, files};

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
        files::check_standard_input(self.config.iter().chain([&self.certificate]))?;
        let configuration = configurations::one_or_default(self.config.as_deref())?;
        let (certificate, note) = files::certificate(&self.certificate)?;
        let report = Report::of(&Rc::new(certificate), &configuration);
        let output = match self.json {
            true => {
                let json = serde_json::to_string_pretty(&report);
                format!("{}\n", json.map_err(|error| error.to_string())?)
            }
            false => {
                let more = more_lines(&report.certificate, &configuration, now()?);
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
    certificate: &Rc<PeerCertificate>,
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
    let peer = Peer::Certificate(Rc::clone(certificate));
    let user = match configuration.filter.policy.identity.identify(&peer) {
        Ok(identity) => format!(
            "user         {} (source {})\n",
            quoted(identity.user.as_str()),
            identity.source
        ),
        Err(error) => format!("user         none: {error}\n"),
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
