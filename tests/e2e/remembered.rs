//! What the filter remembers of a connection is of that connection and of the configuration of this moment.

use serde_json::{Value, json};

use crate::harness::client::Connection;
use crate::harness::forged::{assert_nobody, assert_only_user};
use crate::harness::gateway::VERIFY;
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::xds::Xds;

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";
/// More than the filter remembers, so that later ones displace earlier ones.
const CONNECTIONS: usize = 530;

#[tokio::test]
async fn more_connections_than_are_remembered_are_each_their_own_user() {
    let site = Fixture::new().start().await;
    let clients = [ALICE, ADMIN].map(|name| (name, site.client(name)));
    let mut open = Vec::new();
    for (name, client) in clients.iter().cycle().take(CONNECTIONS) {
        let mut connection = client.connect().await.unwrap();
        assert_only_user(&connection.get("/").await.unwrap().gateway(), name);
        open.push((name, connection));
    }
    // Each displaces one of the same place, and that one displaces it again.
    for round in 0..2 {
        for (name, connection) in &mut open {
            let received = connection.get("/").await.unwrap().gateway();
            assert_eq!(received.user(), [**name], "round {round}");
        }
    }
    let parsed = site
        .envoy
        .stat("wasmcustom.mtls_identity.certificate.parsed")
        .await;
    assert!(parsed.unwrap() > u64::try_from(CONNECTIONS).unwrap());
}

fn configuration(more: &Value) -> String {
    let mut configuration = json!({"headers": {"set": {VERIFY: "verify"}}});
    let more = more.as_object().unwrap().clone();
    configuration.as_object_mut().unwrap().extend(more);
    configuration.to_string()
}

/// What one request got, once it is what is expected.
async fn until(site: &Site, connection: &mut Connection, what: &str, expected: &Value) {
    let seen = async |connection: &mut Connection| {
        let answer = connection.get("/").await.unwrap();
        match answer.status {
            200 => {
                let received = answer.gateway();
                json!(received.owned())
            }
            _ => json!(answer.denial().1),
        }
    };
    eventually(what, PATIENCE, async || {
        (seen(connection).await == *expected).then_some(())
    })
    .await;
    // From then on every time.
    for _ in 0..5 {
        assert_eq!(
            seen(connection).await,
            *expected,
            "{what}\n{}",
            site.envoy.log()
        );
    }
}

#[tokio::test]
async fn an_open_connection_follows_every_change_of_the_filter() {
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(configuration(&json!({})));
    let site = fixture.edit(xds.filter()).start().await;
    let credentials = site.authority.client(ADMIN);
    let client = site.client_with(&credentials);
    let fingerprint = credentials.sha256();
    let name = "x-ssl-client-s-dn-cn";
    let admin = json!([[name, ADMIN], [VERIFY, "SUCCESS"]]);
    let pinned =
        json!({"pins": {ADMIN: [format!("sha256:{fingerprint}")]}, "pin_required": [ADMIN]});
    let steps = [
        (pinned, admin.clone()),
        (json!({"pin_required": [ADMIN]}), json!("pin_required")),
        (
            json!({"pins": {ADMIN: [format!("sha256:{}", "0".repeat(64))]}}),
            json!("pin_mismatch"),
        ),
        (json!({}), admin.clone()),
        (
            json!({"revoked": [{"sha256": fingerprint}]}),
            json!("revoked"),
        ),
        (
            // Who is nobody and revoked is not let through as nobody.
            json!({
                "identity": {"missing": "strip", "sources": ["email"]},
                "revoked": [{"sha256": fingerprint}],
            }),
            json!("revoked"),
        ),
        (
            json!({"identity": {"missing": "strip", "sources": ["email"]}}),
            json!([[VERIFY, "NONE"]]),
        ),
        (
            json!({"identity": {
                "sources": ["fingerprint"],
                "map": [{"from": fingerprint, "to": "by-fingerprint"}],
            }}),
            json!([[name, "by-fingerprint"], [VERIFY, "SUCCESS"]]),
        ),
        (
            json!({"headers": {"set": {VERIFY: "verify", "x-ssl-client-fingerprint": "fingerprint"}}}),
            json!([
                ["x-ssl-client-fingerprint", fingerprint],
                [name, ADMIN],
                [VERIFY, "SUCCESS"]
            ]),
        ),
        (
            json!({"authorization": {"rules": [{"name": "a", "action": "allow", "identities": [ALICE]}]}}),
            json!("not_authorized"),
        ),
        (json!({}), admin),
    ];
    let mut open = [
        client.connect().await.unwrap(),
        client.http2().connect().await.unwrap(),
    ];
    for connection in &mut open {
        assert_only_user(&connection.get("/").await.unwrap().gateway(), ADMIN);
    }
    for (number, (change, expected)) in steps.iter().enumerate() {
        xds.configure(&configuration(change));
        for connection in &mut open {
            until(&site, connection, &format!("change {number}"), expected).await;
        }
    }
}

/// The first request of a connection decides nothing for the second, on paths of their own.
#[tokio::test]
async fn a_nobody_stays_one_on_every_path_and_is_admitted_only_where_nobody_is() {
    let fixture = Fixture::new().plugin(json!({
        "identity": {"sources": ["email"], "anonymous_paths": ["/health"]},
    }));
    let site = fixture.start().await;
    let client = site.client(ALICE);
    for client in [client.clone(), client.http2()] {
        let mut connection = client.connect().await.unwrap();
        for _ in 0..2 {
            assert_nobody(&connection.get("/health").await.unwrap().gateway());
            let denied = connection.get("/mcp").await.unwrap();
            denied.assert_denied(403, "no_identity");
        }
    }
}
