//! One budget a user, whichever worker serves the connection.

mod changes;
mod course;
mod load;
mod many_users;

mod nginx;

use std::collections::BTreeSet;

use mtls_identity::reason::Reason;
use serde_json::json;

use crate::audit::cases::{cases, everything, open_door};
use crate::harness::Fixture;
use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::assert_only_user;
use crate::harness::leaf::Leaf;

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

/// The table of the records, under a limit.
#[tokio::test]
async fn a_request_that_is_refused_for_any_earlier_reason_spends_nothing() {
    let fixture = Fixture::new()
        .plugin(everything())
        .plugin(json!({"rate_limit": {"default": {"rate": "1/h", "burst": 1}}}))
        .edit(open_door);
    let site = fixture.concurrency(4).start().await;
    let (passed, denied): (Vec<_>, Vec<_>) = cases(&site.authority)
        .into_iter()
        .partition(|case| case.status == 200);
    let mut reasons = BTreeSet::new();
    for case in denied.iter().chain(&denied) {
        let answer = case.client(&site).raw(&case.request).await.unwrap();
        let (status, reason) = answer.denial();
        assert_eq!(
            (status, json!(reason)),
            (case.status, case.record["reason"].clone())
        );
        reasons.insert(reason);
    }
    // All but `rate_limited`, what no client can bring about, the three of a message, and that of a token: no body and no
    // token is read here.
    assert_eq!(reasons.len(), Reason::ALL.len() - 6, "{reasons:?}");
    let alice = passed.iter().find(|case| case.record["user"] == ALICE);
    let alice = alice.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = alice.client(&site).raw(&alice.request).await;
        statuses.push(answer.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
}

#[tokio::test]
async fn an_observed_limit_changes_no_answer_and_is_counted_and_recorded() {
    let site = Fixture::new()
        .plugin(json!({
            "rate_limit": {"default": {"rate": "1/h", "burst": 1}, "response_headers": "draft"},
            "observe": ["rate_limit"],
        }))
        .start()
        .await;
    let client = site.client(ALICE);
    for _ in 0..5 {
        let answer = client.get("/").await.unwrap();
        assert_only_user(&answer.gateway(), ALICE);
        assert_eq!(told(&answer), [] as [(&str, String); 0]);
    }
    assert_eq!(site.envoy.counter("observe.rate_limited").await, 3);
    site.envoy.counts("allow", 5).await;
    let logged = site.access_log(5).await;
    let observed: Vec<_> = logged
        .iter()
        .map(|line| line.record["observed"].clone())
        .collect();
    let none = json!([]);
    let limited = json!(["rate_limited"]);
    assert_eq!(
        observed,
        [&none, &none, &limited, &limited, &limited].map(Clone::clone)
    );
}

/// What an answer tells of a limit, in the order of the names.
fn told(answer: &Answer) -> Vec<(&'static str, String)> {
    const NAMES: [&str; 6] = [
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
    let values = |name: &'static str| {
        answer
            .header(name)
            .into_iter()
            .map(move |value| (name, value))
    };
    NAMES.into_iter().flat_map(values).collect()
}

#[tokio::test]
async fn clients_are_told_of_their_limit_as_configured_over_http1_and_http2() {
    for (kind, granted, refused) in [
        ("none", "", " retry-after"),
        (
            "draft",
            " ratelimit ratelimit-policy",
            " ratelimit ratelimit-policy retry-after",
        ),
        (
            "legacy",
            " x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset",
            " retry-after x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset",
        ),
    ] {
        let limits = json!({"default": {"rate": "1/h"}, "response_headers": kind});
        let site = Fixture::new()
            .plugin(json!({"rate_limit": limits}))
            .start()
            .await;
        for (user, client) in [
            (ALICE, site.client(ALICE)),
            ("bob@example.com", site.client("bob@example.com").http2()),
        ] {
            for (status, expected) in [(200, granted), (429, refused)] {
                let answer = client.get("/").await.unwrap();
                assert_eq!(answer.status, status);
                let told = told(&answer);
                let names: String = told.iter().map(|(name, _)| format!(" {name}")).collect();
                assert_eq!(names, expected, "{user} {kind}");
                for (name, value) in told {
                    assert!(is_plausible(name, &value, status), "{name}: {value}");
                }
            }
        }
    }
}

/// Of a limit of one an hour that was used up less than a minute ago.
fn is_plausible(name: &str, value: &str, status: u16) -> bool {
    let is_soon = |seconds: &str| (3540..=3600).contains(&seconds.parse().unwrap());
    match name {
        "ratelimit" => is_soon(value.strip_prefix("\"identity\";r=0;t=").unwrap()),
        "ratelimit-policy" => value == "\"identity\";q=1;w=3600",
        "x-ratelimit-limit" => value == "1",
        "x-ratelimit-remaining" => value == "0",
        "x-ratelimit-reset" => is_soon(value),
        _ => status == 429 && is_soon(value),
    }
}

#[tokio::test]
async fn all_nobodies_share_one_budget_over_all_workers_and_nobody_elses() {
    let site = Fixture::new()
        .concurrency(4)
        .edit(Bootstrap::certificate_optional)
        .plugin(json!({
            "identity": {"missing": "strip"},
            "rate_limit": {"default": {"rate": "1/h"}, "anonymous": {"rate": "1/h", "burst": 3}},
        }))
        .start()
        .await;
    let nameless = site.client_with(&site.authority.issue(&Leaf::of([])));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        for client in [&site.client_without_certificate(), &nameless] {
            statuses.push(client.get("/").await.unwrap().status);
        }
    }
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429, 429, 429]);
    // Neither a user of that name nor a header makes a difference.
    let anonymous = site.client("anonymous");
    assert_eq!(anonymous.get("/").await.unwrap().status, 200);
    anonymous
        .get("/")
        .await
        .unwrap()
        .assert_denied(429, "rate_limited");
    let forged = [
        ("x-ssl-client-s-dn-cn", ALICE),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    let denied = nameless.get_with("/", &forged).await.unwrap();
    denied.assert_denied(429, "rate_limited");
}

/// What a client could try to have a second budget: other spellings of its name, other certificates, keys,
/// protocols, paths, headers.
#[tokio::test]
async fn a_user_is_one_user_in_every_certificate_and_spelling() {
    let limits = json!({"default": {"rate": "1/h", "burst": 1}});
    let fixture = Fixture::new().plugin(json!({"rate_limit": limits}));
    let authority = fixture.authority();
    let spellings = [
        "alice@example.com",
        "ALICE@EXAMPLE.COM",
        "Alice@Example.com",
    ];
    let certificates = spellings.map(|name| authority.client(name));
    let site = fixture.concurrency(4).start().await;
    let mut passed = 0;
    for credentials in &certificates {
        let client = site.client_with(credentials);
        for client in [
            client.clone(),
            client.clone().http2(),
            client.clone().tls12(),
        ] {
            for path in ["/", "/other?user=bob", "/a//b/../c"] {
                let headers = [("x-forwarded-for", "192.0.2.7"), ("x-request-id", "new")];
                let answer = client.get_with(path, &headers).await.unwrap();
                passed += usize::from(answer.status == 200);
            }
        }
    }
    assert_eq!(passed, 2);
    let client = site.client_with(&certificates[0]);
    for client in [client.clone(), client.http2()] {
        let refusal = client.websocket("/ws", &[]).await.err();
        refusal.unwrap().assert_denied(429, "rate_limited");
    }
}
