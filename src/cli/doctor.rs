//! `mtls-identity doctor`.

use std::fmt::Write;
use std::path::PathBuf;

use mtls_identity::certificate::Timestamp;
use mtls_identity::doctor::{Document, Finding, Report, Severity, examine};
use mtls_identity::encoding::visible;
use serde_json::{Value, json};

use super::files;
use super::files::TextFile;
use super::finished::Finished;
use super::time::{moment, now};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 without errors, 1 with errors, 2 for a file that cannot be read or has nothing to examine.

Examples:
  mtls-identity doctor envoy.yaml
  curl -s localhost:9901/config_dump | mtls-identity doctor -
  istioctl proxy-config all deploy/mcp-ingress -n mcp-ingress -o json | mtls-identity doctor -
  kubectl get wasmplugins,trafficextensions,envoyfilters,gateways.networking.istio.io,virtualservices,\\
authorizationpolicies,gateways.gateway.networking.k8s.io,httproutes,deployments -A -o yaml | mtls-identity doctor -
  kubectl kustomize istio/sidecar | mtls-identity doctor -"
)]
pub(crate) struct Doctor {
    /// Envoy's bootstrap (YAML or JSON) and the files that it names, its `/config_dump`, or objects of Kubernetes; `-` for
    /// the standard input. The files are examined together.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// When, in RFC 3339, or a date: for certificates that end. Now if not given.
    #[arg(long, value_parser = moment)]
    at: Option<Timestamp>,
    /// As one JSON object.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(crate) fn run(&self) -> Finished {
        self.examine()
            .unwrap_or_else(|line| Finished::failed(2, line))
    }

    fn examine(&self) -> Result<Finished, String> {
        files::check_standard_input(&self.files)?;
        let now = self.at.map_or_else(now, Ok)?;
        let files = self.files.iter().map(|path| TextFile::read(path));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let mut documents = Vec::new();
        for file in &files {
            documents.extend(documents_of(file, file.documents()?));
        }
        let report = examine(&documents, now);
        if report.is_empty() {
            let names: Vec<_> = files.iter().map(|file| file.name.as_str()).collect();
            let names = names.join(", ");
            return Err(format!(
                "{names}: found no listener of Envoy and no object of Kubernetes"
            ));
        }
        let output = match self.json {
            true => as_json(&report, &files),
            false => as_text(&report, &files),
        };
        Ok(Finished {
            output,
            notes: Vec::new(),
            code: u8::from(report.count(Severity::Error) > 0),
        })
    }
}

/// The documents of a file. A ConfigMap may hold an Envoy configuration in a string.
pub(super) fn documents_of(file: &TextFile, values: Vec<Value>) -> Vec<Document> {
    let mut documents = Vec::new();
    for (number, value) in values.into_iter().enumerate() {
        for (key, text) in texts_of_config_map(&value) {
            let inner = TextFile {
                name: format!("{}: {key} of a ConfigMap", file.name),
                is_json: text.trim_start().starts_with('{'),
                text,
            };
            let values = inner.documents().unwrap_or_default();
            documents.extend(values.into_iter().map(|value| Document {
                file: inner.name.clone(),
                number: None,
                value,
                is_local: false,
            }));
        }
        documents.push(Document {
            file: file.name.clone(),
            number: Some(number),
            is_local: value.get("configs").is_none(),
            value,
        });
    }
    documents
}

/// The entries of a ConfigMap that look like Envoy's.
fn texts_of_config_map(value: &Value) -> Vec<(String, String)> {
    if value.get("kind").and_then(Value::as_str) != Some("ConfigMap") {
        return Vec::new();
    }
    let data = value.get("data").and_then(Value::as_object);
    let entries = data.into_iter().flatten();
    let texts = entries.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())));
    texts
        .filter(|(_, text)| text.contains("static_resources") || text.contains("staticResources"))
        .collect()
}

/// The line and column of a finding, where its file has them.
pub(super) fn line_of(finding: &Finding, files: &[TextFile]) -> String {
    let file = files.iter().find(|file| file.name == finding.file);
    let place = file.zip(finding.document);
    let place = place.and_then(|(file, number)| file.place(number, finding.path.steps()));
    match place {
        Some(place) => format!("{}:{}:{}", finding.file, place.line, place.column),
        None => finding.file.clone(),
    }
}

fn as_json(report: &Report, files: &[TextFile]) -> String {
    let findings = report.findings.iter().map(|finding| {
        let mut value = json!(finding);
        if let Some(members) = value.as_object_mut() {
            members.insert("line".to_owned(), json!(line_of(finding, files)));
        }
        value
    });
    let value = json!({
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "findings": findings.collect::<Vec<_>>(),
        "unseen": report.unseen,
        "filters": report.filters,
        "objects": report.objects,
    });
    format!("{value:#}\n")
}

fn as_text(report: &Report, files: &[TextFile]) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&of_finding(finding, files));
    }
    for unseen in &report.unseen {
        let _ = writeln!(text, "not seen: {}", visible(unseen));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", summary(report));
    text
}

fn of_finding(finding: &Finding, files: &[TextFile]) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut place = vec![finding.path.to_string()];
    if let Some(chain) = &finding.chain {
        place.insert(0, format!("filter chain {chain}"));
    }
    if let Some(listener) = &finding.listener {
        let word = if finding.chain.is_some() {
            "listener "
        } else {
            ""
        };
        place.insert(0, format!("{word}{listener}"));
    }
    let more = match finding.more {
        0 => String::new(),
        1 => " (and in 1 more filter chain)".to_owned(),
        more => format!(" (and in {more} more filter chains)"),
    };
    let mut text = String::new();
    let at = line_of(finding, files);
    let _ = writeln!(text, "{}: {severity}: {}", visible(&at), finding.rule);
    let _ = writeln!(text, "  at       {}{more}", visible(&place.join(", ")));
    let _ = writeln!(text, "  found    {}", visible(&finding.found));
    let _ = writeln!(text, "  attacker {}", finding.attacker);
    for (number, line) in finding.cure.lines().enumerate() {
        let word = if number == 0 {
            "cure     "
        } else {
            "         "
        };
        let _ = writeln!(text, "  {word}{}", visible(line));
    }
    text.push('\n');
    text
}

fn summary(report: &Report) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {one}s"),
    };
    let mut examined = Vec::new();
    if report.filters > 0 {
        examined.push(count(report.filters, "connection manager") + " with the filter");
    }
    if report.objects > 0 {
        examined.push(count(report.objects, "object"));
    }
    if examined.is_empty() {
        examined.push("no connection manager with the filter".to_owned());
    }
    let errors = count(report.count(Severity::Error), "error");
    let warnings = count(report.count(Severity::Warning), "warning");
    format!("{errors}, {warnings} in {}", examined.join(" and "))
}
