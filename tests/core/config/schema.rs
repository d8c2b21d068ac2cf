//! The JSON Schema that editors complete configurations by: it has every key, every name of a value, every default
//! and a description of each. What the filter loads it accepts. The other way round it need not be: which strings are
//! users, paths or digests only the filter knows, and `mtls-identity check` says it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;
use mtls_identity::config::Configuration;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::artifacts::{commands, output, repository};
use crate::configuration::defaults_written_out;

mod loader_alone;
mod places;

use loader_alone::LOADER_ALONE;
use places::places;

/// Printed by the program itself.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let printed = output(Command::new(commands()).arg("schema"));
    serde_json::from_str(&printed).unwrap()
});

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::draft7::new(&SCHEMA).unwrap());

/// What the two say of a document: the first complaint of each.
fn verdicts(document: &str) -> (Result<(), String>, Result<(), String>) {
    let value: Value = serde_json::from_str(document).unwrap();
    let schema = VALIDATOR.validate(&value);
    let loader = Configuration::parse(document.as_bytes());
    (
        schema.map_err(|error| format!("{}: {error}", error.instance_path())),
        loader.map(|_| ()).map_err(|error| error.to_string()),
    )
}

#[test]
fn what_the_loader_accepts_the_schema_accepts_and_the_loader_is_strict() {
    let (mut count, mut wrong) = (0, Vec::new());
    for place in places() {
        for (document, accepted) in place.documents() {
            let (schema, loader) = verdicts(&document);
            if loader.is_ok() != accepted || (schema.is_err() && accepted) {
                wrong.push(format!("{document}: {loader:?} {schema:?}"));
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count >= 1500, "{count} documents");
}

#[test]
fn what_no_schema_can_say_the_loader_alone_refuses() {
    for (document, words) in LOADER_ALONE {
        let (schema, loader) = verdicts(document);
        assert_eq!(schema, Ok(()), "{document}");
        let line = loader.unwrap_err();
        assert!(line.contains(words), "{document}: {line}");
    }
}

#[test]
fn the_schema_knows_every_key_and_every_name_of_a_value() {
    let mut count = 0;
    for place in places() {
        for (document, accepted) in place.documents() {
            let (schema, loader) = verdicts(&document);
            let line = loader.err().unwrap_or_default();
            let is_name = line.contains(", expected \"") || line.contains(", expected one of \"");
            let is_name = is_name && !line.contains("expected \"sha256:\"");
            if !accepted && (line.contains("unknown key") || is_name) {
                assert!(schema.is_err(), "{document}: {line}");
                count += 1;
            }
        }
    }
    assert!(count >= 80, "{count} documents");
}

#[test]
fn strings_have_no_grammar_in_the_schema() {
    let text = SCHEMA.to_string();
    for keyword in [
        "pattern\":",
        "patternProperties",
        "propertyNames",
        "\"not\":",
        "\"format\":\"regex",
    ] {
        assert!(!text.contains(keyword), "{keyword}");
    }
}

/// A document with something of this length or size.
type Document = fn(usize) -> Value;

#[test]
fn what_is_too_long_is_refused_and_what_is_just_short_enough_is_not() {
    let bounds: [(usize, Document); 8] = [
        (2048, |length| {
            let id = format!("spiffe://a/{}", "b".repeat(length - 11));
            json!({"certificate": {"forwarded_by": [id]}})
        }),
        (255, |length| {
            let id = format!("spiffe://{}/b", "a".repeat(length));
            json!({"certificate": {"forwarded_by": [id]}})
        }),
        (254, |length| json!({"pin_required": ["a".repeat(length)]})),
        (254, |length| {
            let pattern = format!("{}.*", "a".repeat(length - 2));
            json!({"rate_limit": {"identities": {pattern: "unlimited"}}})
        }),
        // A wildcard counts as one character, however long its name.
        (254, |length| {
            let from = format!("{}/{{{}}}", "a".repeat(length - 2), "x".repeat(300));
            json!({"identity": {"map": [{"from": from, "to": "a"}]}})
        }),
        (
            254,
            |length| json!({"identity": {"map": [{"from": "a", "to": "a".repeat(length)}]}}),
        ),
        (
            64,
            |length| json!({"authorization": {"rules": [{"name": "a".repeat(length), "action": "deny"}]}}),
        ),
        (
            1_000_000,
            |count| json!({"rate_limit": {"anonymous": {"rate": format!("{count}/s"), "burst": count}}}),
        ),
    ];
    for (longest, document) in bounds {
        assert_eq!(verdicts(&document(longest).to_string()), (Ok(()), Ok(())));
        let (_, loader) = verdicts(&document(longest + 1).to_string());
        assert!(loader.is_err(), "{longest}");
    }
}

#[test]
fn the_schema_is_one() {
    assert_eq!(SCHEMA["$schema"], "http://json-schema.org/draft-07/schema#");
    jsonschema::draft7::meta::validate(&SCHEMA).unwrap();
}

/// Calls for each schema of an object with keys of ours, with the path to it.
fn for_each_section(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Map<String, Value>)) {
    if let Some(properties) = schema["properties"].as_object() {
        look(path, schema.as_object().unwrap());
        for (name, property) in properties {
            for_each_section(property, &format!("{path}.{name}"), look);
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(keyword) {
            for_each_section(inner, &format!("{path}[]"), look);
        }
    }
}

#[test]
fn every_section_is_closed_and_every_key_is_described_and_tried() {
    let table = include_str!("schema/places.json");
    let mut keys = 0;
    for_each_section(&SCHEMA, "", &mut |path, section| {
        assert_eq!(section["additionalProperties"], false, "{path}");
        for (name, property) in section["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{path}.{name}");
            assert!(table.contains(&format!("{name:?}: ")), "{path}.{name}");
            keys += 1;
        }
    });
    assert!(keys >= 40, "{keys} keys");
}

/// The document that says of each key what the schema calls its default.
fn defaults(section: &Value) -> Value {
    let properties = section["properties"].as_object().unwrap();
    let written = properties.iter().filter_map(|(name, property)| {
        let value = match (property.get("default"), property.get("properties")) {
            (Some(default), _) => default.clone(),
            (None, Some(_)) if property.get("required").is_none() => defaults(property),
            (None, _) => return None,
        };
        Some((name.clone(), value))
    });
    Value::Object(written.collect())
}

#[test]
fn the_defaults_of_the_schema_are_those_of_the_loader() {
    let mut document = defaults(&SCHEMA);
    // Absent by default: one that is there has a default of its own, which lets nobody pass.
    let authorization = document.as_object_mut().unwrap().remove("authorization");
    assert_eq!(authorization, Some(json!({"default": "deny", "rules": []})));
    assert_eq!(document, defaults_written_out());
    let written_out = Configuration::parse(document.to_string().as_bytes());
    assert_eq!(written_out, Configuration::parse(b"{}"));
}

/// Every plugin configuration in a document: a `pluginConfig`, or the JSON of a StringValue.
fn configurations(value: &Value, found: &mut Vec<Value>) {
    if value["@type"] == "type.googleapis.com/google.protobuf.StringValue" {
        found.extend(
            value["value"]
                .as_str()
                .and_then(|text| serde_json::from_str(text).ok()),
        );
    }
    if value["pluginConfig"].is_object() {
        found.push(value["pluginConfig"].clone());
    }
    match value {
        Value::Object(members) => members.values().for_each(|it| configurations(it, found)),
        Value::Array(entries) => entries.iter().for_each(|it| configurations(it, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => yaml_files(&path, files),
            Some(extension) if extension == "yaml" => files.push(path),
            _ => {}
        }
    }
}

#[test]
fn every_configuration_that_is_shipped_is_valid_under_the_schema() {
    let (mut files, mut found) = (Vec::new(), Vec::new());
    for folder in ["envoy", "istio"] {
        yaml_files(&repository().join(folder), &mut files);
    }
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            if let Ok(document) = Value::deserialize(document) {
                configurations(&document, &mut found);
            }
        }
    }
    assert!(found.len() >= 9, "{} configurations", found.len());
    for configuration in found {
        let verdicts = verdicts(&configuration.to_string());
        assert_eq!(verdicts, (Ok(()), Ok(())), "{configuration}");
    }
}
