//! Certificates, configurations and requests, and what becomes of them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::certs::{Authority, Credentials};
use crate::harness::forged::FORGED;
use crate::harness::leaf::{
    Leaf, common_name as cn, organization as o, organizational_unit as ou, san_dns, san_email,
    san_uri,
};

const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const WORKLOAD: &str = "spiffe://cluster.local/ns/mcp/sa/agent";

/// The certificates of the table by their names.
pub(super) fn certificates(authority: &Authority) -> BTreeMap<&'static str, Credentials> {
    let admin = authority.issue(&person("admin@example.com"));
    let key = KeyPair::from_pem(&admin.key_pem()).unwrap();
    let renewed = authority.issue_for(key, &person("Admin@Example.com").serial(&[7]));
    let leaves = people().into_iter().chain(others());
    let issued = leaves.map(|(name, leaf)| (name, authority.issue(&leaf)));
    issued
        .chain([("admin", admin), ("admin-renewed", renewed)])
        .collect()
}

fn person(name: &str) -> Leaf {
    Leaf::of([cn(name)])
}

/// Those whose CN counts.
fn people() -> [(&'static str, Leaf); 14] {
    let now = SystemTime::now();
    let hour = Duration::from_secs(3600);
    let alice = Leaf::of([o("Acme"), ou("People"), cn("Alice@Example.com")]);
    let two_companies = Leaf::of([o("Acme"), o("Evil"), cn(ALICE)]);
    [
        ("alice", alice.serial(&[0xa1])),
        ("bob", person("bob@example.com").serial(&[0xb0])),
        ("eve", person("eve@evil-example.com")),
        ("admin-other", person("admin@example.com")),
        ("expired", person(ALICE).not_after(now - hour)),
        ("early", person(ALICE).not_before(now + hour)),
        (
            "two-cns",
            Leaf::of([cn("a@example.com"), cn("b@example.com")]),
        ),
        ("two-companies", two_companies),
        ("spaced", person("alice@example.com ")),
        ("control", person("alice\n@example.com")),
        ("umlaut", person("zoë@example.com")),
        ("upper-umlaut", person("ZOË@example.com")),
        ("bidi", person("a\u{202e}b")),
        ("uri-as-cn", person(WORKLOAD)),
    ]
}

/// Those with a subjectAltName, or with nothing.
fn others() -> [(&'static str, Leaf); 10] {
    let named = |cn: &str, names: &[Vec<u8>]| person(cn).subject_alt_names(names);
    let unnamed = |names: &[Vec<u8>]| Leaf::of([]).subject_alt_names(names);
    let many = (0..140).map(|number| san_dns(&format!("{number:03}.{}", "x".repeat(70))));
    let two_emails = [san_email("a@b.c"), san_email("d@e.f")];
    [
        ("nobody", Leaf::of([o("Acme")])),
        ("long", named("x", &[san_email(&"y".repeat(255))])),
        ("email", named("Zed", &[san_email("Carol@Example.com")])),
        ("two-emails", named("Zed", &two_emails)),
        ("dns", unnamed(&[san_dns("Host.example.com")])),
        ("wildcard", unnamed(&[san_dns("*.example.com")])),
        ("workload", unnamed(&[san_uri(WORKLOAD)])),
        (
            "two-uris",
            unnamed(&[san_uri("spiffe://a/b"), san_uri("spiffe://a/c")]),
        ),
        ("edge", named("edge", &[san_uri(EDGE)])),
        ("large", named(ALICE, &many.collect::<Vec<_>>())),
    ]
}

/// The configurations of the table by their names.
pub(super) fn configurations(
    certificates: &BTreeMap<&str, Credentials>,
) -> BTreeMap<&'static str, Value> {
    let bob = certificates["bob"].sha256();
    let mut observed = rules();
    observed["observe"] = json!(["pins", "authorization"]);
    observed["pin_required"] = json!(["bob@example.com"]);
    observed["pins"] = json!({ALICE: [format!("sha256:{bob}")]});
    BTreeMap::from([
        ("plain", json!({})),
        ("values", values()),
        ("strip", strip()),
        ("sources", sources()),
        ("checks", checks(certificates)),
        ("rules", rules()),
        ("observed", observed),
        (
            "mesh",
            json!({
                "certificate": {"forwarded_by": [EDGE]},
                "headers": {"set": {"x-fingerprint": "fingerprint"}},
            }),
        ),
    ])
}

/// Every value that a header can have.
fn values() -> Value {
    json!({"headers": {"user": "X_User", "strip": ["x-role"], "set": {
        "x-subject": "subject", "x-issuer": "issuer", "x-organization": "organization",
        "x-unit": "organizational_unit", "x-serial": "serial", "x-spki": "spki",
        "x-fingerprint": "fingerprint", "x-dns": "san_dns", "x-not-before": "not_before",
        "x-not-after": "not_after", "client-cert": "certificate_rfc9440",
        "x-pem": "certificate_escaped", "x-email": "san_email", "x-same": "user",
        "x-uri": "san_uri", "x-spiffe": "spiffe",
    }}})
}

fn strip() -> Value {
    json!({"identity": {"missing": "strip"}, "authorization": {"default": "deny", "rules": [
        {"name": "staff", "action": "allow", "identities": ["*@example.com"]},
        {"name": "open", "action": "allow", "paths": ["/open"]},
    ]}})
}

fn sources() -> Value {
    let to = "{sa}@{ns}.example.com";
    json!({"identity": {
        "sources": ["spiffe", "email", "dns", "cn"],
        "charset": "utf8",
        "multiple_cn": "last",
        "map": [{"from": "spiffe://cluster.local/ns/{ns}/sa/{sa}", "to": to}],
    }})
}

fn checks(certificates: &BTreeMap<&str, Credentials>) -> Value {
    let admin = certificates["admin"].key().subject_public_key_info();
    let admin = format!("spki-sha256:{}", BASE64.encode(&Sha256::digest(admin)));
    json!({
        "pins": {"ADMIN@example.com": [admin]},
        "pin_required": ["root@example.com", "bob@example.com"],
        "revoked": [
            {"sha256": certificates["eve"].sha256()},
            {"issuer": "cn=test ca", "serial": "A1"},
        ],
    })
}

fn rules() -> Value {
    json!({"authorization": {"rules": [
        {"name": "no-deletes", "action": "deny", "methods": ["delete"]},
        {"name": "tools", "action": "allow", "identities": ["*@EXAMPLE.com"], "methods": ["POST"],
            "paths": ["/mcp"], "headers": {"mcp-method": ["tools/*", "ping"]}},
        {"name": "read", "action": "allow", "identities": ["*@example.com"], "methods": ["GET"],
            "paths": ["/servers/*"]},
        {"name": "acme", "action": "allow", "organizations": ["acme"], "paths": ["/partners"]},
    ]}})
}

/// A request: configuration, certificate (or none), method, path, headers; and what becomes of it: the user, or
/// `anonymous`, or the reason of the denial.
pub(super) type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const NOTHING: &[(&str, &str)] = &[];
const XFCC: &str = "x-forwarded-client-cert";
const DENIED: &str = "not_authorized";
const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

#[rustfmt::skip]
pub(super) const CASES: [Case; 77] = [
    ("plain", "alice", "GET", "/", NOTHING, ALICE),
    ("plain", "alice", "POST", "/any?a=b", &[("x-ssl-client-s-dn-cn", FORGED)], ALICE),
    ("plain", "alice", "GET", "/", &[("x_ssl_client_verify", FORGED), ("x-authenticated-user", FORGED)], ALICE),
    ("plain", "alice", "GET", "/", &[("connection", "upgrade, x-ssl-client-verify"), ("upgrade", "websocket")], "malformed_request"),
    ("plain", "", "GET", "/", NOTHING, "no_certificate"),
    ("plain", "", "GET", "/", &[("x-ssl-client-s-dn-cn", FORGED)], "no_certificate"),
    ("plain", "", "GET", "/", &[(XFCC, "{alice}")], "no_certificate"),
    ("plain", "alice", "GET", "/", &[(XFCC, "{admin}")], ALICE),
    ("plain", "expired", "GET", "/", NOTHING, "certificate_expired"),
    ("plain", "early", "GET", "/", NOTHING, "certificate_not_yet_valid"),
    ("plain", "nobody", "GET", "/", NOTHING, "no_identity"),
    ("plain", "workload", "GET", "/", NOTHING, "no_identity"),
    ("plain", "two-cns", "GET", "/", NOTHING, "ambiguous_identity"),
    ("plain", "spaced", "GET", "/", NOTHING, "invalid_identity"),
    ("plain", "control", "GET", "/", NOTHING, "invalid_identity"),
    ("plain", "umlaut", "GET", "/", NOTHING, "invalid_identity"),
    ("plain", "uri-as-cn", "GET", "/", NOTHING, "invalid_identity"),
    ("plain", "two-companies", "GET", "/", NOTHING, ALICE),
    ("values", "alice", "GET", "/", NOTHING, ALICE),
    ("values", "alice", "GET", "/", &[("x-role", FORGED), ("x-user", FORGED), ("X_Subject", FORGED)], ALICE),
    ("values", "bob", "GET", "/", NOTHING, "bob@example.com"),
    ("values", "email", "GET", "/", NOTHING, "zed"),
    ("values", "edge", "GET", "/", NOTHING, "edge"),
    ("values", "two-companies", "GET", "/", NOTHING, ALICE),
    ("values", "large", "GET", "/", NOTHING, "header_too_large"),
    ("values", "", "GET", "/", NOTHING, "no_certificate"),
    ("strip", "alice", "GET", "/", NOTHING, ALICE),
    ("strip", "", "GET", "/open", NOTHING, "anonymous"),
    ("strip", "", "GET", "/open?a", &[("x-ssl-client-s-dn-cn", FORGED)], "anonymous"),
    ("strip", "", "GET", "/closed", NOTHING, DENIED),
    ("strip", "nobody", "GET", "/open", NOTHING, "anonymous"),
    ("strip", "two-cns", "GET", "/open", NOTHING, "ambiguous_identity"),
    ("strip", "expired", "GET", "/open", NOTHING, "certificate_expired"),
    ("strip", "eve", "GET", "/open", NOTHING, "eve@evil-example.com"),
    ("strip", "eve", "GET", "/", NOTHING, DENIED),
    ("sources", "workload", "GET", "/", NOTHING, "agent@mcp.example.com"),
    ("sources", "edge", "GET", "/", NOTHING, EDGE),
    ("sources", "two-uris", "GET", "/", NOTHING, "ambiguous_identity"),
    ("sources", "email", "GET", "/", NOTHING, "carol@example.com"),
    ("sources", "two-emails", "GET", "/", NOTHING, "ambiguous_identity"),
    ("sources", "long", "GET", "/", NOTHING, "invalid_identity"),
    ("sources", "dns", "GET", "/", NOTHING, "host.example.com"),
    ("sources", "wildcard", "GET", "/", NOTHING, "invalid_identity"),
    ("sources", "umlaut", "GET", "/", NOTHING, "zoë@example.com"),
    ("sources", "upper-umlaut", "GET", "/", NOTHING, "zoë@example.com"),
    ("sources", "bidi", "GET", "/", NOTHING, "invalid_identity"),
    ("sources", "two-cns", "GET", "/", NOTHING, "b@example.com"),
    ("sources", "nobody", "GET", "/", NOTHING, "no_identity"),
    ("checks", "admin", "GET", "/", NOTHING, ADMIN),
    ("checks", "admin-renewed", "GET", "/", NOTHING, ADMIN),
    ("checks", "admin-other", "GET", "/", NOTHING, "pin_mismatch"),
    ("checks", "bob", "GET", "/", NOTHING, "pin_required"),
    ("checks", "eve", "GET", "/", NOTHING, "revoked"),
    ("checks", "alice", "GET", "/", NOTHING, "revoked"),
    ("checks", "email", "GET", "/", NOTHING, "zed"),
    ("rules", "alice", "POST", "/mcp", &[("mcp-method", "tools/call")], ALICE),
    ("rules", "alice", "POST", "/mcp?x", &[("Mcp-Method", "ping")], ALICE),
    ("rules", "alice", "POST", "/mcp", &[("mcp-method", "ping"), ("mcp-method", "drop")], DENIED),
    ("rules", "alice", "POST", "/mcp", &[("mcp-method", "resources/read")], DENIED),
    ("rules", "alice", "POST", "/mcp", NOTHING, DENIED),
    ("rules", "alice", "GET", "/mcp", &[("mcp-method", "ping")], DENIED),
    ("rules", "alice", "GET", "/servers/1", NOTHING, ALICE),
    ("rules", "alice", "GET", "/servers/../mcp", NOTHING, DENIED),
    ("rules", "alice", "GET", "/servers//1", NOTHING, DENIED),
    ("rules", "alice", "GET", "/servers/%2e%2e", NOTHING, DENIED),
    ("rules", "alice", "GET", "/servers/a%2fb", NOTHING, DENIED),
    ("rules", "eve", "GET", "/servers/1", NOTHING, DENIED),
    ("rules", "alice", "DELETE", "/servers/1", NOTHING, DENIED),
    ("rules", "alice", "PUT", "/partners", NOTHING, ALICE),
    ("rules", "two-companies", "PUT", "/partners", NOTHING, ALICE),
    ("observed", "alice", "DELETE", "/", NOTHING, ALICE),
    ("observed", "bob", "GET", "/servers/1", NOTHING, "bob@example.com"),
    ("observed", "expired", "GET", "/", NOTHING, "certificate_expired"),
    ("mesh", "edge", "GET", "/", NOTHING, "no_certificate"),
    ("mesh", "edge", "GET", "/", &[(XFCC, "{alice}")], ALICE),
    ("mesh", "edge", "GET", "/", &[(XFCC, "{alice},{bob}")], "forwarded_ambiguous"),
    ("mesh", "alice", "GET", "/", &[(XFCC, "{bob}")], ALICE),
];
