//! What `mtls-identity doctor` says of the proxies that run, and of the objects that the other claims attack with.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::caller::HOST;
use crate::harness::artifacts::commands;
use crate::lines::second_policy;
use crate::overlay::Mesh;
use crate::tenants::{TENANT, route, taking};

/// The errors in this document, each rule once.
pub(crate) fn errors(document: &Value) -> Vec<String> {
    found("error", document)
}

/// The warnings in this document, each rule once.
pub(crate) fn warnings(document: &Value) -> Vec<String> {
    found("warning", document)
}

fn found(severity: &str, document: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("document.json");
    fs::write(&path, document.to_string()).unwrap();
    let mut doctor = Command::new(commands());
    let output = doctor
        .args(["doctor", "--json"])
        .arg(path)
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = said["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|it| it["severity"] == severity);
    let mut rules: Vec<_> = findings
        .map(|it| it["rule"].as_str().unwrap().to_owned())
        .collect();
    rules.sort();
    rules.dedup();
    rules
}

/// As `kubectl get … -A -o yaml` lists them.
pub(crate) fn list(objects: &[Value]) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects})
}

pub(crate) fn it_finds_no_hole_in_what_runs(mesh: &Mesh) {
    for pod in mesh.filtered() {
        assert_eq!(errors(&pod.config_dump()), [""; 0], "{}", pod.name);
    }
    assert_eq!(errors(&list(&mesh.objects)), [""; 0]);
}

/// The Gateway and the route of [`crate::tenants`], and the second policy of [`crate::lines`].
pub(crate) fn it_names_what_others_write(mesh: &Mesh) {
    let with = |more: Value| {
        let mut objects = mesh.objects.clone();
        objects.push(more);
        errors(&list(&objects))
    };
    for selector in [json!({"istio": "mcp-ingress"}), Value::Null] {
        assert_eq!(with(taking(&selector, HOST, None)), ["foreign_gateway"]);
    }
    // The last word undoes the names that it knows, and not what folds to them.
    let routed = with(route(TENANT, HOST, &[TENANT], "mark"));
    assert_eq!(routed, ["owned_header_written"]);
    if mesh.has_second_filter() {
        return;
    }
    let second = second_policy();
    assert_eq!(with(second.clone()), [""; 0]);
    let mut open = mesh.objects.clone();
    open.retain(|object| object["metadata"]["name"] != "mcp-gateway-callers-only");
    open.push(second);
    assert_eq!(errors(&list(&open)), ["second_allow"]);
}
