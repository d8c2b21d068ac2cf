//! Envoy can lose the filter and serve on without it. Then everyone is refused, and a forged header gets nothing.

use hyper::Request;
use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::{assert_only_user, http2_fields, lines};
use crate::harness::raw::{get_bytes, post_with_trailers, upgrade_bytes};
use crate::harness::{Fixture, PATIENCE, Site, Update, eventually};

const ALICE: &str = "alice@example.com";

/// With and without a certificate.
fn clients(site: &Site) -> [Client; 2] {
    [site.client(ALICE), site.client_without_certificate()]
}

async fn site() -> Site {
    let fixture = Fixture::new().without_filter();
    fixture.edit(Bootstrap::certificate_optional).start().await
}

#[tokio::test]
async fn without_the_filter_nobody_gets_to_the_gateway() {
    let site = site().await;
    for client in clients(&site) {
        assert_eq!(client.get("/").await.unwrap().status, 403);
        assert_eq!(
            client.clone().http2().get("/health").await.unwrap().status,
            403
        );
        let refusal = client.websocket("/ws", &[]).await.err();
        assert_eq!(refusal.map(|answer| answer.status), Some(403));
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn without_the_filter_a_forged_header_gets_nothing_in_any_spelling() {
    let site = site().await;
    for client in clients(&site) {
        for line in lines() {
            let plain = client.raw(&get_bytes("/", [&line, &line])).await.unwrap();
            assert_eq!(plain.status, 403, "{line}");
            let upgrade = upgrade_bytes("/ws", ["Connection: upgrade", &line]);
            let upgraded = client.raw(&upgrade).await.unwrap();
            assert_eq!(upgraded.status, 403, "{line}");
        }
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn without_the_filter_a_forged_header_over_http2_gets_nothing() {
    let site = site().await;
    for client in clients(&site) {
        let client = client.http2();
        for (name, value) in http2_fields() {
            let request = Request::get("/").header(&name, value).header(&name, value);
            let answer = client.send(request.body(empty()).unwrap()).await.unwrap();
            assert_eq!(answer.status, 403, "{name}");
        }
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn without_the_filter_a_forged_trailer_or_connection_header_gets_nothing() {
    let site = site().await;
    for client in clients(&site) {
        let request = post_with_trailers("/", &["x-ssl-client-verify: SUCCESS".to_owned()]);
        assert_eq!(client.raw(&request).await.unwrap().status, 403);
        let lines = [
            "Connection: x-ssl-client-verify",
            "x-ssl-client-verify: SUCCESS",
        ];
        assert_eq!(
            client.raw(&get_bytes("/", lines)).await.unwrap().status,
            403
        );
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn an_empty_configuration_works_behind_the_guard() {
    let site = Fixture::new().plugin_exactly(json!({})).start().await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    assert_only_user(&answer.gateway(), ALICE);
}

/// The drill of the README.
#[tokio::test]
async fn with_the_filter_taken_out_a_forged_header_is_answered_403() {
    let mut site = Fixture::new().start_watched().await;
    let forged = ["X-SSL-Client-S-DN-CN: admin@example.com"];
    let client = site.client(ALICE);
    let before = client.raw(&get_bytes("/", forged)).await.unwrap();
    assert_only_user(&before.gateway(), ALICE);
    assert_eq!(
        site.update(Bootstrap::remove_filter).await,
        Update::Accepted
    );
    eventually("the new listener serves", PATIENCE, async || {
        let answer = client.raw(&get_bytes("/", forged)).await.unwrap();
        (answer.status == 403).then_some(())
    })
    .await;
    for line in lines() {
        let answer = client.raw(&get_bytes("/", [line])).await.unwrap();
        assert_eq!(answer.status, 403);
    }
    let mut received = site.gateway.received().into_iter();
    assert!(received.all(|received| received.user() == [ALICE]));
}
