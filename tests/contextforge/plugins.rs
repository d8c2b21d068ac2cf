//! A plugin server behind `envoy/plugin-server.yaml`, called by the gateway: with a certificate of its own, and through
//! `envoy/egress.yaml`.

use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::client::{Client, full};
use crate::harness::envoy::Envoy;
use crate::harness::gateway::USER;
use crate::harness::leaf::{self, Leaf, san_dns};
use crate::harness::{Fixture, PATIENCE, eventually};
use crate::plugin_site::{GATEWAY, PLUGINS, Plugins, configuration, egress, shipped};
use crate::world::{ALICE, World};

/// Alice's calls go through the plugin, which lets one pass and refuses the other; without it none passes.
async fn assert_the_plugin_decides(entry: &str, url: &str, plugins: Plugins) {
    let (_directory, file) = configuration(entry, url, &plugins.site.authority);
    let settings = ["PLUGINS_ENABLED=true", "PLUGINS_PLUGIN_TIMEOUT=3", &file];
    let world = World::start(Fixture::new(), &settings).await;
    let alice = world.site.authority.client(ALICE);
    assert_eq!(world.call_as(&alice, "demo-add").await["text"], "42");
    let refused = world.call_with(&alice, "demo-add", json!({"a": 13, "b": 1}));
    let refused = refused.await;
    assert_eq!(refused["error"], true, "{refused}");
    let text = refused["text"].as_str().unwrap();
    assert!(text.contains("13 is refused"), "{refused}");
    assert_eq!(plugins.users(), [GATEWAY]);
    drop(plugins);
    let unasked = world.call_as(&alice, "demo-add").await;
    assert_eq!(unasked["error"], true, "{unasked}");
}

#[tokio::test]
async fn the_gateway_calls_its_plugin_with_a_certificate_of_its_own() {
    let plugins = Plugins::start().await;
    let url = format!(
        "https://localhost:{}/mcp",
        plugins.site.envoy.address().port()
    );
    assert_the_plugin_decides("direct", &url, plugins).await;
}

#[tokio::test]
async fn the_gateway_calls_its_plugin_through_the_egress_that_holds_the_certificate() {
    let plugins = Plugins::start().await;
    let egress = egress(&plugins).await;
    let url = format!("http://localhost:{}/mcp", egress.address().port());
    assert_the_plugin_decides("egress", &url, plugins).await;
    let line = first_line(&egress).await;
    assert_eq!(line["server"], format!("CN={PLUGINS}"));
}

/// Of Envoy's access log.
async fn first_line(envoy: &Envoy) -> Value {
    let first = async || envoy.access_log().first().cloned();
    eventually("the access log has a line", PATIENCE, first).await
}

/// The first message of MCP.
async fn initialize(client: &Client, path: &str) -> Answer {
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header(USER, GATEWAY)
        .body(full(hello.to_string()));
    client.send(request.unwrap()).await.unwrap()
}

#[tokio::test]
async fn nobody_but_the_gateway_reaches_the_plugin_server_and_only_at_one_path() {
    let plugins = Plugins::start().await;
    let site = &plugins.site;
    for other in [
        ALICE,
        "mcpgateway@example.com",
        "mcpgateway.example.com",
        "evil-mcpgateway",
        "spiffe://example.com/mcpgateway",
    ] {
        let refused = initialize(&site.client(other), "/mcp").await;
        assert_eq!(refused.denial().0, 403, "{other}");
    }
    let mesh = Leaf::of([]).subject_alt_names(&[leaf::san_uri("spiffe://example.com/mcpgateway")]);
    let mesh = site.client_with(&site.authority.issue(&mesh));
    initialize(&mesh, "/mcp")
        .await
        .assert_denied(403, "no_identity");
    let stranger = site.client_with(&Authority::new().client(GATEWAY));
    assert!(stranger.get("/mcp").await.is_err());
    assert!(site.client_without_certificate().get("/mcp").await.is_err());

    let gateway = site.client(GATEWAY);
    for path in ["/", "/metrics", "/mcp/", "/mcp/../health", "/MCP"] {
        initialize(&gateway, path)
            .await
            .assert_denied(403, "not_authorized");
    }
    assert_eq!(plugins.received().len(), 0);
    assert_eq!(initialize(&gateway, "/mcp").await.status, 200);
    assert_eq!(plugins.users(), [GATEWAY]);
}

#[tokio::test]
async fn the_egress_believes_no_server_but_the_one_it_names() {
    let plugins = Plugins::showing(&[
        san_dns("localhost"),
        san_dns("plugins.internal.example.com.evil.example"),
    ])
    .await;
    let egress = egress(&plugins).await;
    let refused = get_plain(&egress, "/mcp").await;
    assert_eq!(refused, 503);
    let line = first_line(&egress).await;
    let failure = line["failure"].as_str().unwrap();
    assert!(failure.contains("verify"), "{line}");
    assert_eq!(plugins.received().len(), 0);
}

#[tokio::test]
async fn the_egress_leads_to_the_plugin_endpoint_and_nowhere_else() {
    let plugins = Plugins::start().await;
    let egress = egress(&plugins).await;
    for path in ["/", "/health", "/mcp/x", "/mcpx"] {
        assert_eq!(get_plain(&egress, path).await, 404, "{path}");
    }
    assert_eq!(plugins.received().len(), 0);
}

/// The status of a GET without TLS.
async fn get_plain(envoy: &Envoy, path: &str) -> u16 {
    let stream = tokio::net::TcpStream::connect(envoy.address())
        .await
        .unwrap();
    let io = hyper_util::rt::TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "localhost")
        .body(crate::harness::client::empty());
    let response = sender.send_request(request.unwrap()).await.unwrap();
    response.status().as_u16()
}

#[test]
fn plugin_server_yaml_is_envoy_yaml_but_for_what_its_head_says() {
    let directory = tempfile::tempdir().unwrap();
    let mut expected = Bootstrap::shipped(directory.path());
    let mut found = Bootstrap::of(&shipped("plugin-server.yaml"), directory.path());
    expected.overlay_plugin(&json!({"authorization": {"default": "deny", "rules": [
        {"name": "gateway", "action": "allow", "identities": [GATEWAY], "paths": ["/mcp"]}]}}));
    found.overlay_plugin(&json!({}));
    for (envoy, admin, port) in [(&expected, 9901, 8443), (&found, 9902, 9443)] {
        let text = envoy.clone().value().to_string();
        assert_eq!(text.matches(&format!("\"port_value\":{admin}")).count(), 1);
        assert_eq!(text.matches(&format!("\"port_value\":{port}")).count(), 1);
    }
    expected.value()["admin"]["address"]["socket_address"]["port_value"] = json!(9902);
    expected.listener()["address"]["socket_address"]["port_value"] = json!(9443);
    expected.forward_to("127.0.0.1:8000".parse().unwrap());
    expected.downstream_tls()["common_tls_context"]["tls_certificates"] = json!([{
        "certificate_chain": {"filename": "envoy/certs/plugins.crt"},
        "private_key": {"filename": "envoy/certs/plugins.key"}}]);
    assert_eq!(found.value(), expected.value());
}
