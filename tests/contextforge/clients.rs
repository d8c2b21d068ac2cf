//! MCP clients are who their certificates say, in the gateway's own record; others are refused by name.

use serde_json::json;

use crate::harness::Fixture;
use crate::world::{ADMIN, ALICE, BOB, World};

/// What one gets who may call the tool.
fn the_sum() -> serde_json::Value {
    json!({
        "server": "mcp-streamable-http",
        "tools": ["demo-add", "demo-headers"],
        "error": false,
        "text": "42",
    })
}

#[tokio::test]
async fn an_mcp_client_lists_and_calls_tools_as_the_user_of_its_certificate() {
    let world = World::start(Fixture::new(), &[]).await;
    let alice = world.site.authority.client(ALICE);
    assert_eq!(world.call_as(&alice, "demo-add").await, the_sum());
    world.gateway.records(ALICE, "tools.execute", true).await;

    // Bob is a user as well, and may list the tools, but not call them.
    let bob = world.site.authority.client(BOB);
    let refused = world.call_as(&bob, "demo-add").await;
    assert_eq!(refused["tools"], the_sum()["tools"]);
    assert_eq!(refused["error"], true);
    assert_eq!(refused["text"], "Access denied");
    world.gateway.records(BOB, "tools.execute", false).await;

    // One who is no user of the gateway does not even arrive at the tools.
    let carol = world.site.authority.client("carol@example.com");
    let refused = world.call_as(&carol, "demo-add").await;
    assert_eq!(refused["status"], 401, "{refused}");
    let body = refused["body"].as_str().unwrap();
    assert!(body.contains("User not found"), "{refused}");
}

#[tokio::test]
async fn one_user_is_refused_by_name_before_the_gateway_and_the_others_are_not() {
    let rules = json!({"authorization": {"default": "deny", "rules": [
        {"name": "no-bob", "action": "deny", "identities": [BOB]},
        {"name": "staff", "action": "allow", "identities": ["*@example.com"]}]}});
    let world = World::start(Fixture::new().plugin(rules), &[]).await;
    let before = world.gateway.decisions();

    let bob = world.site.authority.client(BOB);
    let refused = world.call_as(&bob, "demo-add").await;
    assert_eq!(refused["status"], 403, "{refused}");
    let body = refused["body"].as_str().unwrap();
    assert!(body.contains(r#""reason":"not_authorized""#), "{refused}");
    world.site.envoy.logs(r#""user":"bob@example.com""#).await;
    world.site.envoy.logs(r#""rule":"no-bob""#).await;
    assert_eq!(world.gateway.decisions(), before);

    let alice = world.site.authority.client(ALICE);
    assert_eq!(world.call_as(&alice, "demo-add").await, the_sum());
}

#[tokio::test]
async fn a_name_in_another_case_is_the_same_user() {
    let world = World::start(Fixture::new(), &[]).await;
    let shouting = world.site.authority.client("ALICE@Example.COM");
    assert_eq!(world.call_as(&shouting, "demo-add").await, the_sum());
    world.gateway.records(ALICE, "tools.execute", true).await;
    let admin = world
        .site
        .client(ADMIN)
        .get("/v1/rbac/my/permissions")
        .await;
    assert_eq!(admin.unwrap().json(), json!(["*"]));
}
