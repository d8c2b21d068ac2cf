//! `mtls-identity revoke`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mtls_identity::certificate::{
    self, ComparableName, RevocationList, RevocationListError, SerialNumber, Timestamp,
    UnverifiedList,
};
use mtls_identity::config::Configuration;
use serde_json::{Map, Value, json};

use crate::cli::finished::Finished;
use crate::cli::time::{moment, now};
use crate::cli::{configurations, files};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The list must be complete, in force, and signed by the CA. Without --config the output is an object with \
`revoked`
alone. With it, it is that configuration with the entries added: what was there stays, also what the list has no more.

Examples:
  mtls-identity revoke --crl ca.crl --ca ca.crt
  mtls-identity revoke --crl ca.crl --ca ca.crt --config filter.json >new.json && mv new.json filter.json"
)]
pub(crate) struct Revoke {
    /// The CRL in PEM or DER, or `-` for the standard input.
    #[arg(long)]
    crl: PathBuf,
    /// The certificate of the CA that signed it, in PEM or DER. Of several, the one that did.
    #[arg(long)]
    ca: PathBuf,
    /// A configuration to add the entries to, in any file that `check` reads.
    #[arg(long)]
    config: Option<PathBuf>,
    /// When the list must be in force, in RFC 3339, or a date; now if not given.
    #[arg(long, value_parser = moment)]
    at: Option<Timestamp>,
}

impl Revoke {
    pub(crate) fn run(&self) -> Result<Finished, String> {
        files::check_standard_input([&self.crl, &self.ca].into_iter().chain(&self.config))?;
        let configuration = match &self.config {
            Some(path) => configurations::one_as_json(path)?,
            None => Map::new(),
        };
        let now = self.at.map_or_else(now, Ok)?;
        let list = self.list(now)?;
        let count = list.serials.len();
        let note = format!(
            "{}: {count} {} of {}; the next list is due at {}",
            files::name(&self.crl),
            if count == 1 {
                "serial number"
            } else {
                "serial numbers"
            },
            list.issuer,
            list.next_update
        );
        let merged = Value::Object(merge(configuration, &list));
        let json = merged.to_string();
        // What is printed must load where it is put.
        let loaded = Configuration::parse(json.as_bytes());
        loaded.map_err(|error| format!("the result would not load: {error}"))?;
        Ok(Finished {
            output: format!("{json}\n"),
            notes: vec![note],
            code: 0,
        })
    }

    /// The list, verified.
    fn list(&self, now: Timestamp) -> Result<RevocationList, String> {
        let der = files::der_blocks(&self.crl, "X509 CRL")?;
        let [der] = der.as_slice() else {
            return Err(format!(
                "{}: found {} CRLs, expected one",
                files::name(&self.crl),
                der.len()
            ));
        };
        let named =
            |path: &Path, error: RevocationListError| format!("{}: {error}", files::name(path));
        let mut error = RevocationListError::OtherIssuer;
        for authority in files::der_blocks(&self.ca, "CERTIFICATE")? {
            let list = UnverifiedList::read(der).map_err(|error| named(&self.crl, error))?;
            match list.verify(&authority, now) {
                Ok(list) => return Ok(list),
                Err(RevocationListError::OtherIssuer) => {}
                Err(other) => error = other,
            }
        }
        Err(named(&self.crl, error))
    }
}

/// The configuration with the entries of a list: those of its issuer are one group, and what was there stays.
fn merge(mut configuration: Map<String, Value>, list: &RevocationList) -> Map<String, Value> {
    let revoked = configuration.remove("revoked");
    let mut entries = revoked
        .and_then(|it| it.as_array().cloned())
        .unwrap_or_default();
    let issuer = certificate::parse_name(&list.issuer).ok();
    let group = entries.iter_mut().find(|entry| {
        entry.get("serials").is_some() && issuer.is_some() && issuer_of(entry) == issuer
    });
    let known = group
        .as_ref()
        .and_then(|group| group.get("serials")?.as_array());
    let mut serials: Vec<Value> = known.cloned().unwrap_or_default();
    let mut seen: BTreeSet<SerialNumber> = serials
        .iter()
        .filter_map(Value::as_str)
        .map(SerialNumber::readings)
        .filter_map(|readings| match readings.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        })
        .collect();
    for number in &list.serials {
        if seen.insert(number.clone()) {
            serials.push(Value::from(number.unambiguous()));
        }
    }
    match group {
        Some(group) => {
            if let Some(members) = group.as_object_mut() {
                members.insert("serials".to_owned(), Value::from(serials));
            }
        }
        None if serials.is_empty() => {}
        None => entries.push(json!({"issuer": list.issuer, "serials": serials})),
    }
    configuration.insert("revoked".to_owned(), Value::from(entries));
    configuration
}

fn issuer_of(entry: &Value) -> Option<ComparableName> {
    let text = entry.get("issuer").and_then(Value::as_str)?;
    certificate::parse_name(text).ok()
}
