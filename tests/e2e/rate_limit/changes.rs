//! The configuration changes while budgets are used: by ECDS on open connections, by LDS on new ones; four workers.

use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, Connection};
use crate::harness::{Fixture, PATIENCE, Update, eventually};
use crate::xds::Xds;

const ALICE: &str = "alice@example.com";
/// More than workers, so that Alice is served by several.
const CONNECTIONS: usize = 16;

/// A whole configuration with this limit for everybody.
fn limiting(limit: Value, more: Value) -> Value {
    let mut configuration = json!({
        "headers": {"set": {"x-ssl-client-verify": "verify"}},
        "audit": {"log": "none"},
        "rate_limit": {"default": limit},
    });
    for (key, value) in more.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

fn three_an_hour() -> Value {
    json!({"rate": "3/h", "burst": 2})
}

/// The same limit in another place and in other words; this one tells clients of it.
fn three_an_hour_told() -> Value {
    let limits = json!({
        "identities": {"*@example.com": {"burst": 2, "rate": "3/h"}},
        "default": {"rate": "1/h"},
        "response_headers": "legacy",
    });
    limiting(
        json!(null),
        json!({"rate_limit": limits, "pin_required": ["root@example.com"]}),
    )
}

fn five_an_hour() -> Value {
    let limits = json!({"default": {"rate": "5/h", "burst": 4}, "response_headers": "legacy"});
    limiting(json!(null), json!({"rate_limit": limits}))
}

/// Asks on each connection until the answer tells of a limit of this many; returns how many requests passed.
async fn passed_until_told(connections: &mut [Connection], limit: &str) -> usize {
    let mut passed = 0;
    for connection in connections {
        eventually("the new configuration serves", PATIENCE, async || {
            let answer = connection.get("/").await.unwrap();
            match answer.status {
                200 => passed += 1,
                _ => answer.assert_denied(429, "rate_limited"),
            }
            let is_limited = answer.status == 429;
            (is_limited && answer.header("x-ratelimit-limit") == [limit]).then_some(())
        })
        .await;
    }
    passed
}

async fn connections(client: &Client) -> Vec<Connection> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(client.connect().await.unwrap());
    }
    connections
}

async fn assert_limited_after(client: &Client, requests: usize) {
    for _ in 0..requests {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    for _ in 0..3 {
        let denied = client.get("/").await.unwrap();
        denied.assert_denied(429, "rate_limited");
    }
}

#[tokio::test]
async fn a_filter_that_changes_keeps_the_budgets_of_a_limit_that_stays() {
    let xds = Xds::empty();
    let first = limiting(three_an_hour(), json!({}));
    let fixture = Fixture::new().plugin_exactly(first).concurrency(4);
    let site = fixture.edit(xds.filter()).start().await;
    let client = site.client(ALICE);
    let mut open = connections(&client).await;
    assert_limited_after(&client, 3).await;
    xds.configure(&three_an_hour_told().to_string());
    assert_eq!(passed_until_told(&mut open, "3").await, 0);
    xds.configure(&five_an_hour().to_string());
    assert_eq!(passed_until_told(&mut open, "5").await, 5);
}

#[tokio::test]
async fn a_listener_that_changes_keeps_the_budgets_of_a_limit_that_stays() {
    let first = limiting(three_an_hour(), json!({}));
    let fixture = Fixture::new().plugin_exactly(first).concurrency(4);
    let mut site = fixture.start_watched().await;
    let client = site.client(ALICE);
    let mut old = connections(&client).await;
    assert_limited_after(&client, 3).await;
    for (configuration, told, passed) in [(three_an_hour_told(), "3", 0), (five_an_hour(), "5", 5)]
    {
        let edit = |envoy: &mut Bootstrap| envoy.configure_plugin(&configuration.to_string());
        assert_eq!(site.update(edit).await, Update::Accepted);
        let mut count = 0;
        eventually("new connections have the new limit", PATIENCE, async || {
            let answer = client.get("/").await.unwrap();
            count += usize::from(answer.status == 200);
            let is_new = answer.header("x-ratelimit-limit") == [told];
            (is_new && answer.status == 429).then_some(())
        })
        .await;
        assert_eq!(count, passed, "{told}");
    }
    // The old listener is drained with its limit, whose budget is as used up as it was.
    for connection in &mut old {
        let denied = connection.get("/").await.unwrap();
        denied.assert_denied(429, "rate_limited");
    }
}
