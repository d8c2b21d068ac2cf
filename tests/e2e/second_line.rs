//! Envoy can lose the filter and serve on without it. Then everyone is refused, and a forged header gets nothing.

use hyper::Request;
use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::{http2_fields, lines};
use crate::harness::raw::{get_bytes, post_with_trailers, upgrade_bytes};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// With and without a certificate.
fn clients(site: &Site) -> [Client; 2] {
    [site.client(ALICE), site.client_without_certificate()]
}

async fn site() -> Site {
    let fixture = Fixture::new().without_filter();
    fixture.edit(Bootstrap::certificate_optional).start().await
}

#[track_caller]
fn assert_refused(status: u16, line: &str) {
    // Envoy's own refusals: 400 for an underscore, 403 for a request without the mark.
    let expected = if line.contains('_') { 400 } else { 403 };
    assert_eq!(status, expected, "{line}");
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
            assert_refused(plain.status, &line);
            let upgrade = upgrade_bytes("/ws", ["Connection: upgrade", &line]);
            assert_refused(client.raw(&upgrade).await.unwrap().status, &line);
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
            let outcome = client.send(request.body(empty()).unwrap()).await;
            // A name with an underscore ends the stream without an answer.
            assert!(outcome.is_err() || outcome.unwrap().status == 403, "{name}");
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
async fn a_filter_that_does_not_set_its_mark_lets_nobody_through() {
    let site = Fixture::new().plugin_exactly(json!({})).start().await;
    assert_eq!(site.client(ALICE).get("/").await.unwrap().status, 403);
    assert_eq!(site.gateway.received(), []);
}
