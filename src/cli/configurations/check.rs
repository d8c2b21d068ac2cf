//! `mtls-identity check`.

use std::path::PathBuf;

use mtls_identity::config::{Configuration, Step};
use mtls_identity::doctor::{Finding, Rule, examine_objects};
use mtls_identity::rules::TokenBinding;

use super::file::{Complaint, ConfigurationFile, Found};
use super::summary::summary;
use super::warnings::warnings;
use crate::cli::doctor::{documents_of, line_of};
use crate::cli::files;
use crate::cli::files::TextFile;
use crate::cli::finished::Finished;

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
        if let Err(line) = files::check_standard_input(&self.files) {
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
