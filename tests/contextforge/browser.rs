//! A browser shows its certificate to whoever makes it ask: a page of another site must get nothing out of that.

use hyper::Request;
use serde_json::json;

use crate::gateway::ContextForge;
use crate::harness::answer::Answer;
use crate::harness::client::{Client, full};
use crate::harness::{Fixture, Site};
use crate::world::{ADMIN, in_front_of, script};

/// What GATEWAY.md says to exempt for MCP at `/servers/…/mcp` and for `/ws`.
const EXEMPT: &str = r#"CSRF_EXEMPT_PATHS=["/health","/mcp","/rpc","/servers"]"#;

/// A request that a browser sends for any page, without asking the gateway first.
async fn from_another_site(client: &Client, path: &str, site: &str) -> Answer {
    let request = Request::post(path)
        .header("content-type", "text/plain")
        .header("origin", "https://evil.example")
        .header("sec-fetch-site", site)
        .body(full(
            r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}"#,
        ));
    client.send(request.unwrap()).await.unwrap()
}

/// The path that turns a new virtual server off.
async fn switch(site: &Site) -> String {
    let server = json!({"server": {"name": "virtual", "visibility": "public"}});
    let created = site
        .client(ADMIN)
        .send(script("/v1/servers", &server))
        .await;
    let id = created.unwrap().json()["id"].as_str().unwrap().to_owned();
    format!("/servers/{id}/state?activate=false")
}

#[tokio::test]
async fn with_the_shipped_settings_the_gateway_itself_refuses_it() {
    let gateway = ContextForge::start(&[]).await;
    let site = in_front_of(gateway.address(), Fixture::new()).await;
    let admin = site.client(ADMIN);
    for path in [&switch(&site).await, "/rpc", "/v1/gateways", "/auth/login"] {
        let refused = from_another_site(&admin, path, "cross-site").await;
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        assert_eq!(refused.json()["code"], "CSRF_TOKEN_INVALID", "{path}");
    }
    // This one is exempt, but takes nothing that a browser sends without asking first.
    let refused = from_another_site(&admin, "/mcp", "cross-site").await;
    assert!(matches!(refused.status, 400 | 406), "{refused:?}");
}

#[tokio::test]
async fn with_more_exemptions_it_gets_through_unless_the_filter_has_a_rule() {
    let gateway = ContextForge::start(&[EXEMPT]).await;
    let site = in_front_of(gateway.address(), Fixture::new()).await;
    let path = switch(&site).await;
    let deed = from_another_site(&site.client(ADMIN), &path, "cross-site").await;
    assert_eq!(deed.status, 200, "{deed:?}");
    assert_eq!(deed.json()["enabled"], false);

    let rule = json!({"authorization": {"default": "allow", "rules": [
        {"name": "no-other-site", "action": "deny",
         "headers": {"sec-fetch-site": ["cross-site", "same-site"]}}]}});
    let site = in_front_of(gateway.address(), Fixture::new().plugin(rule)).await;
    let admin = site.client(ADMIN);
    for path in [&path, "/rpc", "/servers/any/mcp"] {
        for from in ["cross-site", "same-site"] {
            let refused = from_another_site(&admin, path, from).await;
            refused.assert_denied(403, "not_authorized");
        }
    }
    // A page of the gateway itself, and who is no browser.
    let own = from_another_site(&admin, "/rpc", "same-origin").await;
    assert_eq!(own.status, 200, "{own:?}");
    let listed = script(
        "/rpc",
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    );
    assert_eq!(admin.send(listed).await.unwrap().status, 200);
}
