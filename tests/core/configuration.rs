//! Configurations that are run, and the line that every other one gets.

use mtls_identity::config::{Configuration, ConfigurationError};
use serde_json::{Value, json};

fn error(text: &str) -> String {
    match Configuration::parse(text.as_bytes()) {
        Ok(_) => panic!("{text} is accepted"),
        Err(error) => error.to_string(),
    }
}

/// What holds where a configuration says nothing.
pub(crate) fn defaults_written_out() -> Value {
    json!({
        "certificate": {"validation": "required", "forwarded_by": []},
        "identity": {
            "sources": ["cn"],
            "map": [],
            "multiple_cn": "reject",
            "charset": "ascii",
            "missing": "deny",
            "anonymous_paths": [],
        },
        "headers": {"user": "x-ssl-client-s-dn-cn", "set": {}, "strip": []},
        "pins": {},
        "pin_required": [],
        "revoked": [],
        "rate_limit": {"identities": {}, "response_headers": "none"},
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
fn every_error_names_its_path_what_was_found_and_what_is_expected() {
    for (text, path, words) in [
        // Not JSON, or not an object.
        (
            "nonsense",
            "configuration",
            "this is not JSON (is it YAML?)",
        ),
        ("[]", "configuration", "expected an object"),
        ("null", "configuration", "expected an object"),
        ("\"{}\"", "configuration", "expected an object"),
        ("{} {}", "configuration", "found more text after the JSON"),
        ("{", "configuration", "the text ends inside"),
        (
            "{\"identity\": {\"sources\": [\"cn\"}}",
            "identity.sources",
            "expected",
        ),
        // Unknown and repeated keys.
        (
            r#"{"identify": {}}"#,
            "identify",
            "found the unknown key \"identify\": did you mean \"identity\"?",
        ),
        (
            r#"{"identity": {"source": ["cn"]}}"#,
            "identity.source",
            "found the unknown key \"source\": did you mean \"sources\"?",
        ),
        (
            r#"{"Identity": {}}"#,
            "[\"Identity\"]",
            "found the unknown key \"Identity\": did you mean \"identity\"?",
        ),
        (
            r#"{"headers": {}, "headers": {}}"#,
            "configuration",
            "found the key \"headers\" twice",
        ),
        (
            r#"{"headers": {"user": "a", "user": "a"}}"#,
            "headers",
            "found the key \"user\" twice",
        ),
        // Wrong types, and forms that a lenient reader would take.
        (
            r#"{"identity": []}"#,
            "identity",
            "found a list, expected an object",
        ),
        (
            r#"{"identity": null}"#,
            "identity",
            "found null, expected an object",
        ),
        (
            r#"{"identity": {"sources": "cn"}}"#,
            "identity.sources",
            "expected a list",
        ),
        (
            r#"{"identity": {"sources": [{"cn": null}]}}"#,
            "identity.sources[0]",
            "expected a string",
        ),
        (
            r#"{"identity": {"missing": true}}"#,
            "identity.missing",
            "expected a string",
        ),
        (
            r#"{"identity": {"missing": "allow"}}"#,
            "identity.missing",
            "found \"allow\", expected \"deny\" or \"strip\"",
        ),
        (
            r#"{"identity": {"multiple_cn": "any"}}"#,
            "identity.multiple_cn",
            "expected one of \"reject\", \"first\", \"last\"",
        ),
        (
            r#"{"identity": {"charset": "UTF8"}}"#,
            "identity.charset",
            "expected \"ascii\" or \"utf8\"",
        ),
        (
            r#"{"certificate": {"validation": "none"}}"#,
            "certificate.validation",
            "expected \"required\" or \"listener\"",
        ),
        // Identity.
        (
            r#"{"identity": {"sources": []}}"#,
            "identity.sources",
            "found no source, expected at least one",
        ),
        (
            r#"{"identity": {"sources": ["cn", "CN"]}}"#,
            "identity.sources[1]",
            "found \"CN\", expected one of \"cn\"",
        ),
        (
            r#"{"identity": {"sources": ["cn", "cn"]}}"#,
            "identity.sources",
            "found \"cn\" twice",
        ),
        (
            r#"{"identity": {"anonymous_paths": ["health"]}}"#,
            "identity.anonymous_paths[0]",
            "found \"health\"",
        ),
        (
            r#"{"identity": {"anonymous_paths": ["/", "/a*"]}}"#,
            "identity.anonymous_paths[1]",
            "found \"/a*\"",
        ),
        (
            r#"{"identity": {"anonymous_paths": ["/a?b"]}}"#,
            "identity.anonymous_paths[0]",
            "expected a whole path",
        ),
        (
            r#"{"identity": {"map": [{"from": "a"}]}}"#,
            "identity.map[0]",
            "the key \"to\" is missing",
        ),
        (
            r#"{"identity": {"map": [["a", "b"]]}}"#,
            "identity.map[0]",
            "expected an object",
        ),
        (
            r#"{"identity": {"map": [{"from": "a{x}", "to": "b"}]}}"#,
            "identity.map[0].from",
            "found \"a{x}\": {x} is not a whole segment",
        ),
        (
            r#"{"identity": {"map": [{"from": "{x}", "to": "{y}"}]}}"#,
            "identity.map[0].to",
            "{y} is not a wildcard of \"from\"",
        ),
        (
            r#"{"identity": {"map": [{"from": "a", "to": "a\nb"}]}}"#,
            "identity.map[0].to",
            "a control character U+000A",
        ),
        // Peers that speak for others.
        (
            r#"{"certificate": {"forwarded_by": ["ingress"]}}"#,
            "certificate.forwarded_by[0]",
            "found \"ingress\": a SPIFFE ID begins with spiffe://",
        ),
        (
            r#"{"certificate": {"forwarded_by": ["spiffe://a/*"]}}"#,
            "certificate.forwarded_by[0]",
            "a path segment",
        ),
        // Pins.
        (r#"{"pins": []}"#, "pins", "expected an object"),
        (r#"{"pins": {"a": []}}"#, "pins.a", "found an empty list"),
        (
            r#"{"pins": {"a": "sha256:00"}}"#,
            "pins.a",
            "expected a list",
        ),
        (
            r#"{"pins": {"admin@example.com": ["sha256:00"]}}"#,
            "pins[\"admin@example.com\"][0]",
            "expected 64 hexadecimal digits",
        ),
        (
            r#"{"pins": {"a": ["md5:00"]}}"#,
            "pins.a[0]",
            "found \"md5:00\", expected \"sha256:\"",
        ),
        (
            r#"{"pins": {"a": ["spki-sha256:00"]}}"#,
            "pins.a[0]",
            "expected 44 characters of base64",
        ),
        (
            r#"{"pins": {" a": []}}"#,
            "pins[\" a\"]",
            "white space at an end",
        ),
        (r#"{"pins": {"": []}}"#, "pins[\"\"]", "an empty user"),
        (
            r#"{"pin_required": ["a", "b "]}"#,
            "pin_required[1]",
            "found \"b \": a user with white space",
        ),
        // Revocation.
        (
            r#"{"revoked": [{}]}"#,
            "revoked[0]",
            "needs either \"sha256\", or both \"issuer\" and \"serial\"",
        ),
        (
            r#"{"revoked": [{"issuer": "CN=a"}]}"#,
            "revoked[0]",
            "needs either",
        ),
        (
            r#"{"revoked": [{"sha256": "00", "issuer": "CN=a"}]}"#,
            "revoked[0]",
            "needs either",
        ),
        (
            r#"{"revoked": [{"sha256": null}]}"#,
            "revoked[0].sha256",
            "found null, expected a string",
        ),
        (
            r#"{"revoked": [{"sha256": "00"}]}"#,
            "revoked[0].sha256",
            "found \"00\", expected 64",
        ),
        (
            r#"{"revoked": [{"issuer": "a", "serial": "01"}]}"#,
            "revoked[0].issuer",
            "found \"a\": expected type=value",
        ),
        (
            r#"{"revoked": [{"issuer": "CN=a", "serial": "0x"}]}"#,
            "revoked[0].serial",
            "found \"0x\", expected hexadecimal",
        ),
        (
            r#"{"revoked": [{"issuer": "CN=a", "serial": ""}]}"#,
            "revoked[0].serial",
            "expected hexadecimal",
        ),
        // Authorization.
        (
            r#"{"authorization": null}"#,
            "authorization",
            "expected an object",
        ),
        (
            r#"{"authorization": {}}"#,
            "authorization",
            "denies everything: add a rule, or \"default\": \"allow\"",
        ),
        (
            r#"{"authorization": {"default": "deny", "rules": []}}"#,
            "authorization",
            "denies everything: add a rule, or \"default\": \"allow\"",
        ),
        (
            r#"{"authorization": {"default": "maybe"}}"#,
            "authorization.default",
            "expected \"allow\" or \"deny\"",
        ),
        (
            r#"{"authorization": {"rules": [{"action": "allow"}]}}"#,
            "authorization.rules[0]",
            "the key \"name\" is missing",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a"}]}}"#,
            "authorization.rules[0]",
            "the key \"action\" is missing",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "", "action": "allow"}]}}"#,
            "authorization.rules[0].name",
            "expected 1 to 64",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow"}, {"name": "a", "action": "deny"}]}}"#,
            "authorization.rules[1].name",
            "found \"a\" twice",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": []}]}}"#,
            "authorization.rules[0].identities",
            "found an empty list",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": ["*x"]}]}}"#,
            "authorization.rules[0].identities[0]",
            "found \"*x\", expected '*' beside",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": ["a*b"]}]}}"#,
            "authorization.rules[0].identities[0]",
            "'*' at one end only",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "organizations": [""]}]}}"#,
            "authorization.rules[0].organizations[0]",
            "expected an organization",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "methods": ["G T"]}]}}"#,
            "authorization.rules[0].methods[0]",
            "found \"G T\", expected a method",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "paths": ["mcp"]}]}}"#,
            "authorization.rules[0].paths[0]",
            "found \"mcp\", expected a path",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "paths": ["/a?b"]}]}}"#,
            "authorization.rules[0].paths[0]",
            "expected a path",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"a b": ["c"]}}]}}"#,
            "authorization.rules[0].headers[\"a b\"]",
            "is not a header name",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"a": []}}]}}"#,
            "authorization.rules[0].headers.a",
            "found an empty list",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"X_SSL_Client_Verify": ["SUCCESS"]}}]}}"#,
            "authorization.rules[0].headers",
            "expected a header that is not removed",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "path": ["/"]}]}}"#,
            "authorization.rules[0].path",
            "found the unknown key \"path\": did you mean \"paths\"?",
        ),
        // Limits.
        (
            r#"{"rate_limit": {"default": {"rate": "10"}}}"#,
            "rate_limit.default.rate",
            "found \"10\", expected a rate such as",
        ),
        (
            r#"{"rate_limit": {"default": {"burst": 1}}}"#,
            "rate_limit.default",
            "the key \"rate\" is missing",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "burst": -1}}}"#,
            "rate_limit.default.burst",
            "found -1, expected a whole number from 0 to 1000000",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "burst": 1000001}}}"#,
            "rate_limit.default.burst",
            "found 1000001, expected a whole number from 0 to 1000000",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "per": 1}}}"#,
            "rate_limit.default.per",
            "found the unknown key \"per\", expected \"rate\" or \"burst\"",
        ),
        (
            r#"{"rate_limit": {"default": "unlimited"}}"#,
            "rate_limit.default",
            "expected an object",
        ),
        (
            r#"{"rate_limit": {"default": null}}"#,
            "rate_limit.default",
            "expected an object",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": "none"}}}"#,
            "rate_limit.identities.a",
            "expected an object with a rate, or \"unlimited\"",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": {}}}}"#,
            "rate_limit.identities.a",
            "the key \"rate\" is missing",
        ),
        (
            r#"{"rate_limit": {"identities": {"*a": "unlimited"}}}"#,
            "rate_limit.identities[\"*a\"]",
            "expected '*' beside",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": "unlimited", "A": "unlimited"}}}"#,
            "rate_limit.identities",
            "found the key \"a\" twice",
        ),
        (
            r#"{"rate_limit": {"anonymous": {"rate": "0/s"}}}"#,
            "rate_limit.anonymous.rate",
            "found \"0/s\"",
        ),
        (
            r#"{"rate_limit": {"response_headers": "all"}}"#,
            "rate_limit.response_headers",
            "expected one of \"none\", \"draft\", \"legacy\"",
        ),
        // Observe and audit.
        (
            r#"{"observe": ["identity"]}"#,
            "observe[0]",
            "found \"identity\", expected one of \"pins\", \"authorization\", \"rate_limit\"",
        ),
        (
            r#"{"audit": {"log": "some"}}"#,
            "audit.log",
            "expected one of \"none\", \"denials\", \"all\"",
        ),
        (
            r#"{"audit": {"access_log": "yes"}}"#,
            "audit.access_log",
            "found \"yes\", expected true or false",
        ),
        // Headers.
        (
            r#"{"headers": {"user": ":path"}}"#,
            "headers.user",
            "\":path\" is a pseudo-header",
        ),
        (
            r#"{"headers": {"user": "a b"}}"#,
            "headers.user",
            "\"a b\" is not a header name",
        ),
        (
            r#"{"headers": {"user": ""}}"#,
            "headers.user",
            "\"\" is not a header name",
        ),
        (
            r#"{"headers": {"user": "Connection"}}"#,
            "headers.user",
            "\"Connection\" cannot be used: HTTP itself uses this header",
        ),
        (
            r#"{"headers": {"strip": ["te"]}}"#,
            "headers.strip[0]",
            "\"te\" cannot be used",
        ),
        (
            r#"{"headers": {"set": {"x-a": "users"}}}"#,
            "headers.set[\"x-a\"]",
            "found \"users\", expected one of \"user\", \"subject\"",
        ),
        (
            r#"{"headers": {"set": {"x a": "user"}}}"#,
            "headers.set[\"x a\"]",
            "\"x a\" is not a header name",
        ),
        (
            r#"{"headers": {"set": {"x-a": "user", "X-A": "user"}}}"#,
            "headers.set",
            "found the key \"x-a\" twice",
        ),
        (
            r#"{"headers": {"set": {"x-a": "user", "x_a": "user"}}}"#,
            "headers",
            "the same header",
        ),
        (
            r#"{"headers": {"set": {"x_ssl_client_s_dn_cn": "user"}}}"#,
            "headers",
            "headers.user are the same header",
        ),
    ] {
        let line = error(text);
        let (found, message) = line.split_once(": ").unwrap();
        assert_eq!(found, path, "{text}: {line}");
        assert!(message.contains(words), "{text}: {line}");
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
    assert_eq!(found.len(), 15, "{found:?}");
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
