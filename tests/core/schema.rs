//! The JSON Schema that editors complete configurations by: what it accepts the filter loads, and the other way
//! round. What no schema can say is listed, and is nothing else.

use std::process::Command;
use std::sync::LazyLock;

use jsonschema::Validator;
use mtls_identity::config::Configuration;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::artifacts::{commands, output};
use crate::configuration::defaults_written_out;

mod loader_alone;
mod places;

use loader_alone::LOADER_ALONE;
use places::{Place, places};

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

fn assert_verdicts(document: &str, accepted: bool) {
    let (schema, loader) = verdicts(document);
    assert_eq!(loader.is_ok(), accepted, "{document}: loader: {loader:?}");
    assert_eq!(schema.is_ok(), accepted, "{document}: schema: {schema:?}");
}

#[test]
fn what_the_schema_accepts_the_loader_accepts_and_the_other_way_round() {
    let mut count = 0;
    for place in places() {
        for (document, accepted) in place.documents() {
            assert_verdicts(&document, accepted);
            count += 1;
        }
    }
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

/// Whether the loader alone can know what is wrong here.
fn is_for_the_loader_alone(line: &str) -> bool {
    LOADER_ALONE.iter().any(|(_, words)| line.contains(words))
}

fn assert_agreement(place: &Place, text: &str) {
    let document = place.with(&json!(text));
    let (schema, loader) = verdicts(&document);
    match &loader {
        Err(line) if is_for_the_loader_alone(line) => {}
        _ => assert_eq!(
            schema.is_ok(),
            loader.is_ok(),
            "{document}: {schema:?}, {loader:?}"
        ),
    }
}

/// What the strings of a configuration are made of, and what spoils them.
const FRAGMENTS: [&str; 48] = [
    "a",
    "b",
    "A",
    "x",
    "9",
    "*",
    "@",
    ".",
    "..",
    "/",
    "//",
    ":",
    "://",
    "-",
    "_",
    "+",
    ",",
    "=",
    "#",
    "?",
    "%2f",
    "\\",
    "\"",
    ";",
    "~",
    "{x}",
    "{y}",
    "{",
    "}",
    " ",
    "\t",
    "\n",
    "\0",
    "\u{a0}",
    "\u{200b}",
    "\u{e9}",
    "\u{c9}",
    "e\u{301}",
    "urn:",
    "URN:",
    "spiffe://",
    "https://",
    "CN=",
    "o = ",
    "\\2c",
    "te",
    "host",
    "10/s",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn strings_at_random_are_accepted_by_both_or_by_none(
        fragments in prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..8)
    ) {
        let text = fragments.concat();
        for place in places().iter().filter(|place| place.takes_strings()) {
            assert_agreement(place, &text);
        }
    }
}

#[test]
fn every_character_is_accepted_by_both_or_by_none() {
    let places = places();
    for document in [
        json!({"pin_required": ["@"]}),
        json!({"headers": {"user": "@"}}),
        json!({"identity": {"anonymous_paths": ["@"]}}),
    ] {
        let place = places.iter().find(|place| place.is_in(&document));
        for character in ('\0'..'\u{3100}').chain('\u{fe00}'..='\u{ffff}') {
            assert_agreement(place.unwrap(), &format!("/{character}a"));
            assert_agreement(place.unwrap(), &format!("{character}"));
        }
    }
}

/// A document with something of this length or size.
type Document = fn(usize) -> Value;

#[test]
fn what_is_too_long_is_too_long_for_both() {
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
        assert_verdicts(&document(longest).to_string(), true);
        assert_verdicts(&document(longest + 1).to_string(), false);
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
