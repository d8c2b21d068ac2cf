//! One budget a user, whichever worker serves the connection.

use serde_json::json;

use crate::harness::Fixture;

const ALICE: &str = "alice@example.com";

#[tokio::test]
async fn a_user_has_one_budget_over_all_workers_and_connections() {
    let site = Fixture::new()
        .concurrency(4)
        .plugin(json!({"rate_limit": {
            "default": {"rate": "1/h", "burst": 9},
            "identities": {"boss@example.com": "unlimited"},
            "response_headers": "legacy",
        }}))
        .start()
        .await;
    let mut remaining = Vec::new();
    for _ in 0..20 {
        let answer = site.client(ALICE).get("/").await.unwrap();
        let told = answer.header("x-ratelimit-remaining").concat();
        match answer.status {
            200 => remaining.push(told),
            _ => {
                answer.assert_denied(429, "rate_limited");
                assert_eq!(told, "0");
                let wait: u64 = answer.header("retry-after").concat().parse().unwrap();
                assert!((1..=3600).contains(&wait), "{wait}");
            }
        }
    }
    let expected: Vec<String> = (0..10).rev().map(|left: u32| left.to_string()).collect();
    assert_eq!(remaining, expected);
    for client in [
        site.client("bob@example.com"),
        site.client("boss@example.com"),
    ] {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    assert_eq!(site.gateway.received().len(), 12);
}

#[tokio::test]
async fn what_is_refused_for_another_reason_spends_nothing() {
    let site = Fixture::new()
        .plugin(json!({
            "rate_limit": {"default": {"rate": "1/h"}},
            "authorization": {"rules": [
                {"name": "mcp", "action": "allow", "paths": ["/mcp"]},
            ]},
        }))
        .start()
        .await;
    let client = site.client(ALICE);
    for _ in 0..5 {
        let answer = client.get("/admin").await.unwrap();
        answer.assert_denied(403, "not_authorized");
    }
    assert_eq!(client.get("/mcp").await.unwrap().status, 200);
    client
        .get("/mcp")
        .await
        .unwrap()
        .assert_denied(429, "rate_limited");
}
