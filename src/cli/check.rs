//! `mtls-identity check`.

use std::path::PathBuf;

use mtls_identity::certificate::ComparableName;
use mtls_identity::config::{Configuration, Step};
use mtls_identity::doctor::{Finding, Rule, examine_objects};
use mtls_identity::rules::{Action, Revocations, TokenBinding};
use serde_json::Value;

use super::configurations::{Complaint, ConfigurationFile, Found};
use super::doctor::{documents_of, line_of};
use super::text_file::TextFile;
use super::warnings::warnings;
use super::{Finished, input};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 if all load, 1 with errors (and with --strict with warnings), 2 for a file that \
cannot be read or has no configuration.

Examples:
  mtls-identity check filter.json
  kubectl kustomize istio/sidecar | mtls-identity check -    the objects around the filter as well
  mtls-identity check --strict envoy.yaml"
)]
pub(crate) struct Check {
    /// Files with a plugin configuration: JSON or YAML of its own, a WasmPlugin, TrafficExtension or EnvoyExtensionPolicy with
    /// whatever else is applied beside it, or an Envoy configuration; `-` for the standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Exit with 1 if there are warnings.
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(crate) fn run(&self) -> Finished {
        if let Err(line) = input::check_standard_input(&self.files) {
            return Finished::failed(2, line);
        }
        let mut finished = Finished::default();
        let mut files = Vec::new();
        for path in &self.files {
            match ConfigurationFile::read(path) {
                Ok(file) => {
                    self.check(&file, &mut finished);
                    files.push(file);
                }
                Err(line) => {
                    finished.notes.push(line);
                    finished.code = 2;
                }
            }
        }
        self.check_objects(files, &mut finished);
        finished
    }

    /// The objects of Kubernetes around the filter, by the rules of `doctor`. What they say of each other is a warning here.
    fn check_objects(&self, files: Vec<ConfigurationFile>, finished: &mut Finished) {
        let mut documents = Vec::new();
        let mut texts = Vec::new();
        for file in files {
            documents.extend(documents_of(&file.file, file.documents));
            texts.push(file.file);
        }
        let report = examine_objects(&documents);
        let findings = report.findings.iter();
        // What is wrong with a configuration was said with its line.
        let said = [Rule::FilterConfiguration, Rule::JwtBehind];
        let findings = findings.filter(|it| !said.contains(&it.rule));
        let lines: Vec<_> = findings.map(|it| line(it, &texts)).collect();
        if self.strict && !lines.is_empty() {
            finished.code = finished.code.max(1);
        }
        finished.notes.extend(lines);
    }

    fn check(&self, file: &ConfigurationFile, finished: &mut Finished) {
        let is_only = self.files.len() == 1 && file.found.len() == 1;
        for found in &file.found {
            let warning = |complaint: Complaint| {
                let message = format!("warning: {}", complaint.message);
                file.line(&Complaint {
                    message,
                    ..complaint
                })
            };
            match file.load(found) {
                Err(complaints) => {
                    finished
                        .notes
                        .extend(complaints.iter().map(|it| file.line(it)));
                    finished.code = finished.code.max(1);
                }
                Ok(configuration) => {
                    if let Some(complaint) = unbindable(file, found, &configuration) {
                        finished.notes.push(file.line(&complaint));
                        finished.code = finished.code.max(1);
                        continue;
                    }
                    let warnings = warnings(file, found, &configuration);
                    if self.strict && !warnings.is_empty() {
                        finished.code = finished.code.max(1);
                    }
                    finished.notes.extend(warnings.into_iter().map(warning));
                    let summary = summary(&configuration, &found.json);
                    let name = if is_only {
                        ""
                    } else {
                        &format!("{}: ", file.file.name)
                    };
                    finished.output.push_str(&format!("{name}ok: {summary}\n"));
                }
            }
        }
    }
}

/// The complaint about a configuration that asks for tokens where none has been read: Istio puts what is in phase AUTHN
/// before `jwt_authn`.
fn unbindable(
    file: &ConfigurationFile,
    found: &Found,
    configuration: &Configuration,
) -> Option<Complaint> {
    let is_asked = configuration.filter.policy.tokens.binding != TokenBinding::Off;
    let is_early = found.phase.as_deref() == Some("AUTHN");
    let steps = ["certificate", "bound"].map(|key| Step::Key(key.to_owned()));
    (is_asked && is_early).then(|| Complaint {
        place: file.place(found, &steps),
        message: "certificate.bound: the plugin is in phase AUTHN, which runs before jwt_authn, so there is no token yet: \
                  expected phase AUTHZ"
            .to_owned(),
    })
}

/// A finding as one warning.
fn line(finding: &Finding, files: &[TextFile]) -> String {
    let place = line_of(finding, files);
    let object = finding.listener.as_deref().unwrap_or_default();
    let Finding {
        path, found, rule, ..
    } = finding;
    format!("{place}: warning: {object}: {path}: {found} ({rule}, see `mtls-identity doctor`)")
}

/// How many numbers are revoked. Those of an issuer are kept under its name in either order.
fn revoked_serials(revoked: &Revocations) -> usize {
    let names = revoked.serials.iter().map(|(name, numbers)| {
        let reversed: ComparableName = name.iter().rev().cloned().collect();
        let is_twice = reversed != *name && revoked.serials.get(&reversed) == Some(numbers);
        numbers.len() * if is_twice { 1 } else { 2 }
    });
    names.sum::<usize>() / 2
}

/// What a configuration does, in a few words.
fn summary(configuration: &Configuration, json: &str) -> String {
    let policy = &configuration.filter.policy;
    let mut parts = Vec::new();
    let mut count = |number: usize, one: &str, several: &str| match number {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        _ => parts.push(format!("{number} {several}")),
    };
    count(policy.pins.pins.len(), "user pinned", "users pinned");
    count(
        policy.revoked.fingerprints.len(),
        "certificate revoked",
        "certificates revoked",
    );
    count(
        revoked_serials(&policy.revoked),
        "serial number revoked",
        "serial numbers revoked",
    );
    count(
        policy.pins.required.len(),
        "user must be pinned",
        "users must be pinned",
    );
    if policy.pins.required_of_all {
        parts.push("every user must be pinned".to_owned());
    }
    if let Some(authorization) = &policy.authorization {
        let default = match authorization.default() {
            Action::Allow => "default allow",
            Action::Deny => "default deny",
        };
        let rules = authorization.rules().len();
        let name = if rules == 1 { "rule" } else { "rules" };
        parts.push(format!("{rules} {name} ({default})"));
    }
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let rate = value
        .pointer("/rate_limit/default/rate")
        .and_then(Value::as_str);
    parts.extend(rate.map(|rate| format!("limit {rate}")));
    if rate.is_none() && configuration.filter.limits.is_anybody_limited() {
        parts.push("some are limited".to_owned());
    }
    if !policy.observe.is_empty() {
        parts.push("some checks only observed".to_owned());
    }
    match parts.is_empty() {
        true => "every user may do everything".to_owned(),
        false => parts.join(", "),
    }
}
