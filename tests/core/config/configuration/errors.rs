//! What every configuration that is not run is told: its path, what was found, and what is expected.

use super::error;

pub(super) fn assert_refused(text: &str, path: &str, words: &str) {
    let line = error(text);
    let (found, message) = line.split_once(": ").unwrap();
    assert_eq!(found, path, "{text}: {line}");
    assert!(message.contains(words), "{text}: {line}");
}

#[test]
fn errors_of_the_form_of_identities_and_of_certificates_name_path_and_value() {
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
            r#"{"certificate": {"bound": "required"}}"#,
            "certificate.bound_metadata",
            "is missing, and \"bound\" needs it",
        ),
        (
            r#"{"certificate": {"bound": "if_present", "bound_metadata": ""}}"#,
            "certificate.bound_metadata",
            "found \"\", expected a key such as \"jwt_payload\"",
        ),
        (
            r#"{"certificate": {"forwarded_by": ["ingress"]}}"#,
            "certificate.forwarded_by[0]",
            "found \"ingress\": a SPIFFE ID begins with spiffe://; expected a SPIFFE ID, or a pin",
        ),
        (
            r#"{"certificate": {"forwarded_by": ["spiffe://a", "SHA256:0a"]}}"#,
            "certificate.forwarded_by[1]",
            "expected 64 hexadecimal digits behind \"sha256:\"",
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
            "needs either \"sha256\", or \"issuer\" and one of \"serial\" and \"serials\"",
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
    ] {
        assert_refused(text, path, words);
    }
}
