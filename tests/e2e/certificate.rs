//! Only a certificate that is validated, valid now and names somebody makes a user.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::client::Client;
use crate::harness::forged::assert_only_user;
use crate::harness::leaf::{Leaf, common_name, organization, organizational_unit};
use crate::harness::{Fixture, PATIENCE, Site, eventually};

const ALICE: &str = "alice@example.com";
const HOUR: Duration = Duration::from_secs(3600);

/// Denied alike over HTTP/1.1, HTTP/2 and as a WebSocket, and the gateway knows nothing of it.
async fn assert_denied(site: &Site, client: &Client, reason: &str) {
    for client in [client.clone(), client.clone().http2()] {
        client.get("/").await.unwrap().assert_denied(403, reason);
        let refusal = client.websocket("/ws", &[]).await.err();
        refusal
            .expect("a refused WebSocket")
            .assert_denied(403, reason);
    }
    assert_eq!(site.gateway.received(), []);
}

fn expiry_ignored(envoy: &mut Bootstrap) {
    envoy.validation()["allow_expired_certificate"] = json!(true);
}

#[tokio::test]
async fn the_shipped_listener_admits_no_client_without_a_certificate() {
    let site = Fixture::new().start().await;
    let client = site.client_without_certificate();
    for client in [client.clone(), client.clone().http2(), client.tls12()] {
        assert!(client.get("/").await.is_err());
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn the_shipped_listener_admits_no_certificate_of_another_authority() {
    let site = Fixture::new().start().await;
    // Of the same name, so that nothing but its key tells it apart.
    let stranger = Authority::new().client("admin@example.com");
    assert!(site.client_with(&stranger).get("/").await.is_err());
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn no_certificate_is_denied_where_the_listener_asks_for_none() {
    let site = Fixture::new()
        .edit(Bootstrap::certificate_optional)
        .start()
        .await;
    let client = site.client_without_certificate();
    assert_denied(&site, &client, "no_certificate").await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_denied_where_the_listener_accepts_it() {
    let site = Fixture::new()
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    let stranger = site.client_with(&Authority::new().client("admin@example.com"));
    assert_denied(&site, &stranger, "certificate_not_validated").await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    assert_only_user(&answer.gateway(), ALICE);
}

#[tokio::test]
async fn a_stranger_is_denied_also_where_a_missing_identity_is_not() {
    let site = Fixture::new()
        .plugin(json!({"identity": {"missing": "strip", "anonymous_paths": ["/"]}}))
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    let stranger = site.client_with(&Authority::new().client("admin@example.com"));
    assert_denied(&site, &stranger, "certificate_not_validated").await;
}

#[tokio::test]
async fn a_certificate_that_expires_while_its_connection_is_open_is_denied_from_then_on() {
    let site = Fixture::new().start().await;
    let not_after = SystemTime::now() + Duration::from_secs(4);
    let leaf = Leaf::of([common_name(ALICE)]).not_after(not_after);
    let client = site.client_with(&site.authority.issue(&leaf));
    let mut connections = Vec::new();
    for client in [client.clone(), client.http2()] {
        let mut connection = client.connect().await.unwrap();
        let first = connection.get("/").await.unwrap();
        assert_only_user(&first.gateway(), ALICE);
        connections.push(connection);
    }
    for mut connection in connections {
        let denied = eventually("the certificate expires", PATIENCE, async || {
            let answer = connection.get("/").await.unwrap();
            (answer.status != 200).then_some(answer)
        });
        denied.await.assert_denied(403, "certificate_expired");
        assert!(SystemTime::now() > not_after);
    }
}

#[tokio::test]
async fn an_expired_certificate_is_denied_where_the_listener_accepts_it() {
    let site = Fixture::new().edit(expiry_ignored).start().await;
    let leaf = Leaf::of([common_name(ALICE)]).not_after(SystemTime::now() - HOUR);
    let client = site.client_with(&site.authority.issue(&leaf));
    assert_denied(&site, &client, "certificate_expired").await;
    let whose = format!(r#""detail":"the certificate of CN={ALICE} is valid from "#);
    site.envoy.logs(&whose).await;
}

#[tokio::test]
async fn a_certificate_that_is_not_yet_valid_is_denied_where_the_listener_accepts_it() {
    let site = Fixture::new().edit(expiry_ignored).start().await;
    let leaf = Leaf::of([common_name(ALICE)]).not_before(SystemTime::now() + HOUR);
    let client = site.client_with(&site.authority.issue(&leaf));
    assert_denied(&site, &client, "certificate_not_yet_valid").await;
}

#[tokio::test]
async fn a_certificate_without_a_cn_is_denied() {
    let site = Fixture::new().start().await;
    let leaf = Leaf::of([organization("Example"), organizational_unit("People")]);
    let client = site.client_with(&site.authority.issue(&leaf));
    assert_denied(&site, &client, "no_identity").await;
}

#[tokio::test]
async fn cn_text_in_another_attribute_is_nobody() {
    let site = Fixture::new().start().await;
    let admin = "CN=admin@example.com";
    for other in [organization(admin), organizational_unit(admin)] {
        for attributes in [
            [common_name("mallory@example.com"), other.clone()],
            [other.clone(), common_name("mallory@example.com")],
        ] {
            let credentials = site.authority.issue(&Leaf::of(attributes));
            let answer = site.client_with(&credentials).get("/").await.unwrap();
            assert_only_user(&answer.gateway(), "mallory@example.com");
        }
    }
}

#[tokio::test]
async fn two_cns_are_nobody() {
    let site = Fixture::new().start().await;
    let leaf = Leaf::of([
        common_name("mallory@example.com"),
        common_name("admin@example.com"),
    ]);
    let client = site.client_with(&site.authority.issue(&leaf));
    assert_denied(&site, &client, "ambiguous_identity").await;
}

/// Two connections of one client, the second one offering to resume the first one's session.
async fn second_visit(client: &Client) -> (bool, crate::harness::answer::Answer) {
    let mut first = client.connect().await.unwrap();
    assert_eq!(first.get("/").await.unwrap().status, 200);
    let mut second = client.connect().await.unwrap();
    (second.resumed(), second.get("/").await.unwrap())
}

#[tokio::test]
async fn a_resumed_session_is_denied_because_nothing_proves_its_certificate() {
    let site = Fixture::new()
        .edit(|envoy| {
            envoy.downstream_tls()["disable_stateless_session_resumption"] = json!(false);
            envoy.downstream_tls()["disable_stateful_session_resumption"] = json!(false);
        })
        .start()
        .await;
    let client = site.client(ALICE).resuming();
    for client in [client.clone().tls12(), client.tls13()] {
        let (resumed, answer) = second_visit(&client).await;
        assert!(resumed);
        answer.assert_denied(403, "certificate_not_validated");
    }
}

#[tokio::test]
async fn the_shipped_listener_resumes_no_session() {
    let site = Fixture::new().start().await;
    let client = site.client(ALICE).resuming();
    for client in [client.clone().tls12(), client.tls13()] {
        let (resumed, answer) = second_visit(&client).await;
        assert!(!resumed);
        assert_only_user(&answer.gateway(), ALICE);
    }
}
