//! A rule that denies holds in every spelling that reaches the gateway as the denied one.

use hyper::{Method, Request};
use serde_json::json;

use crate::harness::Fixture;
use crate::harness::client::empty;

const ALICE: &str = "alice@example.com";

#[tokio::test]
async fn a_rule_that_denies_is_not_escaped_by_a_spelling_that_http2_lets_through() {
    let site = Fixture::new()
        .plugin(json!({"authorization": {"default": "allow", "rules": [
            {"name": "no-calls", "action": "deny", "headers": {"mcp-method": ["tools/call"]}},
            {"name": "no-delete", "action": "deny", "methods": ["DELETE"]},
            {"name": "no-admin", "action": "deny", "paths": ["/admin", "/admin/*"]},
            {"name": "no-tool", "action": "deny", "paths": ["/v1/tool:delete", "/caf%C3%A9"]},
        ]}}))
        .start()
        .await;
    let client = site.client(ALICE).http2();
    let mut connection = client.connect().await.unwrap();
    for (method, path, header, expected) in [
        ("GET", "/t", "tools/call", 403),
        ("GET", "/t", " tools/call", 403),
        ("GET", "/t", "tools/call ", 403),
        ("GET", "/t", "\ttools/call", 403),
        ("GET", "/t", "tools/call\t", 403),
        ("GET", "/t", "ping, tools/call", 403),
        ("GET", "/t", "tools/call,", 403),
        ("GET", "/t", "ping", 200),
        ("DELETE", "/t", "ping", 403),
        ("delete", "/t", "ping", 403),
        ("Delete", "/t", "ping", 403),
        ("GET", "/admin", "ping", 403),
        ("GET", "/admin/", "ping", 403),
        ("GET", "/admin/?x", "ping", 403),
        ("GET", "/admin\\", "ping", 403),
        ("GET", "/%2561dmin", "ping", 403),
        ("GET", "/administrator", "ping", 200),
        ("GET", "/v1/tool:delete", "ping", 403),
        ("GET", "/v1/tool%3Adelete", "ping", 403),
        ("GET", "/v1/tool%3adelete", "ping", 403),
        ("GET", "/caf%c3%a9", "ping", 403),
        ("GET", "/v1/tool", "ping", 200),
    ] {
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).unwrap())
            .uri(path)
            .header("mcp-method", header)
            .body(empty());
        let Ok(request) = request else {
            panic!("{method} {path:?} {header:?} cannot be sent");
        };
        let answer = connection.send(request).await.unwrap();
        assert_eq!(answer.status, expected, "{method} {path} {header:?}");
    }
}
