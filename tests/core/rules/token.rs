//! `certificate.bound`: tokens that are bound to a certificate (RFC 8705).

use data_encoding::BASE64URL_NOPAD;
use mtls_identity::certificate::{PeerCertificate, pem};
use mtls_identity::config::Configuration;
use mtls_identity::decide::{Arrival, Outcome};
use mtls_identity::identity::{ConnectionAttributes, DirectPeer};
use mtls_identity::request::{RequestHead, write_map};
use mtls_identity::rules::Confirmation;
use serde_json::{Value, json};

use crate::certs::forwarded_element;
use crate::decision::{configuration, issue, now, outcome, validated};
use crate::leaf::{Leaf, common_name as cn, san_uri};

const NOT_BOUND: &str = "token_not_bound";

/// `x5t#S256` of a certificate.
fn bound_to(der: &[u8]) -> Confirmation {
    let certificate = PeerCertificate::from_der(der.to_vec()).unwrap();
    Confirmation::parse(BASE64URL_NOPAD.encode(certificate.sha256()).as_bytes())
}

fn bound(mode: &str, more: Value) -> Configuration {
    let mut value = json!({"certificate": {"bound": mode, "bound_metadata": "jwt"}});
    value
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    configuration(&value)
}

fn served<'p>(
    configuration: &'p Configuration,
    attributes: &ConnectionAttributes<'_>,
    headers: &[(&str, &str)],
    token: Confirmation,
) -> Outcome<'p> {
    let fields = headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let map = write_map(fields.collect::<Vec<_>>());
    let head = RequestHead::read(&map).unwrap();
    let filter = &configuration.filter;
    let peer = DirectPeer::read(attributes, head.forwarded().as_deref());
    let client = filter.client(&peer, filter.forwarded(&head).as_deref());
    let arrival = Arrival { now: now(), token };
    filter.decide(&head, arrival, &client, |_| unreachable!())
}

const GET: [(&str, &str); 2] = [(":method", "GET"), (":path", "/mcp")];

#[test]
fn a_bound_token_passes_with_its_certificate_and_with_no_other() {
    let (alice, other) = (
        issue(&Leaf::of([cn("alice")])),
        issue(&Leaf::of([cn("alice")])),
    );
    let pem = pem::encode(&alice);
    let certificate = validated(&pem);
    let (own, others) = (bound_to(&alice), bound_to(&other));
    for (mode, token, expected) in [
        ("off", others, "alice"),
        ("off", Confirmation::Unreadable, "alice"),
        ("if_present", own, "alice"),
        ("if_present", Confirmation::None, "alice"),
        ("if_present", others, NOT_BOUND),
        ("if_present", Confirmation::Unreadable, NOT_BOUND),
        ("required", own, "alice"),
        ("required", Confirmation::None, NOT_BOUND),
        ("required", others, NOT_BOUND),
        ("required", Confirmation::Unreadable, NOT_BOUND),
    ] {
        let configuration = bound(mode, json!({}));
        let served = served(&configuration, &certificate, &GET, token);
        assert_eq!(outcome(&served), expected, "{mode} {token:?}");
        assert_eq!(served.headers.is_empty(), expected == NOT_BOUND);
    }
}

#[test]
fn who_shows_no_certificate_needs_a_token_that_is_bound_to_none() {
    let alice = issue(&Leaf::of([cn("alice")]));
    let nobody = ConnectionAttributes::default();
    let health = [(":method", "GET"), (":path", "/health")];
    for (mode, head, token, expected) in [
        ("if_present", &GET, Confirmation::None, "anonymous"),
        ("if_present", &GET, bound_to(&alice), NOT_BOUND),
        ("if_present", &GET, Confirmation::Unreadable, NOT_BOUND),
        ("required", &GET, Confirmation::None, NOT_BOUND),
        ("required", &GET, bound_to(&alice), NOT_BOUND),
        // A path for requests without an identity needs no token either.
        ("required", &health, Confirmation::None, "anonymous"),
        ("required", &health, bound_to(&alice), NOT_BOUND),
        ("required", &health, Confirmation::Unreadable, NOT_BOUND),
    ] {
        let identity = json!({"identity": {"missing": "strip", "anonymous_paths": ["/health"]}});
        let configuration = bound(mode, identity);
        let served = served(&configuration, &nobody, head, token);
        assert_eq!(outcome(&served), expected, "{mode} {token:?}");
    }
    // Whoever is somebody needs a token on such a path, too.
    let pem = pem::encode(&alice);
    let configuration = bound(
        "required",
        json!({"identity": {"anonymous_paths": ["/health"]}}),
    );
    let served = served(
        &configuration,
        &validated(&pem),
        &health,
        Confirmation::None,
    );
    assert_eq!(outcome(&served), NOT_BOUND);
}

#[test]
fn behind_a_proxy_the_token_is_bound_to_the_client_and_not_to_the_proxy() {
    let proxy = issue(&Leaf::of([]).subject_alt_names(&[san_uri("spiffe://a/ingress")]));
    let alice = issue(&Leaf::of([cn("alice")]));
    let element = forwarded_element(&alice);
    let pem = pem::encode(&proxy);
    let head = [
        (":method", "GET"),
        (":path", "/"),
        ("x-forwarded-client-cert", &*element),
    ];
    let value = json!({"certificate": {
        "bound": "required", "bound_metadata": "jwt", "forwarded_by": ["spiffe://a/ingress"],
    }});
    let configuration = configuration(&value);
    for (token, expected) in [(bound_to(&alice), "alice"), (bound_to(&proxy), NOT_BOUND)] {
        let served = served(&configuration, &validated(&pem), &head, token);
        assert_eq!(outcome(&served), expected);
    }
}

#[test]
fn a_principal_without_a_certificate_has_no_bound_token() {
    let id = "spiffe://cluster.local/ns/mcp/sa/agent";
    let attributes = ConnectionAttributes {
        peer_principal: Some(id.as_bytes()),
        ..Default::default()
    };
    let alice = issue(&Leaf::of([cn("alice")]));
    let sources = json!({"identity": {"sources": ["spiffe"]}});
    for (mode, token, expected) in [
        ("if_present", Confirmation::None, id),
        ("if_present", bound_to(&alice), NOT_BOUND),
        ("required", Confirmation::None, NOT_BOUND),
    ] {
        let configuration = bound(mode, sources.clone());
        let served = served(&configuration, &attributes, &GET, token);
        assert_eq!(outcome(&served), expected, "{mode}");
    }
}

#[test]
fn two_authorization_headers_could_be_two_tokens() {
    let alice = issue(&Leaf::of([cn("alice")]));
    let pem = pem::encode(&alice);
    let two = [
        &GET[..],
        &[("authorization", "Bearer a"), ("authorization", "Bearer b")],
    ]
    .concat();
    for (mode, expected) in [
        ("off", "alice"),
        ("if_present", NOT_BOUND),
        ("required", NOT_BOUND),
    ] {
        let configuration = bound(mode, json!({}));
        let served = served(&configuration, &validated(&pem), &two, bound_to(&alice));
        assert_eq!(outcome(&served), expected, "{mode}");
    }
}

#[test]
fn the_token_is_asked_after_revocation_and_before_pins_and_says_what_is_wrong() {
    let alice = issue(&Leaf::of([cn("alice")]));
    let pem = pem::encode(&alice);
    let sha256 = "0".repeat(64);
    let pinned = json!({"pins": {"alice": [format!("sha256:{sha256}")]}});
    let configuration = bound("required", pinned);
    let served_with = |token| served(&configuration, &validated(&pem), &GET, token);
    assert_eq!(outcome(&served_with(bound_to(&alice))), "pin_mismatch");
    let denied = served_with(Confirmation::None);
    assert_eq!(outcome(&denied), NOT_BOUND);
    let evidence = denied.decision.evidence();
    assert_eq!(
        evidence.detail.as_deref(),
        Some("no verified token has cnf.x5t#S256")
    );
    assert_eq!(evidence.identity().unwrap().user.as_str(), "alice");
}
