//! `mtls-identity explain`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mtls_identity::certificate::Timestamp;
use mtls_identity::certificate::pem;
use mtls_identity::decide::{Arrival, Body, ConnectionClient, Filter, Outcome, Step};
use mtls_identity::encoding::visible;
use mtls_identity::identity::{ConnectionAttributes, DirectPeer};
use mtls_identity::limit::{self, Allowance, Charge, TableKey};
use mtls_identity::request::{RequestHead, write_map};
use mtls_identity::rules::Confirmation;
use serde::Serialize;

use super::because::because;
use crate::cli::finished::Finished;
use crate::cli::time::{moment, now};
use crate::cli::{configurations, files};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 if the request passes, 1 if it is refused, 2 if that cannot be said.

Examples:
  mtls-identity explain --config filter.json --cert alice.crt --method POST --path /mcp
  mtls-identity explain --config envoy.yaml --cert alice.crt --at 2026-12-01"
)]
pub(crate) struct Explain {
    /// The plugin configuration, in any file that `check` reads; `-` for the standard input.
    #[arg(long)]
    config: PathBuf,
    /// The client's certificate, which Envoy is taken to have validated; none if it shows none. The first of the file
    /// counts.
    #[arg(long)]
    cert: Option<PathBuf>,
    /// The method of the request; GET if nothing is said.
    #[arg(long, allow_hyphen_values = true)]
    method: Option<String>,
    /// The path of the request, with its query.
    #[arg(long, default_value = "/", value_parser = path, allow_hyphen_values = true)]
    path: String,
    /// A header of the request, `name:value`; may be repeated.
    #[arg(long, value_parser = header, allow_hyphen_values = true)]
    header: Vec<(String, Vec<u8>)>,
    /// The body of the request, for `mcp.paths`; `-` for the standard input. With it the method is POST, and the content type
    /// JSON, if nothing else is said.
    #[arg(long)]
    body: Option<PathBuf>,
    /// The claim `cnf.x5t#S256` of the request's access token, for `certificate.bound`: the SHA-256 of a certificate in
    /// base64url.
    #[arg(long, value_name = "X5T", allow_hyphen_values = true)]
    token_thumbprint: Option<String>,
    /// When the request arrives, in RFC 3339, or a date; now if not given.
    #[arg(long, value_parser = moment)]
    at: Option<Timestamp>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> Finished {
        self.explain()
            .unwrap_or_else(|line| Finished::failed(2, line))
    }

    fn explain(&self) -> Result<Finished, String> {
        let files = self.cert.iter().chain(&self.body);
        files::check_standard_input(files.chain([&self.config]))?;
        let configuration = configurations::one_or_default(Some(&self.config))?;
        let found = self
            .cert
            .as_deref()
            .map(files::find_certificate)
            .transpose()?;
        let certificate = found
            .as_ref()
            .map(|found| pem::encode(&found.der).into_bytes());
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
        let head = RequestHead::read(&map).ok_or("the headers are too long")?;
        let peer = DirectPeer::read(&attributes, head.forwarded().as_deref());
        let filter = &configuration.filter;
        let client = filter.client(&peer, filter.forwarded(&head).as_deref());
        let now = self.at.map_or_else(now, Ok)?;
        let body = self.body.as_deref().map(files::read).transpose()?;
        let thumbprint = self.token_thumbprint.as_deref().map(str::as_bytes);
        let token = thumbprint.map(Confirmation::parse).unwrap_or_default();
        let arrival = Arrival { now, token };
        let outcome = decide(filter, &head, body.as_deref(), arrival, &client)?;
        let because = because(filter, &outcome, &head, now);
        let report = Report::new(&outcome, because);
        Ok(Finished {
            output: report.write(self.json)?,
            notes: found.and_then(|found| found.note).into_iter().collect(),
            code: u8::from(report.reason.is_some()),
        })
    }

    fn headers(&self) -> Vec<(String, Vec<u8>)> {
        let default_method = if self.body.is_some() { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(default_method);
        let pseudo = [(":method", method), (":path", &self.path)];
        let pseudo = pseudo.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        let has_type = self.header.iter().any(|(name, _)| name == "content-type");
        let json = ("content-type".to_owned(), b"application/json".to_vec());
        let json = (self.body.is_some() && !has_type).then_some(json);
        let headers = pseudo.into_iter().chain(json);
        headers.chain(self.header.clone()).collect()
    }
}

/// The decision on a request, in the two steps that Envoy takes: its head, then its body.
fn decide<'p>(
    filter: &'p Filter,
    head: &RequestHead<'_>,
    body: Option<&[u8]>,
    arrival: Arrival,
    client: &ConnectionClient,
) -> Result<Outcome<'p>, String> {
    let charge = |charge: &Charge<'_>| Ok(unused(charge, arrival.now));
    let step = |body| filter.step(head, body, arrival, client, charge);
    let bodies = match body {
        None => vec![Body::None],
        Some(bytes) if bytes.len() > filter.mcp.max_body => vec![Body::Coming, Body::TooLong],
        Some(bytes) => vec![Body::Coming, Body::Whole(bytes)],
    };
    let mut steps = bodies.into_iter().map(step);
    let done = steps.find_map(|step| match step {
        Step::Done(outcome) => Some(outcome),
        Step::Hold => None,
    });
    done.ok_or_else(|| "the request is held for a body that does not come".to_owned())
}

fn path(text: &str) -> Result<String, String> {
    match text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("expected a path that begins with \"/\"".to_owned()),
    }
}

fn header(text: &str) -> Result<(String, Vec<u8>), String> {
    let (name, value) = text.split_once(':').ok_or("expected name:value")?;
    let value = value.trim().as_bytes().to_vec();
    Ok((name.trim().to_ascii_lowercase(), value))
}

/// A limit of which nothing has been used.
fn unused(charge: &Charge, now: Timestamp) -> Allowance {
    let now = u64::try_from(now.unix())
        .unwrap_or_default()
        .saturating_mul(1_000_000_000);
    let charged = limit::charge(&[], charge.key(&TableKey::new([0; 16])), &charge.quota, now);
    Allowance::after(charge, &charged, now)
}

/// The value of a header: UTF-8, or else Latin-1.
fn text_of(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// What the filter would do.
#[derive(Debug, Serialize)]
struct Report<'a> {
    decision: &'static str,
    reason: Option<&'static str>,
    /// The status of the answer; none for a request that passes.
    status: Option<u16>,
    user: Option<&'a str>,
    headers: BTreeMap<&'a str, String>,
    rule: Option<&'a str>,
    observed: Vec<&'static str>,
    /// What the decision stands on, one fact each.
    because: Vec<String>,
}

impl<'a> Report<'a> {
    fn new(outcome: &'a Outcome<'_>, because: Vec<String>) -> Self {
        let reason = outcome.decision.reason();
        let evidence = outcome.decision.evidence();
        let headers = outcome.headers.iter();
        Self {
            decision: outcome.decision.as_str(),
            reason: reason.map(|reason| reason.as_str()),
            status: reason.map(|reason| reason.status().code()),
            user: evidence.identity().map(|identity| identity.user.as_str()),
            headers: headers
                .map(|(name, value)| (name.as_str(), text_of(value)))
                .collect(),
            rule: evidence.rule,
            observed: evidence.observed_names(),
            because,
        }
    }

    fn write(&self, is_json: bool) -> Result<String, String> {
        if !is_json {
            return Ok(self.lines());
        }
        let json = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        Ok(format!("{json}\n"))
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
        let headers =
            headers.map(|(name, value)| format!("header       {name}: {}\n", visible(value)));
        let because = self.because.iter();
        let because = because.map(|fact| format!("because      {}\n", visible(fact)));
        let line =
            |(name, value): (&str, Option<&str>)| value.map(|it| format!("{name:12} {it}\n"));
        values
            .into_iter()
            .chain(observed)
            .filter_map(line)
            .chain(headers)
            .chain(because)
            .collect()
    }
}
