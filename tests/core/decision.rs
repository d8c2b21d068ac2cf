//! What the other tests ask: a certificate and a configuration in, the user or the reason out.

use std::sync::LazyLock;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::config::Configuration;
use mtls_identity::peer::{ConnectionAttributes, DirectPeer};
use mtls_identity::pem;
use mtls_identity::policy::{Decision, Request};
use mtls_identity::timestamp::Timestamp;
use serde_json::{Value, json};

use crate::certs::Authority;
use crate::leaf::{Leaf, common_name};

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);

pub(crate) fn issue(leaf: &Leaf) -> Vec<u8> {
    AUTHORITY.issue(leaf).certificate().to_vec()
}

pub(crate) fn configuration(value: &Value) -> Configuration {
    Configuration::parse(value.to_string().as_bytes()).unwrap()
}

pub(crate) fn now() -> Timestamp {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix(i64::try_from(since.as_secs()).unwrap())
}

/// The decision on `GET /mcp?a=b` now, over a connection on which Envoy validated this certificate.
pub(crate) fn decide(configuration: &Configuration, certificate: &[u8]) -> Decision {
    decide_at(configuration, certificate, now())
}

pub(crate) fn decide_at(
    configuration: &Configuration,
    certificate: &[u8],
    now: Timestamp,
) -> Decision {
    let pem = pem::encode(certificate);
    let attributes = ConnectionAttributes {
        peer_certificate: Some(pem.as_bytes()),
        peer_certificate_valid: Some(true),
        ..ConnectionAttributes::default()
    };
    let request = Request {
        now,
        path: b"/mcp?a=b",
        forwarded: None,
    };
    let peer = DirectPeer::read(&attributes, None);
    configuration.policy.decide(&request, &peer)
}

/// The user, or the reason in its own words; `anonymous` for who passes as nobody.
pub(crate) fn outcome(decision: &Decision) -> String {
    match decision {
        Decision::Allow(permit) => match permit.identity() {
            Some(identity) => identity.user.to_string(),
            None => "anonymous".to_owned(),
        },
        Decision::Deny(reason) => reason.to_string(),
    }
}

#[test]
fn validity_is_that_of_the_request_and_includes_both_ends() {
    let der = issue(&Leaf::of([common_name("a")]));
    let certificate = PeerCertificate::from_der(der.clone()).unwrap();
    let (from, to) = (
        certificate.not_before().unix(),
        certificate.not_after().unix(),
    );
    for (seconds, expected) in [
        (from - 1, "certificate_not_yet_valid"),
        (from, "a"),
        (to, "a"),
        (to + 1, "certificate_expired"),
        (i64::MAX, "certificate_expired"),
        (i64::MIN, "certificate_not_yet_valid"),
    ] {
        let at = Timestamp::from_unix(seconds);
        let decision = decide_at(&configuration(&json!({})), &der, at);
        assert_eq!(outcome(&decision), expected, "{seconds}");
    }
}

#[test]
fn only_what_envoy_says_it_validated_is_believed() {
    let der = issue(&Leaf::of([common_name("a")]));
    let pem = pem::encode(&der);
    let request = Request {
        now: now(),
        path: b"/",
        forwarded: None,
    };
    for (valid, validation, expected) in [
        (Some(true), "required", "a"),
        (Some(false), "required", "certificate_not_validated"),
        (None, "required", "certificate_not_validated"),
        (Some(false), "listener", "a"),
        (None, "listener", "a"),
    ] {
        let attributes = ConnectionAttributes {
            peer_certificate: Some(pem.as_bytes()),
            peer_certificate_valid: valid,
            ..ConnectionAttributes::default()
        };
        let configuration = configuration(&json!({"certificate": {"validation": validation}}));
        let peer = DirectPeer::read(&attributes, None);
        let decision = configuration.policy.decide(&request, &peer);
        assert_eq!(outcome(&decision), expected, "{valid:?} {validation}");
    }
}

#[test]
fn only_a_missing_identity_is_ever_passed_on() {
    let nobody = issue(&Leaf::of([crate::leaf::organization("a")]));
    let two = issue(&Leaf::of([common_name("a"), common_name("b")]));
    let expired = Leaf::of([common_name("a")])
        .not_after(std::time::SystemTime::now() - std::time::Duration::from_secs(9));
    for (identity, path, certificate, expected) in [
        (json!({}), "/health", None, "no_certificate"),
        (json!({}), "/health", Some(&nobody), "no_identity"),
        (json!({"missing": "strip"}), "/any", None, "anonymous"),
        (
            json!({"missing": "strip"}),
            "/any",
            Some(&nobody),
            "anonymous",
        ),
        (
            json!({"missing": "strip"}),
            "/any",
            Some(&two),
            "ambiguous_identity",
        ),
        (
            json!({"missing": "strip"}),
            "/any",
            Some(&issue(&expired)),
            "certificate_expired",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health",
            None,
            "anonymous",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health?a",
            Some(&nobody),
            "anonymous",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health",
            Some(&two),
            "ambiguous_identity",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health/",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/healthy",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/Health",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/a/../health",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health;a",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health%3f",
            None,
            "no_certificate",
        ),
        (
            json!({"anonymous_paths": ["/health"]}),
            "/health#",
            None,
            "no_certificate",
        ),
    ] {
        let configuration = configuration(&json!({"identity": identity}));
        let pem = certificate.map(|der| pem::encode(der));
        let attributes = ConnectionAttributes {
            peer_certificate: pem.as_deref().map(str::as_bytes),
            peer_certificate_valid: Some(true),
            ..ConnectionAttributes::default()
        };
        let peer = DirectPeer::read(&attributes, None);
        let request = Request {
            now: now(),
            path: path.as_bytes(),
            forwarded: None,
        };
        let decision = configuration.policy.decide(&request, &peer);
        assert_eq!(outcome(&decision), expected, "{identity} {path}");
    }
}

#[test]
fn a_principal_of_the_mesh_is_a_spiffe_id_and_nothing_else() {
    let id = "spiffe://cluster.local/ns/mcp/sa/agent";
    for (principal, sources, expected) in [
        (id, json!(["spiffe"]), id),
        (id, json!(["uri"]), id),
        (id, json!(["cn", "spiffe"]), id),
        (
            id,
            json!(["cn", "email", "dns", "subject", "fingerprint"]),
            "no_identity",
        ),
        (
            "cluster.local/ns/mcp/sa/agent",
            json!(["spiffe"]),
            "invalid_identity",
        ),
        ("\u{e9}", json!(["spiffe"]), "invalid_identity"),
        ("", json!(["spiffe"]), "no_certificate"),
    ] {
        let attributes = ConnectionAttributes {
            peer_principal: Some(principal.as_bytes()),
            ..ConnectionAttributes::default()
        };
        let configuration = configuration(&json!({"identity": {"sources": sources}}));
        let request = Request {
            now: now(),
            path: b"/",
            forwarded: None,
        };
        let peer = DirectPeer::read(&attributes, None);
        let decision = configuration.policy.decide(&request, &peer);
        assert_eq!(outcome(&decision), expected, "{principal} {sources}");
    }
}
