//! What is counted: by what became of a request, never by whose it was; and what `observe` only counts.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::{FORGED, assert_nobody, assert_only_user, filter_alone};
use crate::harness::leaf::{Leaf, common_name as cn};
use crate::harness::{Fixture, PATIENCE, Site, eventually};

const ALICE: &str = "alice@example.com";

/// Denies Alice on every ground that can be observed.
fn strict() -> Value {
    json!({
        "pin_required": [ALICE],
        "pins": {"bob@example.com": [format!("sha256:{}", "0".repeat(64))]},
        "authorization": {"rules": [{"name": "none", "action": "allow", "identities": ["nobody"]}]},
    })
}

#[tokio::test]
async fn what_is_observed_changes_no_answer_and_is_counted() {
    let site = Fixture::new()
        .plugin(strict())
        .plugin(json!({"observe": ["pins", "authorization"]}))
        .start()
        .await;
    for name in [ALICE, "bob@example.com"] {
        let answer = site.client(name).get("/").await.unwrap();
        assert_only_user(&answer.gateway(), name);
    }
    let counted = [
        ("allow", 2),
        ("certificate.parsed", 2),
        ("observe.not_authorized", 2),
        ("observe.pin_mismatch", 1),
        ("observe.pin_required", 1),
    ];
    assert_counted(&site, counted).await;
}

#[tokio::test]
async fn what_is_not_observed_is_enforced_beside_what_is() {
    for (observe, reason, counter) in [
        (json!([]), "pin_required", None),
        (json!(["authorization"]), "pin_required", None),
        (
            json!(["pins"]),
            "not_authorized",
            Some("observe.pin_required"),
        ),
    ] {
        let site = Fixture::new()
            .plugin(strict())
            .plugin(json!({"observe": observe}))
            .start()
            .await;
        let answer = site.client(ALICE).get("/").await.unwrap();
        answer.assert_denied(403, reason);
        let denied = format!("deny.{reason}");
        let mut counted = vec![("certificate.parsed", 1), (denied.as_str(), 1)];
        counted.extend(counter.map(|counter| (counter, 1)));
        assert_counted(&site, counted).await;
    }
}

/// These counters, and no other, are not zero.
async fn assert_counted<'a>(site: &Site, expected: impl IntoIterator<Item = (&'a str, u64)>) {
    let expected = expected.into_iter();
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    let expected: BTreeMap<_, _> = expected.collect();
    let mut last = BTreeMap::new();
    let counted = eventually("the counters are as expected", PATIENCE, async || {
        last = site.envoy.counters().await.into_iter().collect();
        (last == expected).then_some(())
    });
    if timeout(PATIENCE / 2, counted).await.is_err() {
        panic!("counted {last:?}, expected {expected:?}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them_and_certificates_once_a_connection() {
    let site = Fixture::new()
        .plugin(json!({"identity": {"anonymous_paths": ["/health"]}}))
        .edit(Bootstrap::certificate_optional)
        .edit(filter_alone)
        .start()
        .await;
    let mut alice = site.client(ALICE).connect().await.unwrap();
    for _ in 0..5 {
        assert_only_user(&alice.get("/").await.unwrap().gateway(), ALICE);
    }
    let day = Duration::from_secs(86_400);
    let soon = Leaf::of([cn(ALICE)])
        .not_before(SystemTime::now() - 20 * day)
        .not_after(SystemTime::now() + 6 * day);
    let soon = site.authority.issue(&soon);
    let mut soon = site.client_with(&soon).http2().connect().await.unwrap();
    for _ in 0..3 {
        assert_only_user(&soon.get("/").await.unwrap().gateway(), ALICE);
    }
    let nobody = site.client_without_certificate();
    assert_nobody(&nobody.get("/health").await.unwrap().gateway());
    nobody
        .get("/")
        .await
        .unwrap()
        .assert_denied(403, "no_certificate");
    // Two headers are one request that is stripped; one that is denied is stripped as well.
    let forged = [
        ("x-ssl-client-s-dn-cn", FORGED),
        ("x_ssl_client_verify", FORGED),
    ];
    let denied = nobody.get_with("/", &forged).await.unwrap();
    denied.assert_denied(403, "no_certificate");
    let stripped = site.client(ALICE).get_with("/", &forged[..1]).await;
    assert_only_user(&stripped.unwrap().gateway(), ALICE);
    let counted = [
        ("allow", 9),
        ("anonymous", 1),
        ("certificate.expires_soon", 1),
        ("certificate.parsed", 3),
        ("deny.no_certificate", 2),
        ("stripped", 2),
    ];
    assert_counted(&site, counted).await;
    let all = [
        site.envoy.stats("").await,
        site.envoy.admin("/stats/prometheus").await.unwrap(),
    ];
    for stats in all {
        assert!(stats.len() > 10_000);
        let user = stats
            .lines()
            .find(|line| line.to_lowercase().contains("alice"));
        assert_eq!(user, None);
    }
}
