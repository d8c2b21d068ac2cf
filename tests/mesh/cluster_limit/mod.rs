//! One limit over several Envoys: `envoy.yaml` with the pieces of `envoy/cluster-limit`, envoyproxy/ratelimit, a Redis.

use crate::harness::client::Client;
use crate::harness::cluster_limit::{Place, patient, pieces};
use crate::harness::redis::Redis;
use crate::harness::{Fixture, Site};

mod failure;
mod order;
mod service;
mod sharing;

use service::Service;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
/// What the service allows each user in an hour, and all nobodies together.
const USER: usize = 3;
const ANONYMOUS: usize = 5;

/// Redis, and the service in front of it.
struct Limiter {
    redis: Redis,
    service: Service,
}

impl Limiter {
    async fn start() -> Self {
        let redis = Redis::start().await;
        let service = Service::start(&redis).await;
        Self { redis, service }
    }

    /// An Envoy in front of a gateway of its own that asks this service.
    fn envoy(&self) -> Fixture {
        self.envoy_with(Place::Behind)
    }

    fn envoy_with(&self, place: Place) -> Fixture {
        Fixture::new().edit(pieces(self.service.address(), place))
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
