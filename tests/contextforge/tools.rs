//! The shipped rules for tools in front of the real gateway, with the newest MCP clients.

use std::fs;
use std::process::Command;

use hyper::Request;
use serde_json::{Value, json};

use crate::harness::Fixture;
use crate::harness::artifacts::{output, repository};
use crate::harness::client::{Body, empty, full};
use crate::world::{ADMIN, ALICE, BOB, World};

/// One of PyPI, one of npm.
const CLIENTS: [&str; 2] = ["python", "node"];

fn shipped() -> Fixture {
    let rules = repository().join("envoy/contextforge/tools.json");
    Fixture::new().plugin_exactly(fs::read_to_string(rules).unwrap())
}

/// What this client prints, as this user.
async fn converse(world: &World, client: &str, user: &str, tools: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let credentials = world.site.authority.client(user);
    let file = |name: &str, content: String| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let port = world.site.envoy.address().port();
    let mut command = Command::new(repository().join("tests/contextforge/newest/run.sh"));
    command
        .env("NO_PROXY", "localhost,127.0.0.1")
        .arg(client)
        .arg(format!("https://localhost:{port}/mcp"))
        .arg(file("ca.crt", world.site.authority.pem()))
        .arg(file("client.crt", credentials.pem()))
        .arg(file("client.key", credentials.key_pem()))
        .args(tools);
    let printed = tokio::task::spawn_blocking(move || output(&mut command));
    serde_json::from_str(printed.await.unwrap().trim()).unwrap()
}

/// Who has asked the gateway to run a tool, in its own record.
fn executions(world: &World) -> Vec<String> {
    let decisions = world.gateway.decisions().into_iter();
    let executions = decisions.filter(|(_, permission, _)| permission == "tools.execute");
    executions.filter_map(|(user, _, _)| user).collect()
}

#[tokio::test]
async fn alice_may_call_one_tool_and_not_another_and_bob_may_list_only() {
    let world = World::start(shipped(), &[]).await;
    let tools = ["demo-add", "demo-headers"];
    for client in CLIENTS {
        let alice = converse(&world, client, ALICE, &tools).await;
        assert_eq!(alice["tools"], json!(tools), "{client}");
        assert_eq!(
            alice["calls"],
            json!({"demo-add": "42", "demo-headers": 403}),
            "{client}"
        );
        assert_eq!(alice["ping"], true, "{client}");
        let bob = converse(&world, client, BOB, &tools).await;
        assert_eq!(bob["tools"], json!(tools), "{client}");
        assert_eq!(
            bob["calls"],
            json!({"demo-add": 403, "demo-headers": 403}),
            "{client}"
        );
        assert_eq!(bob["refused"], json!([403, 403]), "{client}");
    }
    world.gateway.records(ALICE, "tools.execute", true).await;
    // Of what was refused the gateway knows nothing.
    assert_eq!(executions(&world), [ALICE; CLIENTS.len()]);
}

/// Sessions, notifications, a call that is taken back, progress, a stream that is resumed.
#[tokio::test]
async fn a_client_that_keeps_to_the_rules_notices_nothing_of_them() {
    let said = async |fixture: Fixture| {
        let world = World::start(fixture, &[]).await;
        let mut said = Vec::new();
        for client in CLIENTS {
            said.push(converse(&world, client, ALICE, &["demo-add"]).await);
        }
        for (method, headers) in [
            (
                "GET",
                &[("accept", "text/event-stream"), ("last-event-id", "1")][..],
            ),
            (
                "GET",
                &[("accept", "text/event-stream"), ("mcp-session-id", "x")],
            ),
            ("DELETE", &[("mcp-session-id", "x")]),
        ] {
            let mut request = Request::builder().method(method).uri("/mcp");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut connection = world.site.client(ALICE).connect().await.unwrap();
            let response = connection.begin(request.body(empty()).unwrap()).await;
            said.push(json!(response.unwrap().status().as_u16()));
        }
        said
    };
    assert_eq!(said(shipped()).await, said(Fixture::new()).await);
}

fn message(path: &str, content_type: &str, body: &str) -> Request<Body> {
    let request = Request::post(path)
        .header("content-type", content_type)
        .header("accept", "application/json, text/event-stream")
        .header("authorization", "Bearer none");
    request.body(full(body.to_owned())).unwrap()
}

/// Where ContextForge takes messages, and ways to write these paths.
const PATHS: [&str; 26] = [
    "/mcp",
    "/mcp/",
    "/mcp/x",
    "/mcp?session_id=1",
    "//mcp",
    "/./mcp",
    "/x/../mcp",
    "/%6dcp",
    "/mcp%2f",
    "/mcp;a=b",
    "/servers/1/mcp",
    "/servers/1/mcp/",
    "/rpc",
    "/rpc/",
    "/v1/rpc",
    "/message",
    "/servers/1/message?session_id=1",
    "/v1/servers/1/message",
    "/_internal/mcp/rpc",
    "/appbridge/sessions/1/rpc",
    "/protocol/initialize",
    "/notifications",
    "/prompts/demo-headers",
    "/v1/tools",
    "/llmchat/chat",
    "/a2a/demo/invoke",
];

#[tokio::test]
async fn the_shipped_rules_leave_no_way_to_a_tool_open() {
    let relay = ["MCPGATEWAY_WS_RELAY_ENABLED=true"];
    let world = World::start(shipped(), &relay).await;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "demo-headers", "arguments": {}}});
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let twice = format!(r#"{{"method":"tools/call",{}"#, &list.to_string()[1..]);
    let bodies = [
        call.to_string(),
        format!("[{call}]"),
        format!("{list}{call}"),
        twice,
        call.to_string().replace("method", "Method"),
    ];
    for user in [ALICE, BOB] {
        let client = world.site.client(user).http2();
        for path in PATHS {
            for body in &bodies {
                for content_type in ["application/json", "text/plain"] {
                    let answer = client
                        .send(message(path, content_type, body))
                        .await
                        .unwrap();
                    let is_refused = matches!(answer.status, 400 | 403);
                    assert!(
                        is_refused,
                        "{user} {path} {content_type} {body}: {answer:?}"
                    );
                }
            }
        }
        for path in ["/ws", "/mcp", "/servers/1/mcp", "/reverse-proxy/ws"] {
            for client in [world.site.client(user), client.clone()] {
                let refused = client.websocket(path, &[]).await.err().unwrap();
                refused.assert_denied(403, "not_authorized");
            }
        }
    }
    assert_eq!(executions(&world), Vec::<String>::new());
    // The administrator is not held up by rules, but a message is a message.
    let admin = world.site.client(ADMIN);
    let answer = admin
        .send(message("/mcp", "application/json", &call.to_string()))
        .await;
    assert_eq!(answer.unwrap().status, 200);
    let answer = admin.send(message("/mcp", "application/json", "[]")).await;
    answer.unwrap().assert_denied(400, "malformed_mcp");
}
