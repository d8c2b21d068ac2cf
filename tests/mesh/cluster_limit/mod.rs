//! One limit over several Envoys: `envoy.yaml` with the pieces of `envoy/cluster-limit`, a rate limit service, a Redis.

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::Client;
use crate::harness::limit_service;
use crate::harness::redis::Redis;
use crate::harness::server::Server;
use crate::harness::{Fixture, Site};

mod failure;
mod order;
mod sharing;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
/// What the service allows each user in an hour, and all nobodies together.
const USER: usize = 3;
const ANONYMOUS: usize = 5;

fn piece(name: &str) -> Value {
    let path = repository().join("envoy/cluster-limit").join(name);
    serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Where the filter of the pieces stands in `http_filters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As shipped: behind the guard.
    Behind,
    /// Wrong: in front of the filter that names the user.
    InFront,
}

/// The pieces where their files say, the service at this address.
pub(crate) fn pieces(service: SocketAddr, place: Place) -> impl FnOnce(&mut Bootstrap) + 'static {
    move |envoy| {
        envoy.overlay_plugin(&piece("configuration.json"));
        let filters = envoy.http_filters();
        let named = |name: &str| {
            let mut filters = filters.iter();
            filters.position(|filter| filter["name"] == name).unwrap()
        };
        let index = match place {
            Place::Behind => named("mtls_identity_guard") + 1,
            Place::InFront => named("mtls_identity"),
        };
        filters.insert(index, piece("http_filter.yaml"));
        envoy.hcm()["route_config"]["virtual_hosts"][0]["rate_limits"] = piece("rate_limits.yaml");
        let mut cluster = piece("cluster.yaml");
        let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        endpoint["endpoint"]["address"]["socket_address"] =
            json!({"address": "127.0.0.1", "port_value": service.port()});
        let clusters = &mut envoy.value()["static_resources"]["clusters"];
        clusters.as_array_mut().unwrap().push(cluster);
    }
}

/// The configuration of the filter that asks the service.
fn limit_filter(envoy: &mut Bootstrap) -> &mut Value {
    let mut filters = envoy.http_filters().iter_mut();
    let filter = filters.find(|filter| filter["name"] == "envoy.filters.http.ratelimit");
    &mut filter.unwrap()["typed_config"]
}

/// A busy machine is no outage: for tests that count what the service allows.
fn patient(envoy: &mut Bootstrap) {
    limit_filter(envoy)["timeout"] = json!("10s");
}

/// Redis, and the service in front of it.
struct Limiter {
    redis: Redis,
    service: Server,
}

impl Limiter {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let limit = |most: usize, variable: &str| {
            json!({
                "namespace": "mtls_identity", "max_value": most, "seconds": 3600,
                "conditions": [], "variables": [variable],
            })
        };
        let limits = json!([limit(USER, "user"), limit(ANONYMOUS, "anonymous")]);
        let service = limit_service::start(&redis, &limits).await;
        Self { redis, service }
    }

    /// An Envoy in front of a gateway of its own that asks this service.
    fn envoy(&self) -> Fixture {
        Fixture::new().edit(pieces(self.service.address(), Place::Behind))
    }

    /// One that waits for an answer.
    fn patient_envoy(&self) -> Fixture {
        self.envoy().edit(patient)
    }
}

/// How many of this many requests pass; the others must be refused by the service's word.
async fn passing(client: &Client, requests: usize) -> usize {
    let mut passed = 0;
    for _ in 0..requests {
        let answer = client.get("/").await.unwrap();
        match answer.status {
            200 => passed += 1,
            _ => {
                assert_eq!(answer.status, 429, "{answer:?}");
                assert!(answer.body.is_empty(), "{answer:?}");
                assert_eq!(answer.header("x-envoy-ratelimited"), [] as [&str; 0]);
            }
        }
    }
    passed
}

/// A counter of the filter that asks the service; 0 where it has counted nothing.
async fn counted(site: &Site, name: &str) -> u64 {
    let name = format!("cluster.gateway.ratelimit.{name}");
    site.envoy.stat(&name).await.unwrap_or_default()
}
