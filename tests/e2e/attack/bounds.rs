//! What a stranger may bring where Envoy lets strangers to the filter, and what one client's flood does to others.

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::leaf::{Leaf, common_name as cn, organizational_unit, san_dns};
use crate::harness::{Fixture, PATIENCE, eventually};

const ALICE: &str = "alice@example.com";

fn stranger(leaf: &Leaf) -> Credentials {
    Authority::new().issue(leaf)
}

fn with_extensions(count: usize) -> Leaf {
    // Three are there already.
    (3..count).fold(Leaf::of([cn(ALICE)]), |leaf, number| {
        leaf.extension(&format!("1.3.6.1.4.1.99999.{number}"), false, vec![5, 0])
    })
}

fn with_attributes(count: usize) -> Leaf {
    let units = (1..count).map(|_| organizational_unit("x"));
    Leaf::of([cn(ALICE)].into_iter().chain(units))
}

fn with_names(count: usize) -> Leaf {
    let names: Vec<_> = (0..count).map(|_| san_dns("a")).collect();
    Leaf::of([cn(ALICE)]).subject_alt_names(&names)
}

#[tokio::test]
async fn a_certificate_over_a_bound_is_refused_before_it_is_read() {
    let site = Fixture::new()
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    for (leaf, expected) in [
        (with_extensions(64), "certificate_not_validated"),
        (with_extensions(65), "certificate_unreadable"),
        (with_extensions(500), "certificate_unreadable"),
        (with_attributes(128), "certificate_not_validated"),
        (with_attributes(129), "certificate_unreadable"),
        (with_names(1024), "certificate_not_validated"),
        (with_names(1025), "certificate_unreadable"),
        (with_names(4000), "certificate_unreadable"),
    ] {
        let client = site.client_with(&stranger(&leaf));
        let answer = client.get("/").await.unwrap();
        answer.assert_denied(403, expected);
    }
    assert_eq!(site.gateway.received(), []);
}

/// A worker remembers 512 connections of users and 64 of strangers.
#[tokio::test]
async fn strangers_displace_no_user() {
    let site = Fixture::new()
        .concurrency(1)
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    let mut alice = site.client(ALICE).connect().await.unwrap();
    assert_eq!(alice.get("/").await.unwrap().status, 200);
    let stranger = site.client_with(&stranger(&Leaf::of([cn(ALICE)])));
    for _ in 0..600 {
        let answer = stranger.get("/").await.unwrap();
        answer.assert_denied(403, "certificate_not_validated");
    }
    assert_eq!(site.envoy.counter("certificate.parsed").await, 601);
    assert_eq!(alice.get("/").await.unwrap().status, 200);
    assert_eq!(site.envoy.counter("certificate.parsed").await, 601);
}

#[tokio::test]
async fn one_clients_flood_of_denials_hides_neither_others_nor_other_reasons_from_the_log() {
    let site = Fixture::new()
        .concurrency(1)
        .plugin(json!({
            "pin_required": ["root@example.com"],
            "authorization": {"default": "allow", "rules": [
                {"name": "no", "action": "deny", "paths": ["/no"]},
            ]},
        }))
        .start()
        .await;
    let mut flood = site.client("flood@example.com").connect().await.unwrap();
    let mut others = Vec::new();
    for name in [ALICE, "root@example.com"] {
        others.push(site.client(name).connect().await.unwrap());
    }
    for number in 0..2000 {
        assert_eq!(flood.get("/no").await.unwrap().status, 403);
        if number == 1000 {
            for other in &mut others {
                assert_eq!(other.get("/no").await.unwrap().status, 403);
            }
        }
    }
    eventually("the others are in the log", PATIENCE, async || {
        let lines = site.envoy.filter_lines();
        let has = |user: &str, reason: &str| {
            let mut lines = lines.iter();
            lines.any(|line| line["user"] == user && line["reason"] == reason)
        };
        let is_there = has(ALICE, "not_authorized") && has("root@example.com", "pin_required");
        is_there.then_some(())
    })
    .await;
    let lines = site.envoy.filter_lines();
    let of_flood = lines
        .iter()
        .filter(|line| line["user"] == "flood@example.com");
    assert!(of_flood.count() < 1000);
}
