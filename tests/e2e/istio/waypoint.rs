//! A waypoint: no TLS at the filter, and the principal that the tunnel's end left behind.

use super::forwarded::element;
use super::mesh::{AGENT, AGENT_USER, Mesh};
use super::proxy::configured;
use super::release::{OLDEST_AND_NEWEST, RELEASES, Release};
use super::tunnel;
use serde_json::{Map, Value, json};

use crate::harness::client::get;
use crate::harness::forged::{FORGED, assert_only_user};
use crate::harness::leaf::{san_dns, san_uri};

const RBAC: &str = "RBAC: access denied";

#[tokio::test]
async fn an_agent_behind_a_waypoint_is_its_mapped_spiffe_id() {
    for release in RELEASES {
        let mesh = Mesh::of("waypoint", release).await;
        let waypoint = mesh.waypoint().await;
        let agent = mesh.caller(&waypoint, AGENT);
        let answer = tunnel::send(&agent, get("/mcp", &[])).await.unwrap();
        let received = answer.gateway();
        assert_only_user(&received, AGENT_USER);
        assert!(received.values("x-forwarded-client-cert").is_empty());
    }
}

#[tokio::test]
async fn an_agent_behind_a_waypoint_that_forges_headers_is_itself() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("waypoint", release).await;
        let waypoint = mesh.waypoint().await;
        let agent = mesh.caller(&waypoint, AGENT);
        let forwarded = element(&mesh.users.client("admin@example.com"));
        let request = get(
            "/",
            &[
                ("x-ssl-client-s-dn-cn", "admin@example.com"),
                ("x-ssl-client-verify", "SUCCESS"),
                ("x-authenticated-user", "admin@example.com"),
                ("x-forwarded-client-cert", &forwarded),
            ],
        );
        let received = tunnel::send(&agent, request).await.unwrap().gateway();
        assert_only_user(&received, AGENT_USER);
        assert!(received.values("x-forwarded-client-cert").is_empty());
    }
}

#[tokio::test]
async fn a_request_that_leaves_no_principal_is_denied() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("waypoint", release).await;
        let waypoint = mesh.waypoint().await;
        // A certificate of the mesh without a URI, with no SPIFFE ID, with two of them.
        for names in [
            vec![san_dns("indexer.agents")],
            vec![san_uri("https://agents/indexer")],
            vec![san_uri(AGENT), san_uri("spiffe://cluster.local/ns/a/sa/b")],
        ] {
            let caller = mesh.caller_with(&waypoint, &mesh.workload_with(&names));
            let answer = tunnel::send(&caller, get("/", &[])).await.unwrap();
            assert_eq!(answer.denial().0, 403, "{release:?}");
        }
        assert_eq!(mesh.application.received(), []);
    }
}

#[tokio::test]
async fn who_is_no_agent_does_not_pass_the_waypoint() {
    let mesh = Mesh::of("waypoint", Release::newest()).await;
    let waypoint = mesh.waypoint().await;
    for id in [
        "spiffe://cluster.local/ns/default/sa/indexer",
        &mesh.ingress_id(),
    ] {
        let caller = mesh.caller(&waypoint, id);
        let answer = tunnel::send(&caller, get("/", &[])).await.unwrap();
        assert_eq!((answer.status, answer.body), (403, RBAC.into()), "{id}");
    }
    // Of another trust domain the filter makes no name.
    let caller = mesh.caller(&waypoint, "spiffe://other.local/ns/agents/sa/indexer");
    let answer = tunnel::send(&caller, get("/", &[])).await.unwrap();
    answer.assert_denied(403, "not_authorized");
    // Without a tunnel there is no way at all.
    let agent = mesh.caller(&waypoint, AGENT);
    for client in [agent.clone(), agent.http2()] {
        let outcome = client.get("/").await;
        assert!(outcome.is_err() || outcome.unwrap().status == 404);
    }
    assert_eq!(mesh.application.received(), []);
}

/// What only a certificate has sets no header, and what the client wrote there is removed.
#[tokio::test]
async fn behind_a_waypoint_what_only_a_certificate_has_sets_no_header() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("waypoint", release).await;
        let values = [
            "subject",
            "issuer",
            "organization",
            "serial",
            "fingerprint",
            "spki",
            "not_after",
            "certificate_escaped",
        ];
        let names = values.map(|value| format!("x-ssl-client-{}", value.replace('_', "-")));
        let set: Map<_, _> = names.iter().cloned().zip(values.map(Value::from)).collect();
        let filter = configured(move |configuration| {
            let shipped = configuration["headers"]["set"].as_object_mut().unwrap();
            shipped.extend(set);
            shipped.insert("x-ssl-client-spiffe".to_owned(), json!("spiffe"));
        });
        let waypoint = mesh.waypoint_with(filter, |_| {}).await;
        let agent = mesh.caller(&waypoint, AGENT);
        let forged: Vec<_> = names.iter().map(|name| (name.as_str(), FORGED)).collect();
        let answer = tunnel::send(&agent, get("/", &forged)).await.unwrap();
        let received = answer.gateway();
        assert_eq!(
            received.owned(),
            [
                ("x-ssl-client-s-dn-cn", AGENT_USER),
                ("x-ssl-client-spiffe", AGENT),
                ("x-ssl-client-verify", "SUCCESS"),
            ]
        );
    }
}
