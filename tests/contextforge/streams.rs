//! What stays open: a WebSocket relays calls as the user of the certificate, and an event stream begins.

use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::gateway::ContextForge;
use crate::harness::Fixture;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::get;
use crate::harness::gateway::USER;
use crate::world::{ADMIN, ALICE, BOB, World, in_front_of};

/// Off in ContextForge. The relay calls the gateway's own `/rpc`, without a CSRF token.
const RELAY: [&str; 2] = [
    "MCPGATEWAY_WS_RELAY_ENABLED=true",
    r#"CSRF_EXEMPT_PATHS=["/health","/mcp","/rpc"]"#,
];

async fn sum_over_websocket(world: &World, user: &str) -> Value {
    let client = world.site.client(user);
    let mut socket = client.websocket("/ws", &[(USER, ADMIN)]).await.unwrap();
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "demo-add", "arguments": {"a": 19, "b": 23}}});
    socket.send(&call.to_string()).await;
    serde_json::from_str(&socket.receive().await).unwrap()
}

#[tokio::test]
async fn a_websocket_calls_tools_as_the_user_of_the_certificate() {
    let world = World::start(Fixture::new(), &RELAY).await;
    let answer = sum_over_websocket(&world, ALICE).await;
    assert_eq!(answer["result"]["content"][0]["text"], "42", "{answer}");
    world.gateway.records(ALICE, "tools.execute", true).await;

    let answer = sum_over_websocket(&world, BOB).await;
    assert_eq!(answer["error"]["message"], "Access denied", "{answer}");
    world.gateway.records(BOB, "tools.execute", false).await;
}

#[tokio::test]
async fn without_a_certificate_no_websocket_and_no_event_stream_opens() {
    let gateway = ContextForge::start(&RELAY).await;
    let open = Fixture::new().edit(Bootstrap::certificate_optional);
    let site = in_front_of(gateway.address(), open).await;
    let nobody = site.client_without_certificate();
    let refused = nobody.websocket("/ws", &[(USER, ADMIN)]).await.err();
    refused.unwrap().assert_denied(403, "no_certificate");
    let refused = nobody.get_with("/sse", &[(USER, ADMIN)]).await.unwrap();
    refused.assert_denied(403, "no_certificate");

    let admin = site.client(ADMIN);
    let mut connection = admin.connect().await.unwrap();
    let request = get("/sse", &[("accept", "text/event-stream")]);
    let mut stream = connection.begin(request).await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"event: endpoint"), "{first:?}");
}
