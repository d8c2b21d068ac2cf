//! Two Envoys, one budget for each user, and nothing that a client can say about whose it is.

use serde_json::json;

use super::{ALICE, ANONYMOUS, BOB, Limiter, USER, counted, passing};
use crate::harness::PATIENCE;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::eventually;
use crate::harness::forged::{FORGED, OWNED, spellings};
use crate::harness::leaf::Leaf;
use crate::harness::raw::get_bytes;

#[tokio::test]
async fn two_envoys_share_one_limit_also_after_redis_was_away() {
    let mut limiter = Limiter::start().await;
    // So that each Envoy's own limit has no part in it.
    let envoy = || {
        let own = json!({"rate_limit": {"default": {"rate": "10000/s", "burst": 10000}}});
        limiter.patient_envoy().plugin(own).start()
    };
    let (one, other) = tokio::join!(envoy(), envoy());
    let (alice, alice_there) = (one.client(ALICE), other.client(ALICE));
    let mut passed = 0;
    for _ in 0..USER {
        passed += passing(&alice, 1).await + passing(&alice_there, 1).await;
    }
    assert_eq!(passed, USER);
    assert_eq!(passing(&other.client(BOB), USER - 1).await, USER - 1);
    assert_eq!(
        one.gateway.received().len() + other.gateway.received().len(),
        2 * USER - 1
    );

    // Documented: without an answer the request passes, and is counted.
    limiter.redis.stop();
    for site in [&one, &other] {
        assert_eq!(passing(&site.client(ALICE), 2).await, 2);
        assert_eq!(counted(site, "failure_mode_allowed").await, 2);
        let stats = site.envoy.admin("/stats/prometheus").await.unwrap();
        let alerted =
            r#"envoy_cluster_ratelimit_failure_mode_allowed{envoy_cluster_name="gateway"} 2"#;
        assert!(stats.contains(alerted), "{stats}");
    }

    limiter.redis.start_again().await;
    // Each of the service's connections to Redis finds out by itself.
    for client in [&alice, &alice_there] {
        eventually("the limit is back", PATIENCE, async || {
            (passing(client, 20).await == 0).then_some(())
        })
        .await;
    }
    assert_eq!(passing(&one.client(BOB), 3).await, 1);
}

#[tokio::test]
async fn a_client_cannot_choose_whose_budget_it_spends() {
    let limiter = Limiter::start().await;
    let site = limiter.patient_envoy().start().await;
    let names = [
        "alice@example.com",
        "ALICE@EXAMPLE.COM",
        "Alice@Example.com",
    ];
    let mut passed = 0;
    for name in names {
        passed += passing(&site.client(name), 2).await;
    }
    assert_eq!(passed, USER);
    let alice = site.client(ALICE);
    let owned = OWNED.iter().flat_map(|name| spellings(name));
    for name in owned.chain([
        "X-Envoy-Ratelimited".to_owned(),
        "X-Ratelimit-User".to_owned(),
    ]) {
        let line = format!("{name}: {FORGED}");
        let answer = alice.raw(&get_bytes("/", [&line, &line])).await.unwrap();
        assert_eq!(answer.status, 429, "{line}: {answer:?}");
    }
    for path in ["/?user=bob", "/bob/..", "/a"] {
        assert_eq!(alice.get(path).await.unwrap().status, 429);
        assert_eq!(alice.clone().http2().get(path).await.unwrap().status, 429);
    }
    // And whose budget it does not spend.
    assert_eq!(passing(&site.client(FORGED), USER).await, USER);
}

#[tokio::test]
async fn what_the_filter_refuses_is_not_asked_and_spends_nothing() {
    let limiter = Limiter::start().await;
    let fixture = limiter.patient_envoy();
    let site = fixture
        .plugin(json!({"authorization": {"rules": [
            {"name": "home", "action": "allow", "paths": ["/"]},
        ]}}))
        .start()
        .await;
    let alice = site.client(ALICE);
    for _ in 0..2 * USER {
        let denied = alice.get("/admin").await.unwrap();
        denied.assert_denied(403, "not_authorized");
    }
    assert_eq!(counted(&site, "ok").await, 0);
    assert_eq!(passing(&alice, 2 * USER).await, USER);
    let logged = site.access_log(4 * USER).await.pop().unwrap();
    assert_eq!(logged.line["details"], "request_rate_limited");
    assert_eq!(logged.record["decision"], "allow");
}

#[tokio::test]
async fn all_nobodies_share_one_budget_over_all_envoys() {
    let limiter = Limiter::start().await;
    let anonymous = || {
        let fixture = limiter.patient_envoy();
        let fixture = fixture.plugin(json!({"identity": {"missing": "strip"}}));
        fixture.edit(Bootstrap::certificate_optional).start()
    };
    let (one, other) = tokio::join!(anonymous(), anonymous());
    let nameless = other.client_with(&other.authority.issue(&Leaf::of([])));
    let mut passed = 0;
    for _ in 0..ANONYMOUS {
        passed += passing(&one.client_without_certificate(), 1).await;
        passed += passing(&nameless, 1).await;
    }
    assert_eq!(passed, ANONYMOUS);
    for user in ["anonymous", "true", ALICE] {
        assert_eq!(passing(&one.client(user), USER + 1).await, USER, "{user}");
    }
}

#[tokio::test]
async fn an_older_envoy_asks_the_service_as_well() {
    let limiter = Limiter::start().await;
    let fixture = limiter.patient_envoy().envoy_version("1.37.0");
    let site = fixture
        .plugin(json!({"certificate": {"validation": "listener"}}))
        .edit(|envoy| {
            envoy.hcm()["forward_client_cert_details"] = json!("SANITIZE_SET");
            envoy.hcm()["set_current_client_cert_details"] = json!({"cert": true});
        })
        .start()
        .await;
    assert_eq!(passing(&site.client(ALICE), 2 * USER).await, USER);
}
