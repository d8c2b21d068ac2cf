//! Names of the subjectAltName, the order of sources, and maps: who each certificate is.

use serde_json::json;

use crate::decision::{configuration, issue, serve};
use crate::identity::names::{AMBIGUOUS, INVALID, NONE, UNREADABLE, assert_rows};
use crate::leaf::{
    Leaf, common_name as cn, organization as o, san_dns, san_email, san_ip, san_uri,
};

/// Certificates with these entries in subjectAltName and `CN=cn`, read from one source.
fn assert_names(source: &str, rows: &[(&[Vec<u8>], &str)]) {
    let rows = rows.iter().map(|(names, expected)| {
        let leaf = Leaf::of([cn("cn")]);
        let leaf = match names {
            [] => leaf,
            names => leaf.subject_alt_names(names),
        };
        (leaf, (*expected).to_owned())
    });
    assert_rows(&json!({"sources": [source]}), rows);
}

#[test]
fn an_email_is_the_only_one_and_has_one_form() {
    assert_names(
        "email",
        &[
            (&[san_email("Admin@Example.com")], "admin@example.com"),
            (
                &[san_dns("a.example.com"), san_email("a@example.com")],
                "a@example.com",
            ),
            (
                &[san_email("a@example.com"), san_email("b@example.com")],
                AMBIGUOUS,
            ),
            (
                &[san_email("a@example.com"), san_email("a@example.com")],
                AMBIGUOUS,
            ),
            (&[], NONE),
            (&[san_dns("a.example.com")], NONE),
            (&[san_email("")], NONE),
            (&[san_email("a")], INVALID),
            (&[san_email("a@b@c")], INVALID),
            (&[san_email("\"a\"@example.com")], INVALID),
            (&[san_email("a@example.com\0.evil.com")], INVALID),
            (&[san_email("a@example.com\r\nb")], INVALID),
            (&[san_email("a b@example.com")], INVALID),
            (&[san_email("a@example.com.")], INVALID),
            (&[san_email("\u{e4}@example.com")], UNREADABLE),
        ],
    );
}

#[test]
fn a_dns_name_is_the_only_one_and_no_wildcard() {
    assert_names(
        "dns",
        &[
            (&[san_dns("Agent.Example.com")], "agent.example.com"),
            (
                &[san_dns("a.example.com"), san_ip(&[127, 0, 0, 1])],
                "a.example.com",
            ),
            (&[san_dns("a"), san_dns("b")], AMBIGUOUS),
            (&[san_email("a@example.com")], NONE),
            (&[san_dns("*.example.com")], INVALID),
            (&[san_dns("example.com.")], INVALID),
            (&[san_dns("a..b")], INVALID),
            (&[san_dns("")], NONE),
            (&[san_dns("a.example.com\0.evil.com")], INVALID),
            (&[san_dns("a.example.com,b")], INVALID),
            (&[san_dns("b\u{fc}cher.example")], UNREADABLE),
        ],
    );
}

#[test]
fn a_uri_is_the_only_one_and_is_kept() {
    assert_names(
        "uri",
        &[
            (
                &[san_uri("https://example.com/Users/A?b=C")],
                "https://example.com/Users/A?b=C",
            ),
            (&[san_uri("spiffe://a/ns/B")], "spiffe://a/ns/B"),
            (&[san_uri("urn:uuid:F81D4FAE")], "urn:uuid:F81D4FAE"),
            (
                &[san_uri("spiffe://a/b"), san_uri("https://a/b")],
                AMBIGUOUS,
            ),
            (&[san_dns("a")], NONE),
            (&[san_uri("HTTPS://Example.com/A")], "https://example.com/A"),
            (&[san_uri("SPIFFE://a/b")], INVALID),
            (&[san_uri("spiffe://A/b")], INVALID),
            (&[san_uri("mailto:a@example.com")], INVALID),
            (&[san_uri("a/b")], INVALID),
            (&[san_uri("https://a/ b")], INVALID),
            (&[san_uri("https://a/\"b")], INVALID),
            (&[san_uri("https://")], INVALID),
            (&[san_uri("")], NONE),
        ],
    );
}

#[test]
fn a_spiffe_id_is_the_only_uri_of_its_certificate() {
    let id = "spiffe://cluster.local/ns/mcp/sa/Agent";
    assert_names(
        "spiffe",
        &[
            (&[san_uri(id)], id),
            (&[san_dns("a"), san_uri(id)], id),
            (&[san_uri("https://a/b")], NONE),
            (&[], NONE),
            (
                &[
                    san_uri(id),
                    san_uri("spiffe://cluster.local/ns/mcp/sa/admin"),
                ],
                AMBIGUOUS,
            ),
            (&[san_uri("https://a/b"), san_uri(id)], AMBIGUOUS),
            (&[san_uri("SPIFFE://cluster.local/a")], INVALID),
            (&[san_uri("spiffe:cluster.local/a")], INVALID),
            (&[san_uri("spiffe://Cluster.local/a")], INVALID),
            (&[san_uri("spiffe://cluster.local/a/../b")], INVALID),
            (&[san_uri("spiffe://cluster.local/a,Hash=b")], INVALID),
            (&[san_uri("spiffe://cluster.local/a;Cert=\"b\"")], INVALID),
        ],
    );
}

#[test]
fn the_first_source_that_is_present_decides() {
    let id = "spiffe://a/b";
    let of = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
    let all = || of(&[san_email("e@example.com"), san_dns("d"), san_uri(id)]);
    for (sources, leaf, expected) in [
        (json!(["spiffe", "email", "cn"]), all(), id),
        (json!(["email", "spiffe", "cn"]), all(), "e@example.com"),
        (json!(["dns", "cn"]), all(), "d"),
        (json!(["email", "cn"]), of(&[san_dns("d")]), "cn"),
        (json!(["email", "cn"]), Leaf::of([cn("cn")]), "cn"),
        // What is present and bad is not passed over.
        (json!(["email", "cn"]), of(&[san_email("bad")]), INVALID),
        (
            json!(["email", "cn"]),
            of(&[san_email("a@b"), san_email("c@d")]),
            AMBIGUOUS,
        ),
        (
            json!(["spiffe", "cn"]),
            of(&[san_uri("spiffe://A/b")]),
            INVALID,
        ),
        (json!(["spiffe", "cn"]), of(&[san_uri("https://a/b")]), "cn"),
        (
            json!(["cn", "email"]),
            Leaf::of([cn("")]).subject_alt_names(&[san_email("a@b")]),
            "a@b",
        ),
        (
            json!(["cn", "email"]),
            Leaf::of([]).subject_alt_names(&[san_email("a@b")]),
            "a@b",
        ),
        (
            json!(["subject"]),
            Leaf::of([o("Acme"), cn("Alice")]),
            "cn=alice,o=acme",
        ),
        (json!(["subject"]), Leaf::of([cn("a\0b")]), r"cn=a\00b"),
        (json!(["subject"]), Leaf::of([]), NONE),
        (json!(["subject"]), Leaf::of([o(&"a".repeat(255))]), INVALID),
    ] {
        assert_rows(&json!({"sources": sources}), [(leaf, expected.to_owned())]);
    }
    let certificate = issue(&Leaf::of([]));
    let sha256 = crate::openssl::ask(&["x509", "-noout", "-fingerprint", "-sha256"], &certificate);
    let expected = sha256
        .split_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase();
    let by_fingerprint = configuration(&json!({"identity": {"sources": ["fingerprint"]}}));
    let served = serve(&by_fingerprint, &certificate);
    // Or the same of the certificate's ECDSA twin.
    let identity = served.decision.evidence().identity().unwrap();
    assert!(identity.names().any(|name| name.as_str() == expected));
}

#[test]
fn a_mapped_name_is_the_user() {
    let identity = json!({
        "sources": ["spiffe", "email", "cn"],
        "map": [
            {"from": "spiffe://cluster.local/ns/mcp/sa/root", "to": "Admin@example.com"},
            {"from": "spiffe://cluster.local/ns/{ns}/sa/{sa}", "to": "{sa}@{ns}.example.com"},
            {"from": "{user}@Old.example.com", "to": "{user}@example.com"},
        ],
    });
    let spiffe = |id: &str| Leaf::of([]).subject_alt_names(&[san_uri(id)]);
    let rows = [
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/root"),
            "admin@example.com",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/agent"),
            "agent@mcp.example.com",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/a.b-c"),
            "a.b-c@mcp.example.com",
        ),
        (
            spiffe("spiffe://other.local/ns/mcp/sa/root"),
            "spiffe://other.local/ns/mcp/sa/root",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/root/x"),
            "spiffe://cluster.local/ns/mcp/sa/root/x",
        ),
        (spiffe("spiffe://cluster.local/ns/mcp/sa/Root"), INVALID),
        (Leaf::of([cn("Eve@OLD.example.com")]), "eve@example.com"),
        (
            Leaf::of([cn("eve@evil@old.example.com")]),
            "eve@evil@old.example.com",
        ),
        (
            Leaf::of([cn("eve@old.example.com.evil")]),
            "eve@old.example.com.evil",
        ),
    ];
    assert_rows(
        &identity,
        rows.map(|(leaf, expected)| (leaf, expected.to_owned())),
    );
}
