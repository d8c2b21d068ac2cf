//! `mtls-identity explain`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use mtls_identity::certificate::Timestamp;
use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::decide::Outcome;
use mtls_identity::identity::{ConnectionAttributes, DirectPeer};
use mtls_identity::limit;
use mtls_identity::limit::{Allowance, Charge, TableKey};
use mtls_identity::request::{RequestHead, write_map};
use serde::Serialize;

use super::input;

#[derive(Debug, clap::Args)]
pub(crate) struct Explain {
    /// The plugin configuration in JSON, or `-` for the standard input.
    #[arg(long)]
    config: PathBuf,
    /// The client's certificate, which Envoy is taken to have validated; none if it shows none.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// The method of the request.
    #[arg(long, default_value = "GET")]
    method: String,
    /// The path of the request, with its query.
    #[arg(long, default_value = "/")]
    path: String,
    /// A header of the request, `name:value`; may be repeated.
    #[arg(long, value_parser = header)]
    header: Vec<(String, Vec<u8>)>,
    /// When the request arrives, in RFC 3339; now if not given.
    #[arg(long, value_parser = moment)]
    at: Option<Timestamp>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<String, String> {
        let configuration = Configuration::parse(&input::read(&self.config)?);
        let configuration = configuration.map_err(|error| error.to_string())?;
        let certificate = self.cert.as_deref().map(pem).transpose()?;
        let attributes = ConnectionAttributes {
            peer_certificate: certificate.as_deref(),
            peer_certificate_valid: Some(certificate.is_some()),
            ..ConnectionAttributes::default()
        };
        let headers = self.headers();
        let fields = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_slice()));
        let map = write_map(fields);
        let head = RequestHead::read(&map).ok_or("headers that are too long")?;
        let peer = DirectPeer::read(&attributes, head.forwarded().as_deref());
        let client = configuration
            .filter
            .client(&peer, head.forwarded().as_deref());
        let now = self.at.map_or_else(now, Ok)?;
        let outcome = configuration
            .filter
            .decide(&head, now, &client, |charge| Ok(unused(charge, now)));
        let report = Report::of(&outcome);
        if !self.json {
            return Ok(report.lines());
        }
        let json = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        Ok(format!("{json}\n"))
    }

    fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let pseudo = [(":method", &self.method), (":path", &self.path)];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.clone().into_bytes()));
        pseudo.into_iter().chain(self.header.clone()).collect()
    }
}

/// What Envoy would hand over, readable or not.
fn pem(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = input::read(path)?;
    match bytes.first() {
        Some(0x30) => Ok(pem::encode(&bytes).into_bytes()),
        _ => Ok(bytes),
    }
}

fn header(text: &str) -> Result<(String, Vec<u8>), String> {
    let (name, value) = text.split_once(':').ok_or("expected name:value")?;
    let value = value.trim().as_bytes().to_vec();
    Ok((name.trim().to_ascii_lowercase(), value))
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let format = &time::format_description::well_known::Rfc3339;
    let moment = time::OffsetDateTime::parse(text, format).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_unix(moment.unix_timestamp()))
}

fn now() -> Result<Timestamp, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command's edge: here time is asked"
    )]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_err(|error| error.to_string())?.as_secs();
    let seconds = i64::try_from(seconds).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_unix(seconds))
}

/// A limit of which nothing has been used.
fn unused(charge: &Charge, now: Timestamp) -> Allowance {
    let now = u64::try_from(now.unix())
        .unwrap_or_default()
        .saturating_mul(1_000_000_000);
    let charged = limit::charge(&[], charge.key(&TableKey::new([0; 16])), &charge.quota, now);
    Allowance::after(charge, &charged, now)
}

/// What the filter would do.
#[derive(Debug, Serialize)]
struct Report<'a> {
    decision: &'static str,
    reason: Option<&'static str>,
    /// The status of the answer; none for a request that passes.
    status: Option<u16>,
    user: Option<&'a str>,
    headers: BTreeMap<&'a str, &'a str>,
    rule: Option<&'a str>,
    observed: Vec<&'static str>,
}

impl<'a> Report<'a> {
    fn of(outcome: &'a Outcome<'_>) -> Self {
        let reason = outcome.decision.reason();
        let evidence = outcome.decision.evidence();
        let headers = outcome.headers.iter();
        Self {
            decision: outcome.decision.as_str(),
            reason: reason.map(|reason| reason.as_str()),
            status: reason.map(|reason| reason.status().code()),
            user: evidence.identity().map(|identity| identity.user.as_str()),
            headers: headers
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect(),
            rule: evidence.rule,
            observed: evidence.observed_names(),
        }
    }

    fn lines(&self) -> String {
        let status = self.status.map(|status| status.to_string());
        let values = [
            ("decision", Some(self.decision)),
            ("reason", self.reason),
            ("status", status.as_deref()),
            ("user", self.user),
            ("rule", self.rule),
        ];
        let observed = self
            .observed
            .iter()
            .map(|reason| ("observed", Some(*reason)));
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| format!("header       {name}: {value}\n"));
        let line =
            |(name, value): (&str, Option<&str>)| value.map(|it| format!("{name:12} {it}\n"));
        values
            .into_iter()
            .chain(observed)
            .filter_map(line)
            .chain(headers)
            .collect()
    }
}
