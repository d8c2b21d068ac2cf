//! One limit over several Envoys with Limitador. What holds with either service `tests/mesh` asks of the other one,
//! envoyproxy/ratelimit, which needs Go.

use serde_json::json;

use crate::harness::client::Client;
use crate::harness::cluster_limit::{Place, at_port, limit_filter, patient, pieces};
use crate::harness::redis::Redis;
use crate::harness::{Fixture, limit_service};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
/// What the service allows each user in an hour.
const USER: usize = 3;

/// How many of this many requests pass; the others must be refused by the service's word.
async fn passing(client: &Client, requests: usize) -> usize {
    let mut passed = 0;
    for _ in 0..requests {
        match client.get("/").await.unwrap().status {
            200 => passed += 1,
            status => assert_eq!(status, 429),
        }
    }
    passed
}

/// While Redis is away Limitador says that it is unavailable.
#[tokio::test]
async fn limitador_counts_one_limit_over_two_envoys_and_says_when_it_cannot() {
    let mut redis = Redis::start().await;
    let limits = json!([{
        "namespace": "mtls_identity", "max_value": USER, "seconds": 3600,
        "conditions": [], "variables": ["user"],
    }]);
    let service = limit_service::start(&redis, &limits).await;
    let envoy = || {
        Fixture::new()
            .edit(pieces(at_port(service.address()), Place::Behind))
            .edit(patient)
    };
    let strict = envoy().edit(|envoy| limit_filter(envoy)["failure_mode_deny"] = json!(true));
    let (one, other) = tokio::join!(envoy().start(), strict.start());
    let mut passed = 0;
    for _ in 0..USER {
        passed += passing(&one.client(ALICE), 1).await + passing(&other.client(ALICE), 1).await;
    }
    assert_eq!(passed, USER);
    assert_eq!(passing(&one.client(BOB), USER + 1).await, USER);

    redis.stop();
    assert_eq!(one.client(ALICE).get("/").await.unwrap().status, 200);
    assert_eq!(other.client(ALICE).get("/").await.unwrap().status, 500);
}
