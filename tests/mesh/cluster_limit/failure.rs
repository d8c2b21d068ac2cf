//! The service is down, or Redis is, or it hangs: what `envoy/cluster-limit/README.md` says comes to pass.

use std::time::Instant;

use serde_json::json;

use super::{ALICE, BOB, Limiter, USER, counted, passing};
use crate::harness::cluster_limit::{limit_filter, piece};
use crate::harness::{PATIENCE, eventually};

/// As shipped.
const RATE: f64 = 10.0;
const BURST: f64 = 20.0;

#[tokio::test]
async fn while_the_service_is_down_each_envoy_still_limits_each_user() {
    let limiter = Limiter::start().await;
    let site = limiter.envoy().start().await;
    drop(limiter);
    let mut alice = site.client(ALICE).connect().await.unwrap();
    let begun = Instant::now();
    let (mut passed, mut limited) = (0, 0);
    while limited < 20 {
        let answer = alice.get("/").await.unwrap();
        match answer.status {
            200 => passed += 1,
            _ => {
                answer.assert_denied(429, "rate_limited");
                limited += 1;
            }
        }
    }
    let most = BURST + 1.0 + RATE * begun.elapsed().as_secs_f64();
    assert!(
        (BURST + 1.0..=most).contains(&f64::from(passed)),
        "{passed} {most}"
    );
    assert_eq!(
        counted(&site, "failure_mode_allowed").await,
        u64::from(passed as u32)
    );
    assert_eq!(passing(&site.client(BOB), 3).await, 3);
}

#[tokio::test]
async fn a_redis_that_hangs_costs_a_request_the_timeout_and_then_it_passes() {
    let limiter = Limiter::start().await;
    let site = limiter.envoy().start().await;
    let client = site.client(ALICE);
    // However busy the machine is, sooner or later the service has counted as many.
    eventually("the limit is used up", PATIENCE, async || {
        (passing(&client, 1).await == 0).then_some(())
    })
    .await;
    limiter.redis.freeze();
    let before = counted(&site, "failure_mode_allowed").await;
    // It passes because Envoy has waited long enough, and for no other reason: Redis gives no answer.
    assert_eq!(client.get("/").await.unwrap().status, 200);
    assert_eq!(counted(&site, "failure_mode_allowed").await, before + 1);
    let shipped = piece("http_filter.yaml");
    assert_eq!(shipped["typed_config"]["timeout"], "0.1s");
    limiter.redis.thaw();
    eventually("the limit is back", PATIENCE, async || {
        (passing(&client, 1).await == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn with_failure_mode_deny_nobody_passes_without_an_answer() {
    let mut limiter = Limiter::start().await;
    let fixture = limiter.patient_envoy();
    let site = fixture
        .edit(|envoy| limit_filter(envoy)["failure_mode_deny"] = json!(true))
        .start()
        .await;
    let client = site.client(ALICE);
    assert_eq!(passing(&client, 1).await, 1);
    limiter.redis.stop();
    for _ in 0..3 {
        assert_eq!(client.get("/").await.unwrap().status, 500);
    }
    assert_eq!(site.gateway.received().len(), 1);
    limiter.redis.start_again().await;
    let back = async || match client.get("/").await.unwrap().status {
        500 => None,
        status => Some(status),
    };
    assert_eq!(eventually("Redis is back", PATIENCE, back).await, 200);
    assert_eq!(passing(&client, USER).await, USER - 2);
}
