//! Limits: who is charged to what, in which order, and what a client is told.

mod workers;

use std::collections::HashMap;

use mtls_identity::certificate::pem;
use mtls_identity::identity::{ConnectionAttributes, DirectPeer};
use mtls_identity::limit;
use mtls_identity::limit::{Allowance, Charge, TableKey};
use mtls_identity::reason::Reason;
use mtls_identity::request::RequestHead;
use serde_json::{Value, json};

use crate::decision::{configuration, header_map, issue, now, outcome, validated};
use crate::leaf::{Leaf, common_name as cn};

const SECOND: u64 = 1_000_000_000;

/// Requests of certificates, one after the other at these times in nanoseconds, against one table. For each
/// who it was or why not, and the headers of the limit.
struct Proxy {
    slots: HashMap<u64, Vec<u8>>,
    charges: usize,
}

impl Proxy {
    fn new() -> Self {
        let slots = HashMap::new();
        Self { slots, charges: 0 }
    }

    fn request(&mut self, value: &Value, certificate: Option<&[u8]>, at: u64) -> Served {
        let configuration = configuration(value);
        let pem = certificate.map(pem::encode);
        let attributes = pem
            .as_deref()
            .map_or_else(ConnectionAttributes::default, validated);
        let headers = [(":path".to_owned(), b"/".to_vec())];
        let map = header_map(&headers);
        let head = RequestHead::read(&map).unwrap();
        let peer = DirectPeer::read(&attributes, None);
        let charge = |charge: &Charge| self.charge(charge, at);
        let client = configuration.filter.client(&peer, None);
        let served = configuration.filter.decide(&head, now(), &client, charge);
        let told = |allowance| configuration.filter.limit_headers(allowance);
        let evidence = served.decision.evidence();
        Served {
            outcome: outcome(&served),
            observed: evidence
                .observed
                .iter()
                .map(|reason| reason.as_str())
                .collect(),
            headers: served.allowance.as_ref().map(told).unwrap_or_default(),
        }
    }

    fn charge(&mut self, charge: &Charge, at: u64) -> Result<Allowance, Reason> {
        self.charges += 1;
        let slot = self
            .slots
            .entry(charge.key(&TableKey::new([0; 16])).slot())
            .or_default();
        let charged = limit::charge(slot, charge.key(&TableKey::new([0; 16])), &charge.quota, at);
        if let Some(next) = &charged.slot {
            *slot = next.as_bytes().to_vec();
        }
        Ok(Allowance::after(charge, &charged, at))
    }

    fn outcomes(&mut self, value: &Value, certificate: &[u8], count: usize) -> Vec<String> {
        let mut request = || self.request(value, Some(certificate), 9 * SECOND).outcome;
        (0..count).map(|_| request()).collect()
    }
}

#[derive(Debug, PartialEq)]
struct Served {
    outcome: String,
    observed: Vec<&'static str>,
    headers: Vec<(&'static str, String)>,
}

fn user(name: &str) -> Vec<u8> {
    issue(&Leaf::of([cn(name)]))
}

#[test]
fn the_closest_limit_is_the_one_of_a_user() {
    let value = json!({"rate_limit": {
        "default": {"rate": "1/h"},
        "identities": {
            "*@example.com": {"rate": "1/h", "burst": 1},
            "*@sub.example.com": {"rate": "1/h", "burst": 2},
            "Boss@sub.example.com": "unlimited",
            "zed@sub.example.com": {"rate": "1/h", "burst": 3},
        },
    }});
    for (name, allowed) in [
        ("a", 1),
        ("a@example.com", 2),
        ("b@example.com", 2),
        ("a@sub.example.com", 3),
        ("zed@sub.example.com", 4),
        ("BOSS@sub.example.com", 9),
        ("a@evil-example.com", 1),
    ] {
        let outcomes = Proxy::new().outcomes(&value, &user(name), 9);
        let limited = outcomes
            .iter()
            .filter(|outcome| *outcome == "rate_limited")
            .count();
        assert_eq!(9 - limited, allowed, "{name}");
    }
}

#[test]
fn each_user_has_a_budget_and_all_nobodies_share_one() {
    let value = json!({
        "identity": {"missing": "strip"},
        "rate_limit": {"default": {"rate": "1/h", "burst": 1}, "anonymous": {"rate": "1/h"}},
    });
    let mut proxy = Proxy::new();
    for name in ["a", "b"] {
        assert_eq!(
            proxy.outcomes(&value, &user(name), 3),
            [name, name, "rate_limited"]
        );
    }
    let nobody = issue(&Leaf::of([]));
    for (certificate, expected) in [
        (None, "anonymous"),
        (Some(&nobody[..]), "rate_limited"),
        (None, "rate_limited"),
    ] {
        assert_eq!(
            proxy.request(&value, certificate, 9 * SECOND).outcome,
            expected
        );
    }
}

#[test]
fn a_request_that_anything_else_refuses_spends_nothing() {
    let certificate = user("a");
    let limit = json!({"default": {"rate": "1/h"}});
    let mut proxy = Proxy::new();
    for (mut value, expected) in [
        (json!({"pin_required": ["a"]}), "pin_required"),
        (
            json!({"authorization": {"rules": [{"name": "n", "action": "deny"}]}}),
            "not_authorized",
        ),
        (json!({"identity": {"sources": ["email"]}}), "no_identity"),
        (
            json!({"headers": {"set": {"x-a": "certificate_escaped"}}}),
            "header_too_large",
        ),
    ] {
        value["rate_limit"] = limit.clone();
        let big = Leaf::of([cn("a")]).extension("1.3.6.1.4.1.99999.1", false, vec![0; 12_000]);
        let certificate = match expected {
            "header_too_large" => issue(&big),
            _ => certificate.clone(),
        };
        assert_eq!(
            proxy.outcomes(&value, &certificate, 2),
            [expected, expected]
        );
    }
    assert_eq!(proxy.charges, 0);
    let value = json!({"rate_limit": limit});
    assert_eq!(
        proxy.outcomes(&value, &certificate, 2),
        ["a", "rate_limited"]
    );
}

#[test]
fn a_budget_outlives_a_change_that_leaves_its_limit_as_it_is() {
    let certificate = user("a");
    let mut proxy = Proxy::new();
    let limit = |burst: u32| json!({"default": {"rate": "1/h", "burst": burst}});
    let one = json!({"rate_limit": limit(0)});
    assert_eq!(proxy.outcomes(&one, &certificate, 2), ["a", "rate_limited"]);
    let other = json!({"rate_limit": limit(0), "audit": {"log": "all"}, "pin_required": ["b"]});
    assert_eq!(proxy.outcomes(&other, &certificate, 1), ["rate_limited"]);
    let same_by_pattern = json!({"rate_limit": {"identities": {"a": {"rate": "1/h"}}}});
    assert_eq!(
        proxy.outcomes(&same_by_pattern, &certificate, 1),
        ["rate_limited"]
    );
    let changed = json!({"rate_limit": limit(1)});
    assert_eq!(
        proxy.outcomes(&changed, &certificate, 3),
        ["a", "a", "rate_limited"]
    );
}

#[test]
fn an_observed_limit_is_noted_and_tells_the_client_nothing() {
    let value = json!({
        "rate_limit": {"default": {"rate": "1/h"}, "response_headers": "draft"},
        "observe": ["rate_limit"],
    });
    let mut proxy = Proxy::new();
    let certificate = user("a");
    for observed in [vec![], vec!["rate_limited"], vec!["rate_limited"]] {
        let served = proxy.request(&value, Some(&certificate), SECOND);
        let expected = Served {
            outcome: "a".to_owned(),
            observed,
            headers: vec![],
        };
        assert_eq!(served, expected);
    }
}

#[test]
fn a_client_is_told_of_its_limit_as_configured() {
    let certificate = user("a");
    let none: [&[(&str, &str)]; 3] = [&[], &[], &[("retry-after", "1")]];
    let draft: [&[(&str, &str)]; 3] = [
        &[
            ("ratelimit-policy", "\"identity\";q=2;w=1"),
            ("ratelimit", "\"identity\";r=1;t=1"),
        ],
        &[
            ("ratelimit-policy", "\"identity\";q=2;w=1"),
            ("ratelimit", "\"identity\";r=0;t=1"),
        ],
        &[
            ("ratelimit-policy", "\"identity\";q=2;w=1"),
            ("ratelimit", "\"identity\";r=0;t=1"),
            ("retry-after", "1"),
        ],
    ];
    let legacy: [&[(&str, &str)]; 3] = [
        &[
            ("x-ratelimit-limit", "2"),
            ("x-ratelimit-remaining", "1"),
            ("x-ratelimit-reset", "1"),
        ],
        &[
            ("x-ratelimit-limit", "2"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1"),
        ],
        &[
            ("x-ratelimit-limit", "2"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1"),
            ("retry-after", "1"),
        ],
    ];
    for (kind, expected) in [("none", none), ("draft", draft), ("legacy", legacy)] {
        let limit = json!({"default": {"rate": "10/s", "burst": 1}, "response_headers": kind});
        let mut proxy = Proxy::new();
        for expected in expected {
            let value = json!({"rate_limit": limit});
            let served = proxy.request(&value, Some(&certificate), SECOND);
            let headers: Vec<_> = served
                .headers
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            assert_eq!(headers, expected, "{kind}");
        }
    }
    let slow = json!({"rate_limit": {"default": {"rate": "1/h"}}});
    let mut proxy = Proxy::new();
    proxy.request(&slow, Some(&certificate), SECOND);
    let served = proxy.request(&slow, Some(&certificate), 2 * SECOND);
    assert_eq!(served.headers, [("retry-after", "3599".to_owned())]);
}

/// draft-ietf-httpapi-ratelimit-headers-10: `t` (section 4.1.2) is when there will be more, and `Retry-After`
/// (section 6) is not before it.
#[test]
fn the_draft_headers_say_when_there_is_more_and_when_to_come_again() {
    let value = json!({"rate_limit": {
        "default": {"rate": "1/m", "burst": 2},
        "response_headers": "draft",
    }});
    let mut proxy = Proxy::new();
    let certificate = user("a");
    for (second, limit, retry_after) in [
        (0, "\"identity\";r=2;t=60", None),
        (10, "\"identity\";r=1;t=50", None),
        (20, "\"identity\";r=0;t=40", None),
        (30, "\"identity\";r=0;t=30", Some("30")),
        (60, "\"identity\";r=0;t=60", None),
        (240, "\"identity\";r=2;t=60", None),
    ] {
        let served = proxy.request(&value, Some(&certificate), (1000 + second) * SECOND);
        let mut expected = vec![
            ("ratelimit-policy", "\"identity\";q=3;w=180".to_owned()),
            ("ratelimit", limit.to_owned()),
        ];
        expected.extend(retry_after.map(|wait| ("retry-after", wait.to_owned())));
        assert_eq!(served.headers, expected, "{second}");
    }
}
