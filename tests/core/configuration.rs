//! Configurations that are run, and the line that every other one gets.

use mtls_identity::config::Configuration;
use serde_json::json;

fn error(text: &str) -> String {
    match Configuration::parse(text.as_bytes()) {
        Ok(_) => panic!("{text} is accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn an_empty_configuration_is_valid_and_is_the_default() {
    let written_out = json!({
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
    });
    let default = Configuration::parse(b"{}").unwrap();
    for text in ["", " {}\n", &written_out.to_string()] {
        assert_eq!(Configuration::parse(text.as_bytes()), Ok(default.clone()));
    }
}

#[test]
fn every_error_names_its_path_what_was_found_and_what_is_expected() {
    for (text, path, words) in [
        // Not JSON, or not an object.
        ("nonsense", "configuration", "expected"),
        ("[]", "configuration", "expected an object"),
        ("null", "configuration", "expected an object"),
        ("\"{}\"", "configuration", "expected an object"),
        ("{} {}", "configuration", "trailing characters"),
        ("{", "configuration", "EOF"),
        (
            "{\"identity\": {\"sources\": [\"cn\"}}",
            "identity.sources",
            "expected",
        ),
        // Unknown and repeated keys.
        (
            r#"{"identify": {}}"#,
            "identify",
            "unknown field `identify`, expected",
        ),
        (
            r#"{"identity": {"source": ["cn"]}}"#,
            "identity.source",
            "unknown field `source`",
        ),
        (
            r#"{"Identity": {}}"#,
            "[\"Identity\"]",
            "unknown field `Identity`",
        ),
        (
            r#"{"headers": {}, "headers": {}}"#,
            "configuration",
            "duplicate field `headers`",
        ),
        (
            r#"{"headers": {"user": "a", "user": "a"}}"#,
            "headers",
            "duplicate field `user`",
        ),
        // Wrong types, and forms that a lenient reader would take.
        (
            r#"{"identity": []}"#,
            "identity",
            "invalid type: sequence, expected an object",
        ),
        (
            r#"{"identity": null}"#,
            "identity",
            "invalid type: null, expected an object",
        ),
        (
            r#"{"identity": {"sources": "cn"}}"#,
            "identity.sources",
            "expected a sequence",
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
            "unknown variant `allow`, expected `deny` or `strip`",
        ),
        (
            r#"{"identity": {"multiple_cn": "any"}}"#,
            "identity.multiple_cn",
            "expected one of `reject`, `first`, `last`",
        ),
        (
            r#"{"identity": {"charset": "UTF8"}}"#,
            "identity.charset",
            "expected `ascii` or `utf8`",
        ),
        (
            r#"{"certificate": {"validation": "none"}}"#,
            "certificate.validation",
            "expected `required` or `listener`",
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
            "unknown variant `CN`",
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
            "missing field `to`",
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
            "\"Connection\" frames the message",
        ),
        (
            r#"{"headers": {"strip": ["te"]}}"#,
            "headers.strip[0]",
            "\"te\" frames the message",
        ),
        (
            r#"{"headers": {"set": {"x-a": "users"}}}"#,
            "headers.set[\"x-a\"]",
            "unknown variant `users`, expected one of `user`, `subject`",
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
