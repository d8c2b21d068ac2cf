//! Revocation, pins and authorization: in their order, with their reasons, enforced or observed.

use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use mtls_identity::certificate::PeerCertificate;
use mtls_identity::identity::DirectPeer;
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::certs::{Authority, Credentials, forwarded_element};
use crate::decision::{configuration, issue, now, outcome, serve, serve_at, serve_head, validated};
use crate::leaf::{Leaf, common_name as cn, san_uri};

const DENIED: &str = "not_authorized";

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
fn a_star_requires_a_pin_of_every_user() {
    let (admin, user) = (
        issue(&Leaf::of([cn("admin")])),
        issue(&Leaf::of([cn("user")])),
    );
    for required in [json!(["*"]), json!(["other", "*"])] {
        let value = json!({"pins": {"admin": [sha256_pin(&admin)]}, "pin_required": required});
        assert_eq!(outcome_with(&value, &admin), "admin");
        assert_eq!(outcome_with(&value, &user), "pin_required");
    }
    // It is no pattern.
    for pattern in ["*@example.com", "a*", "**"] {
        let value = json!({"pin_required": [pattern]}).to_string();
        assert!(
            mtls_identity::config::Configuration::parse(value.as_bytes()).is_err(),
            "{pattern}"
        );
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

#[test]
fn a_new_configuration_revokes_who_came_in_by_an_old_one_and_the_proxy_that_spoke_for_them() {
    let proxy = issue(
        &Leaf::of([])
            .serial(&[1])
            .subject_alt_names(&[san_uri("spiffe://a/proxy")]),
    );
    let alice = issue(&Leaf::of([cn("alice")]).serial(&[2]));
    let old = configuration(&json!({"certificate": {"forwarded_by": ["spiffe://a/proxy"]}}));
    let pem = mtls_identity::certificate::pem::encode(&proxy);
    let direct = DirectPeer::read(&validated(&pem), None);
    let element = forwarded_element(&alice);
    let spoken_for = old.filter.client(&direct, Some(element.as_bytes()));
    let nobody = old.filter.client(&Ok(None), None);
    for (serials, is_revoked) in [
        (json!(["0x01"]), true),
        (json!(["0x02"]), true),
        (json!(["0x03"]), false),
    ] {
        // Whoever is trusted to speak for others now.
        let new =
            configuration(&json!({"revoked": [{"issuer": "CN=Test CA", "serials": serials}]}));
        assert_eq!(new.filter.revokes(&spoken_for), is_revoked, "{serials}");
        assert!(!new.filter.revokes(&nobody));
    }
    assert!(!old.filter.revokes(&spoken_for));
}
