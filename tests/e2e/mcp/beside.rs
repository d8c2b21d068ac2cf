//! Envoy's own MCP filter: beside this filter, and alone.

use hyper::Request;
use serde_json::{Value, json};

use super::{ALICE, call, list, refused, rules, said, whole};
use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Body, Client};
use crate::harness::{Fixture, PATIENCE, eventually};

/// As strict as it can be.
fn own() -> Value {
    json!({
        "name": "envoy.filters.http.mcp",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.mcp.v3.Mcp",
            "traffic_mode": "REJECT_NO_MCP",
            "reject_duplicate_keys": true,
        },
    })
}

/// Refuses a call of `delete` by what Envoy's filter has found.
fn rbac() -> Value {
    let path =
        |keys: &[&str]| -> Vec<Value> { keys.iter().map(|key| json!({"key": key})).collect() };
    json!({
        "name": "no_delete",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"no_delete": {
                "permissions": [{"metadata": {
                    "filter": "envoy.filters.http.mcp",
                    "path": path(&["params", "name"]),
                    "value": {"string_match": {"exact": "delete"}},
                }}],
                "principals": [{"any": true}],
            }}},
        },
    })
}

/// As MCP wants it.
fn message(method: &str, content_type: &str, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri("/mcp");
    let request = request.header("content-type", content_type);
    let request = request.header("accept", "application/json, text/event-stream");
    request.body(whole(body)).unwrap()
}

async fn posts(client: &Client, body: &str) -> Answer {
    let message = message("POST", "application/json", body);
    client.send(message).await.unwrap()
}

#[tokio::test]
async fn behind_this_filter_it_writes_what_the_access_log_shows() {
    let both = |envoy: &mut Bootstrap| {
        let filters = envoy.http_filters();
        let router = filters.len() - 1;
        filters.insert(router, own());
        let log = &mut envoy.hcm()["access_log"][0]["typed_config"]["log_format"]["json_format"];
        log["mcp"] = json!("%DYNAMIC_METADATA(envoy.filters.http.mcp)%");
    };
    let site = Fixture::new().plugin(rules()).edit(both).start().await;
    let alice = site.client(ALICE);
    let allowed = posts(&alice, &call("search_web")).await;
    assert_eq!(said(&allowed), (200, None), "{allowed:?}");
    let denied = posts(&alice, &call("delete")).await;
    assert_eq!(said(&denied), refused(403, "not_authorized"));
    eventually("both are logged", PATIENCE, async || {
        let log = site.envoy.access_log();
        (log.len() == 2).then_some(())
    })
    .await;
    let lines = site.envoy.access_log();
    assert!(
        lines[0]["mcp"].to_string().contains("search_web"),
        "{}",
        lines[0]
    );
    assert_eq!(lines[1]["mcp"], Value::Null);
}

/// Each of these asks for `delete` where somebody else reads it: Go takes `Name` for `name`.
#[tokio::test]
async fn alone_it_passes_on_what_another_reader_takes_for_a_call() {
    let alone = |envoy: &mut Bootstrap| {
        *envoy.http_filters() = vec![own(), rbac(), envoy.http_filters().pop().unwrap()];
    };
    let site = Fixture::new().edit(alone).start().await;
    let alice = site.client(ALICE);
    assert_eq!(posts(&alice, &list()).await.status, 200);
    let mut passed = Vec::new();
    let delete = call("delete");
    for (what, content_type, body) in [
        ("plain", "application/json", delete.clone()),
        (
            "key in another case",
            "application/json",
            delete.replace("\"name\"", "\"Name\""),
        ),
        (
            "key twice",
            "application/json",
            delete.replace("\"name\"", "\"name\":\"list\",\"name\""),
        ),
        ("batch", "application/json", format!("[{delete}]")),
        (
            "two messages",
            "application/json",
            format!("{}{delete}", list()),
        ),
        ("another type", "text/plain", delete.clone()),
        ("PUT", "application/json", delete.clone()),
    ] {
        let method = if what == "PUT" { "PUT" } else { "POST" };
        let message = message(method, content_type, &body);
        let answer = alice.send(message).await.unwrap();
        if answer.status == 200 {
            passed.push(what);
        }
    }
    assert_eq!(passed, ["key in another case"]);
}
