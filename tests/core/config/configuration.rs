//! Configurations that are run, and the line that every other one gets.

use mtls_identity::config::{Configuration, ConfigurationError};
use serde_json::{Value, json};

mod errors;
mod errors_of_rules;

pub(crate) fn error(text: &str) -> String {
    match Configuration::parse(text.as_bytes()) {
        Ok(_) => panic!("{text} is accepted"),
        Err(error) => error.to_string(),
    }
}

/// What holds where a configuration says nothing.
pub(crate) fn defaults_written_out() -> Value {
    json!({
        "certificate": {"validation": "required", "forwarded_by": [], "forwarded_header": "xfcc", "bound": "off"},
        "identity": {
            "sources": ["cn"],
            "map": [],
            "unmapped": "keep",
            "multiple_cn": "reject",
            "charset": "ascii",
            "missing": "deny",
            "anonymous_paths": [],
        },
        "headers": {"user": "x-ssl-client-s-dn-cn", "set": {}, "strip": [], "encoding": "utf8"},
        "pins": {},
        "pin_required": [],
        "revoked": [],
        "rate_limit": {"identities": {}, "mcp": [], "response_headers": "none"},
        "mcp": {"paths": [], "max_body": 1048576},
        "observe": [],
        "audit": {"log": "denials", "access_log": false},
    })
}

#[test]
fn an_empty_configuration_is_valid_and_is_the_default() {
    let written_out = defaults_written_out();
    let default = Configuration::parse(b"{}").unwrap();
    for text in ["", " {}\n", &written_out.to_string()] {
        assert_eq!(Configuration::parse(text.as_bytes()), Ok(default.clone()));
    }
}

#[test]
fn an_error_of_the_text_names_the_line_that_it_is_in() {
    for (text, expected) in [
        ("{\n \"identity\": {\n  \"missing\": \"allow\"\n }\n}", 3),
        ("{\n \"pins\": {\n  \"a\": [\n   \"md5:00\"\n  ]\n }\n}", 4),
        ("{\n \"audit\": {\n  \"logs\": \"all\"\n }\n}", 3),
        ("{\n \"observe\": [\n  1.5\n ]\n}", 3),
        ("{\n \"observe\": [\n  \"pins\"", 3),
        ("{\n}\n\n{}", 4),
    ] {
        let line = error(text);
        let (_, position) = line.split_once(" at line ").unwrap();
        let (number, column) = position.split_once(" column ").unwrap();
        assert_eq!(number.parse(), Ok(expected), "{line}");
        assert!(column.parse::<usize>().is_ok(), "{line}");
    }
}

#[test]
fn the_order_of_keys_changes_nothing() {
    for (one, other) in [
        (
            r#"{"audit": {"log": "all"}, "headers": {"set": {"x-a": "user", "x-b": "issuer"}}}"#,
            r#"{"headers": {"set": {"x-b": "issuer", "x-a": "user"}}, "audit": {"log": "all"}}"#,
        ),
        // Of one length, so that neither is closer.
        (
            r#"{"rate_limit": {"identities": {"ab.c@*": "unlimited", "*@ab.c": {"rate": "1/s"}}}}"#,
            r#"{"rate_limit": {"identities": {"*@ab.c": {"rate": "1/s"}, "ab.c@*": "unlimited"}}}"#,
        ),
    ] {
        let read = |text: &str| Configuration::parse(text.as_bytes()).unwrap();
        assert_eq!(read(one), read(other));
    }
}

#[test]
fn two_keys_that_are_one_user_are_an_error() {
    let pin = format!("sha256:{}", "0".repeat(64));
    let text = json!({"pins": {"a@b.com": [pin], "A@B.com": [pin]}}).to_string();
    let line = error(&text);
    assert!(line.starts_with("pins"), "{line}");
    assert!(line.contains("found the key \"a@b.com\" twice"), "{line}");
}

#[test]
fn an_error_is_one_line_whatever_it_quotes() {
    for text in [
        r#"{"a\nb": 1}"#,
        r#"{"headers": {"user": "a\r\n\u0000b"}}"#,
        r#"{"headers": {"set": {"\n": "user"}}}"#,
        r#"{"identity": {"missing": "\u0085\u001b[31m"}}"#,
    ] {
        let line = error(text);
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn a_protobuf_struct_is_named_as_such() {
    let field = b"\n\x08identity\x12\x0f\x2a\x0d\n\x0b\n\x07missing\x12\x00";
    let bytes = [&[0x0a, u8::try_from(field.len()).unwrap()], &field[..]].concat();
    let line = Configuration::parse(&bytes).unwrap_err().to_string();
    let expected = "configuration: found the protobuf bytes of a google.protobuf.Struct, \
                    expected JSON in a google.protobuf.StringValue";
    assert_eq!(line, expected);
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let text = format!("{}{}", "{\"identity\":".repeat(10_000), "[".repeat(100_000));
    error(&text);
}

#[test]
fn a_document_may_say_where_its_schema_is() {
    let text = r#"{"$schema": "https://example.com/mtls-identity.schema.json"}"#;
    assert_eq!(
        Configuration::parse(text.as_bytes()),
        Configuration::parse(b"{}")
    );
    assert!(error(r#"{"$schema": 1}"#).starts_with("[\"$schema\"]: found 1, expected a string"));
    assert!(error(r#"{"audit": {"$schema": "a"}}"#).contains("unknown key \"$schema\""));
}

#[test]
fn all_that_is_wrong_is_found_and_not_only_the_first() {
    let text = r#"{
        "identity": {"missing": "allow", "sources": ["cm"]},
        "pins": {"a": ["md5:00", "sha256:00"], "b": [], " c": []},
        "headers": {"set": {"host": "user"}, "strip": ["a b"]},
        "revoked": [{"serial": "1"}, {"issuer": "a", "serial": "x"}],
        "audit": {"logs": "all"}, "certificates": {},
        "authorization": {"rules": [{"name": "", "action": "deny", "paths": ["a", "/b", "c"]}]}
    }"#;
    let errors = Configuration::parse_reporting_all(text.as_bytes()).unwrap_err();
    let line = |error: &ConfigurationError| error.place().unwrap().line;
    let found: Vec<_> = errors
        .iter()
        .map(|error| (error.path().to_string(), line(error)))
        .collect();
    for expected in [
        ("identity.missing", 2),
        ("identity.sources[0]", 2),
        ("pins.a[0]", 3),
        ("pins.a[1]", 3),
        ("pins.b", 3),
        ("pins[\" c\"]", 3),
        ("headers.set.host", 4),
        ("headers.strip[0]", 4),
        ("revoked[0]", 5),
        ("revoked[1].issuer", 5),
        ("revoked[1].serial", 5),
        ("audit.logs", 6),
        ("certificates", 6),
        ("authorization.rules[0].name", 7),
        ("authorization.rules[0].paths[0]", 7),
        ("authorization.rules[0].paths[2]", 7),
    ] {
        let expected = (expected.0.to_owned(), expected.1);
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    assert_eq!(found.len(), 16, "{found:?}");
}

#[test]
fn what_is_accepted_does_not_depend_on_how_many_errors_are_asked_for() {
    for text in [
        "",
        "{}",
        "{",
        "{} x",
        r#"{"audit": {}, "audit": {}}"#,
        r#"{"pins": {"a": []}}"#,
    ] {
        let one = Configuration::parse(text.as_bytes());
        match (one, Configuration::parse_reporting_all(text.as_bytes())) {
            (Ok(one), Ok(all)) => assert_eq!(one, all),
            (Err(one), Err(all)) => assert!(all.contains(&one), "{text}: {one} {all:?}"),
            (one, all) => panic!("{text}: {one:?} {all:?}"),
        }
    }
}
