//! The shipped settings of ContextForge: files of `NAME=VALUE`, and what it knows of such names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use crate::harness::artifacts::output;
use crate::python::{program, python};

const FIELDS: &str = "
import json
from mcpgateway.config import Settings
print(json.dumps([name.upper() for name in Settings.model_fields]))
";

/// Every setting that ContextForge has, as the environment spells it.
pub(crate) fn known() -> BTreeSet<String> {
    let mut ask = python();
    // It reads its settings to say which there are, and some it insists on.
    ask.env("JWT_SECRET_KEY", "a".repeat(32))
        .args(["-c", FIELDS]);
    let printed = output(&mut ask);
    serde_json::from_str(printed.lines().last().unwrap()).unwrap()
}

/// `settings.env`, read as Docker reads it.
pub(crate) fn shipped() -> BTreeMap<String, String> {
    parsed(&fs::read_to_string(program("settings.env")).unwrap())
}

/// What `secrets.sh` makes.
pub(crate) fn secrets() -> BTreeMap<String, String> {
    parsed(&output(&mut Command::new(program("secrets.sh"))))
}

/// Lines of `NAME=VALUE`.
pub(crate) fn parsed(file: &str) -> BTreeMap<String, String> {
    let lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pairs = lines.map(|line| line.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn contextforge_knows_every_setting_that_is_shipped() {
    let known = known();
    for name in shipped().keys().chain(secrets().keys()) {
        assert!(known.contains(name), "{name}");
    }
    assert!(!known.contains("TRUST_PROXY_AUTH_CAREFULLY"));
}

#[test]
fn secrets_are_new_every_time_and_of_every_kind_of_character() {
    let (first, second) = (secrets(), secrets());
    let values: BTreeSet<_> = first.values().chain(second.values()).collect();
    assert_eq!(values.len(), 2 * first.len());
    for secret in values {
        let has = |kind: fn(char) -> bool| secret.contains(kind);
        assert!(
            secret.len() >= 64 && has(|c| c.is_ascii_punctuation()),
            "{secret}"
        );
        assert!(has(|c| c.is_ascii_uppercase()) && has(|c| c.is_ascii_lowercase()));
    }
}
