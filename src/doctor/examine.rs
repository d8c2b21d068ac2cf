//! All rules over all documents.

use serde_json::Value;

use super::finding::Report;
use super::node::Document;
use super::{envoy, kubernetes};
use crate::certificate::Timestamp;

/// Examines documents of any kind: Envoy's, and objects of Kubernetes. Certificates are taken to be looked at now.
pub fn examine(documents: &[Document], now: Timestamp) -> Report {
    let (objects, files): (Vec<_>, Vec<_>) = documents.iter().partition(|it| is_of_kubernetes(it));
    let mut report = Report::default();
    envoy::examine(&files, now, &mut report);
    kubernetes::examine(&objects, &mut report);
    report.sort();
    report
}

/// Examines the objects of Kubernetes among these documents.
pub fn examine_objects(documents: &[Document]) -> Report {
    let objects = documents.iter().filter(|it| is_of_kubernetes(it));
    let mut report = Report::default();
    kubernetes::examine(&objects.collect::<Vec<_>>(), &mut report);
    report.sort();
    report
}

fn is_of_kubernetes(document: &Document) -> bool {
    let has = |key: &str| document.value.get(key).is_some_and(Value::is_string);
    has("apiVersion") && has("kind")
}
