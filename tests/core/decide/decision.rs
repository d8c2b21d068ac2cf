//! What the other tests ask: a certificate and a configuration in, the user or the reason out.

use std::sync::LazyLock;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::certificate::Timestamp;
use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::decide::Decision;
use mtls_identity::decide::Outcome;
use mtls_identity::identity::{ConnectionAttributes, DirectPeer};
use mtls_identity::limit;
use mtls_identity::limit::{Allowance, Charge, TableKey};
use mtls_identity::request::{RequestHead, write_map};
use serde_json::{Value, json};

use crate::certs::Authority;
use crate::der;
use crate::leaf::{Attribute, Leaf, common_name, organization, san_uri};

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

/// What becomes of `GET /mcp?a=b` now, over a connection on which Envoy validated this certificate.
pub(crate) fn serve<'p>(configuration: &'p Configuration, certificate: &[u8]) -> Outcome<'p> {
    serve_at(configuration, certificate, now())
}

pub(crate) fn serve_at<'p>(
    configuration: &'p Configuration,
    certificate: &[u8],
    now: Timestamp,
) -> Outcome<'p> {
    let pem = pem::encode(certificate);
    let head = [(":method", "GET"), (":path", "/mcp?a=b")];
    serve_head(configuration, &validated(&pem), &head, now)
}

/// What Envoy says of a connection whose certificate it validated.
pub(crate) fn validated(pem: &str) -> ConnectionAttributes<'_> {
    ConnectionAttributes {
        peer_certificate: Some(pem.as_bytes()),
        peer_certificate_valid: Some(true),
        ..ConnectionAttributes::default()
    }
}

/// A header map as Envoy would pass it.
pub(crate) fn header_map(headers: &[(String, Vec<u8>)]) -> Vec<u8> {
    write_map(
        headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_slice())),
    )
}

pub(crate) fn serve_head<'p>(
    configuration: &'p Configuration,
    attributes: &ConnectionAttributes<'_>,
    headers: &[(&str, &str)],
    now: Timestamp,
) -> Outcome<'p> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let headers: Vec<_> = headers.iter().map(owned).collect();
    let map = header_map(&headers);
    let head = RequestHead::read(&map).unwrap();
    let peer = DirectPeer::read(attributes, head.forwarded().as_deref());
    let client = configuration
        .filter
        .client(&peer, configuration.filter.forwarded(&head).as_deref());
    configuration
        .filter
        .decide(&head, now, &client, |charge| Ok(unused(charge, now)))
}

/// A limit of which nothing has been used.
fn unused(charge: &Charge, now: Timestamp) -> Allowance {
    let now = u64::try_from(now.unix()).unwrap_or_default();
    let charged = limit::charge(&[], charge.key(&TableKey::new([0; 16])), &charge.quota, now);
    Allowance::after(charge, &charged, now)
}

/// The user, or the reason in its own words; `anonymous` for who passes as nobody.
pub(crate) fn outcome(outcome: &Outcome<'_>) -> String {
    match &outcome.decision {
        Decision::Allow(permit) => match permit.identity() {
            Some(identity) => identity.user.to_string(),
            None => "anonymous".to_owned(),
        },
        Decision::Deny(denial) => denial.reason.to_string(),
    }
}

/// There is no user in such a record, so its detail must say whose certificate has ended.
#[test]
fn the_detail_of_an_expired_certificate_says_whose_it_is_and_when_it_ended() {
    let named = Leaf::of([organization("Example, Inc."), common_name("alice")]);
    let workload = "spiffe://cluster.local/ns/a/sa/b";
    let workload_only = Leaf::of([]).subject_alt_names(&[san_uri(workload)]);
    let unreadable = Attribute::new("2.5.4.3", der::UTF8_STRING, &[0xff]);
    for (leaf, holder) in [
        (named, r" of CN=alice,O=Example\, Inc."),
        (workload_only, " of spiffe://cluster.local/ns/a/sa/b"),
        (Leaf::of([unreadable]), ""),
    ] {
        let der = issue(&leaf);
        let certificate = PeerCertificate::from_der(der.clone()).unwrap();
        let (from, until) = (certificate.not_before(), certificate.not_after());
        let expected = format!("the certificate{holder} is valid from {from} to {until}");
        let configuration = configuration(&json!({}));
        for moment in [from.unix() - 1, until.unix() + 1] {
            let served = serve_at(&configuration, &der, Timestamp::from_unix(moment));
            let detail = served.decision.evidence().detail.as_deref();
            assert_eq!(detail, Some(&*expected), "{moment}");
        }
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
        let configuration = configuration(&json!({}));
        let served = serve_at(&configuration, &der, at);
        assert_eq!(outcome(&served), expected, "{seconds}");
    }
}

#[test]
fn only_what_envoy_says_it_validated_is_believed() {
    let der = issue(&Leaf::of([common_name("a")]));
    let pem = pem::encode(&der);
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
        let served = serve_head(&configuration, &attributes, &[], now());
        assert_eq!(outcome(&served), expected, "{valid:?} {validation}");
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
        let head = [(":path", path)];
        let served = serve_head(&configuration, &attributes, &head, now());
        assert_eq!(outcome(&served), expected, "{identity} {path}");
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
        let served = serve_head(&configuration, &attributes, &[], now());
        assert_eq!(outcome(&served), expected, "{principal} {sources}");
    }
}
