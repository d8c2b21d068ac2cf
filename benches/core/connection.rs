//! What is worked out once: for a configuration, and for a connection.

use std::hint::black_box;

use criterion::Criterion;
use mtls_identity::certificate::PeerCertificate;
use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::identity::{DirectPeer, PeerError};
use serde_json::{Map, Value, json};

use crate::certs::Authority;
use crate::decision::{configuration, validated};
use crate::leaf::{Leaf, common_name, organization};

const PINNED: usize = 10_000;

pub(crate) fn benchmarks(criterion: &mut Criterion) {
    let authority = Authority::new();
    let small = authority.client("alice@example.com");
    let leaf = Leaf::of([common_name("alice@example.com"), organization("Acme")]);
    let large = authority.issue_rsa_4096(&leaf);
    for (name, credentials) in [("P-256", &small), ("RSA-4096", &large)] {
        let pem = pem::encode(credentials.certificate());
        criterion.bench_function(&format!("certificate, {name}"), |bencher| {
            bencher.iter(|| PeerCertificate::from_pem(black_box(pem.as_bytes())).unwrap());
        });
    }
    let pem = pem::encode(small.certificate());
    let direct = direct(&pem);
    let full = configuration(&full());
    criterion.bench_function("caller", |bencher| {
        bencher.iter(|| full.filter.client(black_box(&direct), None));
    });
    let pinned = pinned().to_string();
    criterion.bench_function("configuration, 10,000 pins", |bencher| {
        bencher.iter(|| Configuration::parse(black_box(pinned.as_bytes())).unwrap());
    });
    let revoked = revoked().to_string();
    criterion.bench_function("configuration, 10,000 revoked", |bencher| {
        bencher.iter(|| Configuration::parse(black_box(revoked.as_bytes())).unwrap());
    });
    let revoked = Configuration::parse(revoked.as_bytes()).unwrap();
    criterion.bench_function("caller, 10,000 revoked", |bencher| {
        bencher.iter(|| revoked.filter.client(black_box(&direct), None));
    });
}

/// A peer whose certificate Envoy has validated.
pub(crate) fn direct(pem: &str) -> Result<Option<DirectPeer>, PeerError> {
    DirectPeer::read(&validated(pem), None)
}

/// As `full` of the other benchmark, but for the pin.
pub(crate) fn full() -> Value {
    json!({
        "headers": {"set": {"x-ssl-client-verify": "verify"}},
        "rate_limit": {"default": {"rate": "1000000/s", "burst": 1_000_000}},
        "audit": {"access_log": true},
    })
}

fn pinned() -> Value {
    let pins = (0..PINNED).map(|user| {
        let name = format!("user{user}@example.com");
        (name, json!([format!("sha256:{user:064x}")]))
    });
    json!({"pins": pins.collect::<Map<_, _>>()})
}

/// As `mtls-identity revoke` writes a CRL of the bench's CA: random serial numbers of 16 bytes.
pub(crate) fn revoked() -> Value {
    let serials = (0..PINNED).map(|number| format!("0x{:016x}{number:016x}", number * 0x9e37_79b9));
    json!({"revoked": [{"issuer": "CN=Test CA", "serials": serials.collect::<Vec<_>>()}]})
}
