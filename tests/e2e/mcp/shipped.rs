//! What the shipped configurations of Envoy have for rules for tools.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::harness::artifacts::{output, repository};

/// `mcp.max_body` where the configuration does not say, and what Envoy reads at once.
const HELD: u64 = 1_048_576 + 65_536;

/// Every document of every YAML file that git does not ignore.
fn documents() -> Vec<(String, Value)> {
    let all = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = output(
        Command::new("git")
            .args(all)
            .args(["envoy/*.yaml", "istio/*.yaml"]),
    );
    let parse = |name: &str| {
        let text = fs::read_to_string(repository().join(Path::new(name))).unwrap();
        let documents: Vec<_> = serde_yaml_ng::Deserializer::from_str(&text)
            .map(|document| (name.to_owned(), Value::deserialize(document).unwrap()))
            .collect();
        documents
    };
    listed.lines().flat_map(parse).collect()
}

/// Every object in this one that has the key.
fn having<'a>(value: &'a Value, key: &str) -> Vec<&'a Value> {
    let inner: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(entries) => entries.iter().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let own = value.get(key).map(|_| value);
    let inner = inner.into_iter().flat_map(|inner| having(inner, key));
    own.into_iter().chain(inner).collect()
}

#[test]
fn every_one_hands_the_filter_the_body_of_a_held_request() {
    let mut found = 0;
    for (name, document) in documents() {
        for plugin in having(&document, "vm_config") {
            found += 1;
            assert_eq!(plugin["allow_on_headers_stop_iteration"], true, "{name}");
        }
    }
    assert_eq!(found, 4, "envoy.yaml, plugin-server.yaml, xds, istio/mcp");
}

#[test]
fn every_one_may_hold_as_much_as_the_filter_reads() {
    for name in ["envoy.yaml", "plugin-server.yaml"] {
        let mut documents = documents().into_iter();
        let found = documents.find(|(it, _)| *it == format!("envoy/{name}"));
        let hosts = found.unwrap().1;
        for host in having(&hosts, "domains") {
            assert_eq!(host["request_body_buffer_limit"], HELD, "{name}");
        }
    }
    let component = documents()
        .into_iter()
        .find(|(name, _)| name == "istio/mcp/filter/filter.yaml");
    let component = component.unwrap().1;
    let limits = having(&component, "request_body_buffer_limit");
    assert_eq!(limits.len(), 1);
    assert_eq!(limits[0]["request_body_buffer_limit"], HELD);
}
