//! Revocation, pins and authorization: in their order, with their reasons, enforced or observed.

use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use mtls_identity::certificate::PeerCertificate;
use mtls_identity::rules::comparable_group;
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::certs::{Authority, Credentials};
use crate::decision::{configuration, issue, now, outcome, serve, serve_at, serve_head, validated};
use crate::leaf::{Attribute, Leaf, common_name as cn, organization as o, san_uri};

fn sha256_pin(der: &[u8]) -> String {
    let certificate = PeerCertificate::from_der(der.to_vec()).unwrap();
    format!("sha256:{}", HEXLOWER.encode(certificate.sha256()))
}

fn spki_pin(der: &[u8]) -> String {
    let certificate = PeerCertificate::from_der(der.to_vec()).unwrap();
    format!("spki-sha256:{}", BASE64.encode(certificate.spki_sha256()))
}

fn outcome_with(value: &Value, certificate: &[u8]) -> String {
    outcome(&serve(&configuration(value), certificate))
}

#[test]
fn a_pin_is_to_a_certificate_or_to_a_key() {
    let authority = Authority::new();
    let key =
        || KeyPair::from_pkcs8_pem_and_sign_algo(KEY, &rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let leaf = Leaf::of([cn("Admin@Example.com")]);
    let der = |credentials: Credentials| credentials.certificate().to_vec();
    let first = der(authority.issue_for(key(), &leaf));
    let renewed = der(authority.issue_for(key(), &leaf.clone().serial(&[7])));
    let other_key = der(authority.issue(&leaf));
    let user = "admin@example.com";
    for (pins, certificate, expected) in [
        (vec![sha256_pin(&first)], &first, user),
        (vec![sha256_pin(&first)], &renewed, "pin_mismatch"),
        (vec![sha256_pin(&first)], &other_key, "pin_mismatch"),
        (vec![spki_pin(&first)], &first, user),
        (vec![spki_pin(&first)], &renewed, user),
        (vec![spki_pin(&first)], &other_key, "pin_mismatch"),
        (
            vec![sha256_pin(&first), spki_pin(&other_key)],
            &other_key,
            user,
        ),
    ] {
        let value = json!({"pins": {"ADMIN@example.com": pins}});
        assert_eq!(outcome_with(&value, certificate), expected, "{pins:?}");
    }
}

/// A key of the tests, so that a certificate can be renewed with it.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtcB4YIYik2q61xVS
LkYHbavZGSCYPSn5Obgm36elgWyhRANCAAQPiSHrsSx/x2ILBcLzAMFIx0IICHQf
Fw5afX2t1ABVbaeSnLWAZMTAtG/5YWXBwaV/z0hJkL0iZzuMhE90Ccvl
-----END PRIVATE KEY-----
";

#[test]
fn who_must_have_a_pin_never_passes_without_a_matching_one() {
    let admin = issue(&Leaf::of([cn("admin@example.com")]));
    let user = issue(&Leaf::of([cn("user@example.com")]));
    let required = json!(["Admin@example.com"]);
    for (pins, certificate, expected) in [
        (json!({}), &admin, "pin_required"),
        (json!({}), &user, "user@example.com"),
        (
            json!({"ADMIN@EXAMPLE.COM": [sha256_pin(&user)]}),
            &admin,
            "pin_mismatch",
        ),
        (
            json!({"ADMIN@EXAMPLE.COM": [sha256_pin(&admin)]}),
            &admin,
            "admin@example.com",
        ),
        (
            json!({"other@example.com": [sha256_pin(&admin)]}),
            &admin,
            "pin_required",
        ),
    ] {
        let value = json!({"pins": pins, "pin_required": required});
        assert_eq!(outcome_with(&value, certificate), expected, "{pins}");
    }
}

#[test]
fn a_principal_without_a_certificate_matches_no_pin() {
    let id = "spiffe://cluster.local/ns/mcp/sa/agent";
    let attributes = mtls_identity::identity::ConnectionAttributes {
        peer_principal: Some(id.as_bytes()),
        ..Default::default()
    };
    let pin = sha256_pin(&issue(&Leaf::of([])));
    for (pins, required, expected) in [
        (json!({}), json!([]), id),
        (json!({}), json!([id]), "pin_required"),
        (json!({id: [pin]}), json!([]), "pin_mismatch"),
    ] {
        let value = json!({
            "identity": {"sources": ["spiffe"]},
            "pins": pins,
            "pin_required": required,
        });
        let configuration = configuration(&value);
        let served = serve_head(&configuration, &attributes, &[], now());
        assert_eq!(outcome(&served), expected);
    }
}

#[test]
fn what_is_revoked_is_refused_however_it_is_written() {
    let certificate = issue(&Leaf::of([cn("a")]).serial(&[0x0a, 0xbc, 0xde]));
    let parsed = PeerCertificate::from_der(certificate.clone()).unwrap();
    let upper = HEXUPPER.encode(parsed.sha256());
    let bytes: Vec<_> = parsed
        .sha256()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    for (revoked, expected) in [
        (json!({"sha256": upper}), "revoked"),
        (json!({"sha256": bytes.join(":")}), "revoked"),
        (json!({"sha256": "00".repeat(32)}), "a"),
        (
            json!({"issuer": "CN=Test CA", "serial": "0abcde"}),
            "revoked",
        ),
        (
            json!({"issuer": "cn = test ca", "serial": "ABCDE"}),
            "revoked",
        ),
        (
            json!({"issuer": r"CN=Test\20CA", "serial": "00:0A:BC:DE"}),
            "revoked",
        ),
        (
            json!({"issuer": "2.5.4.3=Test CA", "serial": "abcde"}),
            "revoked",
        ),
        (json!({"issuer": "CN=Test CA", "serial": "0abcdf"}), "a"),
        (json!({"issuer": "CN=Other CA", "serial": "0abcde"}), "a"),
        (json!({"issuer": "CN=Test CA,O=x", "serial": "0abcde"}), "a"),
    ] {
        let value = json!({"revoked": [revoked]});
        assert_eq!(outcome_with(&value, &certificate), expected, "{revoked}");
    }
}

/// RFC 4514 writes a name from its end, OpenSSL from its beginning: at 3 a.m. either must do.
#[test]
fn an_issuer_may_be_written_from_either_end() {
    let certificate = std::fs::read("tests/fixtures/long-issuer.der").unwrap();
    let parsed = PeerCertificate::from_der(certificate.clone()).unwrap();
    let serial = parsed.serial().to_string();
    let printed = crate::openssl::ask(&["x509", "-noout", "-issuer"], &certificate);
    let by_openssl = printed.strip_prefix("issuer=").unwrap().to_owned();
    for issuer in [parsed.issuer().unwrap().to_string(), by_openssl] {
        let value = json!({"revoked": [{"issuer": issuer, "serial": serial}]});
        let at = parsed.not_before();
        let served = serve_at(&configuration(&value), &certificate, at)
            .decision
            .reason();
        assert_eq!(
            served,
            Some(mtls_identity::reason::Reason::Revoked),
            "{issuer}"
        );
    }
}

#[test]
fn a_rule_that_denies_is_not_escaped_by_another_spelling() {
    let user = issue(&Leaf::of([cn("u"), o("M\u{fc}ller")]));
    let latin = Attribute::new("2.5.4.10", crate::der::TELETEX_STRING, b"M\xfcller");
    let unreadable = issue(&Leaf::of([cn("u"), latin]));
    let deny = |condition: Value| {
        let mut rule = json!({"name": "no", "action": "deny"});
        rule.as_object_mut()
            .unwrap()
            .extend(condition.as_object().unwrap().clone());
        json!({"default": "allow", "rules": [rule]})
    };
    let no_delete = deny(json!({"methods": ["DELETE"]}));
    let no_mueller = deny(json!({"organizations": ["M\u{dc}LLER"]}));
    let no_call = deny(json!({"headers": {"mcp-method": ["tools/call"]}}));
    let no_admin = deny(json!({"paths": ["/admin/*"]}));
    let no_two_words = deny(json!({"organizations": ["Evil Corp"]}));
    let two_words = issue(&Leaf::of([cn("u"), o("evil  CORP ")]));
    let no_at = deny(json!({"paths": ["/a@b"]}));
    for (rules, certificate, head) in [
        (&no_delete, &user, (":method", "delete")),
        (&no_delete, &user, (":method", "DELETE")),
        (&no_mueller, &user, (":path", "/")),
        (&no_mueller, &unreadable, (":path", "/")),
        (&no_call, &user, ("mcp_method", "tools/call")),
        (&no_call, &user, ("mcp-method", "tools/call")),
        (&no_call, &user, ("mcp-method", " tools/call\t")),
        (&no_call, &user, ("mcp-method", "ping, tools/call")),
        (&no_call, &user, ("mcp-method", "tools/call,")),
        (&no_admin, &user, (":path", "/admin/")),
        (&no_admin, &user, (":path", "/admin/?x")),
        (&no_admin, &user, (":path", "/admin/users")),
        (&no_two_words, &two_words, (":path", "/")),
        (&no_at, &user, (":path", "/a%40b")),
        (&no_at, &user, (":path", "/a%2540b")),
    ] {
        assert_eq!(
            authorize(rules, certificate, &[head]),
            "not_authorized no",
            "{head:?}"
        );
    }
    let allow = json!({"rules": [{"name": "s", "action": "allow", "paths": ["/servers/*"]}]});
    for path in [
        "/servers/%252e%252e/admin",
        "/servers/%C3",
        "/servers/%C0%AF",
    ] {
        assert_eq!(
            authorize(&allow, &user, &[(":path", path)]),
            "not_authorized default",
            "{path}"
        );
    }
    for path in [
        "/servers/%C3%A9",
        "/servers/%c3%a9",
        "/servers/a%40b",
        "/servers/",
    ] {
        assert_eq!(
            authorize(&allow, &user, &[(":path", path)]),
            "u s",
            "{path}"
        );
    }
}

/// Who asks for what, and by which rule it is decided.
fn authorize(rules: &Value, certificate: &[u8], head: &[(&str, &str)]) -> String {
    let configuration = configuration(&json!({"authorization": rules}));
    let pem = mtls_identity::certificate::pem::encode(certificate);
    let served = serve_head(&configuration, &validated(&pem), head, now());
    let rule = served.decision.evidence().rule.unwrap_or("default");
    format!("{} {rule}", outcome(&served))
}

const DENIED: &str = "not_authorized";

#[test]
fn an_organization_has_no_case() {
    for (one, other) in [
        ("ACME  Ltd ", "acme ltd"),
        ("M\u{dc}LLER", "m\u{fc}ller"),
        (
            "\u{39f}\u{394}\u{39f}\u{3a3}",
            "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
        ),
    ] {
        assert_eq!(comparable_group(one), comparable_group(other));
        assert_eq!(comparable_group(one), comparable_group(&one.to_lowercase()));
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = json!({"default": "deny", "rules": [
        {"name": "no-eve", "action": "deny", "identities": ["eve@example.com"]},
        {"name": "reads", "action": "allow", "methods": ["get"], "identities": ["*@Example.com"]},
        {"name": "partners", "action": "allow", "organizations": ["ACME"], "paths": ["/mcp", "/servers/*"]},
        {"name": "public", "action": "allow", "paths": ["/health"]},
    ]});
    let user = issue(&Leaf::of([cn("user@example.com")]));
    let eve = issue(&Leaf::of([cn("Eve@example.com"), o("Acme")]));
    let near = issue(&Leaf::of([cn("eve@evil-example.com")]));
    let partner = issue(&Leaf::of([cn("p"), o("Acme")]));
    let both = issue(&Leaf::of([cn("p"), o("Acme"), o("Evil")]));
    let get = |path| [(":method", "GET"), (":path", path)];
    let post = |path| [(":method", "POST"), (":path", path)];
    for (certificate, head, expected) in [
        (&user, get("/any"), "user@example.com reads"),
        (&user, post("/any"), "not_authorized default"),
        (
            &user,
            [(":method", "get"), (":path", "/any")],
            "not_authorized default",
        ),
        (&eve, get("/mcp"), "not_authorized no-eve"),
        (&near, get("/any"), "not_authorized default"),
        (&partner, post("/mcp"), "p partners"),
        (&partner, post("/mcp?a=/b/../c"), "p partners"),
        (&partner, post("/servers/a/sse"), "p partners"),
        (&partner, post("/servers/"), "p partners"),
        (&partner, post("/servers"), "not_authorized default"),
        (&partner, post("/mcp/"), "not_authorized default"),
        (&partner, post("/MCP"), "not_authorized default"),
        (&partner, post("/servers/../mcp"), "not_authorized default"),
        (
            &partner,
            post("/servers/..%2fadmin"),
            "not_authorized default",
        ),
        (
            &partner,
            post("/servers/..;/admin"),
            "not_authorized default",
        ),
        (&partner, post("/servers//admin"), "not_authorized default"),
        (
            &partner,
            post("/servers/%2e%2e/admin"),
            "not_authorized default",
        ),
        (
            &partner,
            post("/servers/..\\admin"),
            "not_authorized default",
        ),
        (&both, post("/mcp"), "p partners"),
        (&partner, post("/health"), "p public"),
    ] {
        assert_eq!(authorize(&rules, certificate, &head), expected, "{head:?}");
    }
}

#[test]
fn a_rule_that_denies_is_not_escaped_by_another_writing_of_the_path() {
    let rules = json!({"default": "allow", "rules": [
        {"name": "no-admin", "action": "deny", "paths": ["/admin", "/admin/*"]},
    ]});
    let user = issue(&Leaf::of([cn("u")]));
    for (path, expected) in [
        ("/admin", "not_authorized no-admin"),
        ("/admin/users?a", "not_authorized no-admin"),
        ("//admin", "not_authorized no-admin"),
        ("/x/../admin", "not_authorized no-admin"),
        ("/%61dmin", "not_authorized no-admin"),
        ("/admin;x", "not_authorized no-admin"),
        ("/x%2f..%2fadmin", "not_authorized no-admin"),
        ("http://a/admin", "not_authorized no-admin"),
        ("/administrator", "u default"),
        ("/mcp", "u default"),
    ] {
        let head = [(":method", "GET"), (":path", path)];
        assert_eq!(authorize(&rules, &user, &head), expected, "{path}");
    }
}

#[test]
fn headers_are_conditions_and_a_repeated_one_is_no_way_around() {
    let allow = json!({"rules": [
        {"name": "calls", "action": "allow", "headers": {"Mcp-Method": ["tools/*", "ping"]}},
    ]});
    let deny = json!({"default": "allow", "rules": [
        {"name": "no-calls", "action": "deny", "headers": {"mcp-method": ["tools/call"]}},
    ]});
    let user = issue(&Leaf::of([cn("u")]));
    let head = |values: &[&'static str]| -> Vec<(&str, &str)> {
        values.iter().map(|value| ("mcp-method", *value)).collect()
    };
    for (rules, values, expected) in [
        (&allow, head(&["tools/call"]), "u calls"),
        (&allow, head(&["ping"]), "u calls"),
        (&allow, head(&["tools/call", "ping"]), "u calls"),
        (
            &allow,
            head(&["ping", "admin/drop"]),
            "not_authorized default",
        ),
        (&allow, head(&["ping,admin/drop"]), "not_authorized default"),
        (&allow, head(&[]), "not_authorized default"),
        (&allow, head(&["PING"]), "not_authorized default"),
        (&deny, head(&["tools/call"]), "not_authorized no-calls"),
        (
            &deny,
            head(&["ping", "tools/call"]),
            "not_authorized no-calls",
        ),
        (&deny, head(&["tools/list"]), "u default"),
        (&deny, head(&[]), "u default"),
    ] {
        assert_eq!(authorize(rules, &user, &values), expected, "{values:?}");
    }
}

#[test]
fn who_passes_without_an_identity_is_subject_to_the_rules_too() {
    let value = json!({
        "identity": {"missing": "strip"},
        "authorization": {"rules": [
            {"name": "staff", "action": "allow", "identities": ["*"]},
            {"name": "health", "action": "allow", "paths": ["/health"]},
        ]},
    });
    let configuration = configuration(&value);
    for (path, expected) in [("/health", "anonymous"), ("/mcp", DENIED)] {
        let head = [(":path", path)];
        let served = serve_head(&configuration, &Default::default(), &head, now());
        assert_eq!(outcome(&served), expected);
    }
}

#[test]
fn checks_come_in_their_order() {
    let past = SystemTime::now() - Duration::from_secs(9);
    let leaf = Leaf::of([cn("a")]);
    let (good, expired) = (issue(&leaf), issue(&leaf.clone().not_after(past)));
    let two = issue(&Leaf::of([cn("a"), cn("b")]));
    let everything = |certificate: &[u8]| {
        json!({
            "revoked": [{"sha256": sha256_pin(certificate).replace("sha256:", "")}],
            "pin_required": ["a"],
            "authorization": {"rules": [{"name": "none", "action": "allow", "identities": ["z"]}]},
        })
    };
    let without = |mut value: Value, key: &str| {
        value.as_object_mut().unwrap().remove(key);
        value
    };
    assert_eq!(
        outcome_with(&everything(&expired), &expired),
        "certificate_expired"
    );
    assert_eq!(outcome_with(&everything(&two), &two), "ambiguous_identity");
    let value = everything(&good);
    assert_eq!(outcome_with(&value, &good), "revoked");
    let value = without(value, "revoked");
    assert_eq!(outcome_with(&value, &good), "pin_required");
    let value = without(value, "pin_required");
    assert_eq!(outcome_with(&value, &good), DENIED);
}

#[test]
fn what_is_observed_changes_no_answer_and_is_noted() {
    let certificate = issue(&Leaf::of([cn("a")]));
    let base = json!({
        "pin_required": ["a"],
        "authorization": {"rules": [{"name": "none", "action": "allow", "identities": ["z"]}]},
    });
    for (observe, expected, noted) in [
        (json!([]), "pin_required", vec![]),
        (json!(["pins"]), DENIED, vec!["pin_required"]),
        (json!(["authorization"]), "pin_required", vec![]),
        (
            json!(["pins", "authorization"]),
            "a",
            vec!["pin_required", "not_authorized"],
        ),
        (
            json!(["authorization", "pins", "rate_limit"]),
            "a",
            vec!["pin_required", "not_authorized"],
        ),
    ] {
        let mut value = base.clone();
        value["observe"] = observe;
        let configuration = configuration(&value);
        let served = serve(&configuration, &certificate);
        assert_eq!(outcome(&served), expected, "{value}");
        let observed = &served.decision.evidence().observed;
        let observed: Vec<_> = observed.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(observed, noted, "{value}");
    }
    let expired = Leaf::of([cn("a")]).not_after(SystemTime::now() - Duration::from_secs(9));
    let all = json!({"observe": ["pins", "authorization", "rate_limit"]});
    assert_eq!(outcome_with(&all, &issue(&expired)), "certificate_expired");
    let revoked = json!({
        "observe": ["pins", "authorization", "rate_limit"],
        "revoked": [{"sha256": sha256_pin(&certificate).replace("sha256:", "")}],
    });
    assert_eq!(outcome_with(&revoked, &certificate), "revoked");
}

#[test]
fn upper_case_in_any_key_changes_nothing() {
    let id = "spiffe://a/ns/Team";
    let certificate = issue(&Leaf::of([cn("X@Y.com")]).subject_alt_names(&[san_uri(id)]));
    let lower = json!({
        "pins": {"x@y.com": [sha256_pin(&certificate)]},
        "pin_required": ["x@y.com"],
        "authorization": {"rules": [{"name": "n", "action": "allow", "identities": ["*@y.com"], "methods": ["get"]}]},
    });
    let upper = json!({
        "pins": {"X@Y.COM": [sha256_pin(&certificate)]},
        "pin_required": ["X@Y.COM"],
        "authorization": {"rules": [{"name": "n", "action": "allow", "identities": ["*@Y.COM"], "methods": ["GET"]}]},
    });
    assert_eq!(configuration(&lower), configuration(&upper));
    assert_eq!(outcome_with(&lower, &certificate), "x@y.com");
    // A URI has its case: another case is another user.
    for (key, expected) in [(id, "pin_mismatch"), ("spiffe://a/ns/team", id)] {
        let value = json!({
            "identity": {"sources": ["spiffe"]},
            "pins": {key: ["sha256:".to_owned() + &"0".repeat(64)]},
        });
        assert_eq!(outcome_with(&value, &certificate), expected);
    }
}
