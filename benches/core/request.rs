//! What every request asks of the core.

use std::hint::black_box;

use criterion::Criterion;
use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::limit;
use mtls_identity::limit::{Allowance, Charge, TableKey};
use mtls_identity::report;
use mtls_identity::request::{Field, RequestHead, write_map};
use serde_json::{Value, json};

use crate::certs::Authority;
use crate::connection::{direct, full, revoked};
use crate::decision::{configuration, now};

/// As Envoy has them at the filter, for the request of the other benchmark.
const FIELDS: [Field<'static>; 12] = [
    (b":authority", b"gateway.example.com"),
    (b":path", b"/mcp?session=1"),
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b"user-agent", b"bench/1.0"),
    (b"accept", b"application/json, text/event-stream"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"mcp-protocol-version", b"2025-06-18"),
    (b"mcp-session-id", b"0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"x-forwarded-proto", b"https"),
    (b"x-request-id", b"2f0b7d5e-0000-4000-8000-000000000000"),
];

pub(crate) fn benchmarks(criterion: &mut Criterion) {
    let pem = pem::encode(Authority::new().client("alice@example.com").certificate());
    let map = write_map(FIELDS);
    criterion.bench_function("head", |bencher| {
        bencher.iter(|| RequestHead::read(black_box(&map)).unwrap());
    });
    let head = RequestHead::read(&map).unwrap();
    let default = Configuration::parse(b"{}").unwrap();
    criterion.bench_function("owned names", |bencher| {
        bencher.iter(|| default.filter.owned_names(black_box(&head)).count());
    });
    let ruled = configuration(&ruled());
    for (name, configuration) in [
        ("{}", &default),
        ("full", &configuration(&full())),
        ("1,000 rules", &ruled),
        ("10,000 revoked", &configuration(&revoked())),
    ] {
        serve(criterion, name, configuration, &head, &pem);
    }
    dearest(criterion, &pem);
}

/// Under rules that ask for path, cookie and another header: what the shortest request costs, and what the dearest one
/// costs that a client can send. What a client must be refused for is left out: then fewer rules are asked.
fn dearest(criterion: &mut Criterion, pem: &str) {
    let configuration = configuration(&ruled_by_the_client());
    let short = write_map([(&b":path"[..], &b"/"[..]), (b":method", b"GET")]);
    let path = format!("/servers/{}", "%7a%41".repeat(600));
    // Each begins as the rules' patterns do.
    let entries = |name: &'static str, between| {
        let entries = (0..64).map(|number| format!("{name}{number:050}"));
        entries.collect::<Vec<_>>().join(between)
    };
    let cookie = entries("role=admin", "; ");
    let roles = entries("admin", ", ");
    let long = write_map([
        (&b":path"[..], path.as_bytes()),
        (b":method", b"GET"),
        (b"cookie", cookie.as_bytes()),
        (b"x-role", roles.as_bytes()),
    ]);
    for (name, map) in [("shortest", &short), ("dearest", &long)] {
        let head = RequestHead::read(map).unwrap();
        let name = format!("1,000 rules, {name} request");
        serve(criterion, &name, &configuration, &head, pem);
    }
}

fn serve(
    criterion: &mut Criterion,
    name: &str,
    configuration: &Configuration,
    head: &RequestHead<'_>,
    pem: &str,
) {
    let client = configuration.filter.client(&direct(pem), None);
    let now = now();
    let at = u64::try_from(now.unix()).unwrap() * 1_000_000_000;
    let mut slot = Vec::new();
    let mut charge = |charge: &Charge| {
        let charged = limit::charge(
            &slot,
            charge.key(&TableKey::new([0; 16])),
            &charge.quota,
            at,
        );
        if let Some(next) = &charged.slot {
            next.as_bytes().clone_into(&mut slot);
        }
        Ok(Allowance::after(charge, &charged, at))
    };
    let outcome = configuration.filter.decide(head, now, &client, &mut charge);
    assert!(outcome.decision.reason().is_none(), "{outcome:?}");
    criterion.bench_function(&format!("serve, {name}"), |bencher| {
        bencher.iter(|| {
            configuration
                .filter
                .decide(black_box(head), now, &client, &mut charge)
        });
    });
    let mut record = Vec::new();
    criterion.bench_function(&format!("record, {name}"), |bencher| {
        bencher.iter(|| {
            let former = std::mem::take(&mut record);
            record = report::record(
                &outcome.decision,
                black_box(head),
                b"192.0.2.1:50000",
                former,
            );
        });
    });
}

/// Rules of which only the last one matches.
fn ruled() -> Value {
    let rule = |number: usize| {
        json!({
            "name": format!("rule {number}"),
            "action": "allow",
            "identities": [format!("*@unit{number}.example.com")],
            "paths": [format!("/servers/{number}/*")],
        })
    };
    let all = json!({"name": "staff", "action": "allow", "identities": ["*@example.com"]});
    let rules: Vec<_> = (0..1000).map(rule).chain([all]).collect();
    json!({"authorization": {"rules": rules}})
}

/// Rules that ask for what a client writes. None of them matches but the last one.
fn ruled_by_the_client() -> Value {
    let rule = |number: usize| {
        let condition = match number % 3 {
            0 => json!({"paths": [format!("/servers/{number}/*")]}),
            1 => json!({"headers": {"cookie": [format!("role=admin{number}*")]}}),
            _ => json!({"headers": {"x-role": [format!("admin{number}*")]}}),
        };
        let mut rule = json!({"name": format!("rule {number}"), "action": "deny"});
        let condition = condition.as_object().unwrap().clone();
        rule.as_object_mut().unwrap().extend(condition);
        rule
    };
    let all = json!({"name": "staff", "action": "allow", "identities": ["*@example.com"]});
    let rules: Vec<_> = (0..1000).map(rule).chain([all]).collect();
    json!({"authorization": {"rules": rules}})
}
