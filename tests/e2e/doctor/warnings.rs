//! Settings that refuse people, seen on a real Envoy.

use hyper::Request;
use serde_json::json;

use crate::doctor::Diagnosis;
use crate::harness::client::full;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// A message of MCP of this length, roughly; returns the status.
async fn ask(site: &Site, length: usize) -> u16 {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"a": "a".repeat(length)}});
    let request = Request::post("/mcp").header("content-type", "application/json");
    let request = request.body(full(message.to_string())).unwrap();
    site.client(ALICE).send(request).await.unwrap().status
}

fn reading_bodies() -> Fixture {
    Fixture::new().plugin(json!({"mcp": {"paths": ["/mcp"]}}))
}

async fn assert_warnings(site: &Site, expected: &[&str]) {
    let diagnosis = Diagnosis::of(&site.envoy).await;
    diagnosis.assert_clean("warnings alone");
    assert_eq!(diagnosis.warnings(), expected, "{:#?}", diagnosis.findings);
}

#[tokio::test]
async fn a_message_that_is_longer_than_envoys_buffers_is_refused() {
    let shipped = reading_bodies().start().await;
    assert_eq!(ask(&shipped, 500_000).await, 200);
    assert_warnings(&shipped, &[]).await;
    let small = reading_bodies().edit(|envoy| {
        let host = envoy.route_config()["virtual_hosts"][0].as_object_mut();
        host.unwrap().remove("request_body_buffer_limit").unwrap();
    });
    let small = small.start().await;
    assert_eq!(ask(&small, 1_000).await, 200);
    assert_eq!(ask(&small, 500_000).await, 413);
    assert_warnings(&small, &["mcp_buffers"]).await;
}

#[tokio::test]
async fn without_the_field_that_hands_bodies_over_a_message_is_refused() {
    let fixture = reading_bodies().edit(|envoy| {
        let plugin = envoy.plugin().as_object_mut().unwrap();
        plugin.remove("allow_on_headers_stop_iteration").unwrap();
    });
    let site = fixture.start().await;
    assert_warnings(&site, &["mcp_not_handed_over"]).await;
}

#[tokio::test]
async fn a_session_that_is_resumed_is_refused_where_envoy_must_have_validated_it() {
    let fixture = Fixture::new().edit(|envoy| {
        envoy.downstream_tls()["disable_stateless_session_resumption"] = json!(false);
    });
    let site = fixture.start().await;
    let client = site.client(ALICE).tls13().resuming();
    assert_eq!(client.get("/").await.unwrap().status, 200);
    let answer = client.get("/").await.unwrap();
    answer.assert_denied(403, "certificate_not_validated");
    assert_warnings(&site, &["session_resumption"]).await;
}
