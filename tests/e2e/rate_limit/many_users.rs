//! 100,000 users: what the table of fixed size costs, and what they get.
//!
//! `cargo test --locked --test e2e hundred_thousand -- --nocapture` prints what was measured.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, forwarded_element};
use crate::harness::forged::filter_alone;
use crate::harness::leaf::{Leaf, common_name as cn, san_uri};
use crate::harness::raw::{RawConnection, get_bytes};
use crate::harness::{Fixture, Site};

const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const CONNECTIONS: usize = 8;
const USERS: usize = 100_000;
/// Documented: what the table takes at most, Envoy's own bookkeeping included.
const TABLE_BYTES: u64 = 2 << 20;
/// Documented: of 10,000 users in debt at the same time at least 99 in 100 have a place of their own.
const REMEMBERED: usize = 10_000;
/// Documented: how many users have one.
const PLACES: usize = 4096 * 8;

async fn site() -> Site {
    Fixture::new()
        .concurrency(4)
        .plugin(json!({
            "certificate": {"forwarded_by": [EDGE]},
            "rate_limit": {
                "default": {"rate": "1/h"},
                "identities": {"*@hungry.example": {"rate": "1/h", "burst": 9}},
            },
            "audit": {"log": "none", "access_log": false},
        }))
        .edit(filter_alone)
        .edit(|envoy| envoy.hcm()["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY"))
        .edit(Bootstrap::answer_directly)
        .start()
        .await
}

/// Of the Envoy process, in bytes.
#[derive(Debug)]
struct Memory {
    /// What it uses, as it says itself. The empty table is part of it before the first user.
    allocated: u64,
    /// What the kernel has given it.
    resident: u64,
}

impl Memory {
    async fn of(site: &Site) -> Self {
        let memory = site.envoy.admin("/memory").await.unwrap();
        let memory: Value = serde_json::from_str(&memory).unwrap();
        Self {
            allocated: memory["allocated"].as_str().unwrap().parse().unwrap(),
            resident: site.envoy.resident_memory(),
        }
    }
}

/// A connection of a gateway of the mesh that speaks for everybody, so that a new user needs no handshake. All
/// its users have certificates of one key.
struct Edge {
    authority: Arc<Authority>,
    key: KeyPair,
    connection: RawConnection,
}

impl Edge {
    /// Whether a request of this user passes.
    async fn asks_for(&mut self, user: &str) -> bool {
        let certificate = self.authority.certify(&self.key, &Leaf::of([cn(user)]));
        let element = forwarded_element(&certificate);
        let line = format!("X-Forwarded-Client-Cert: {element}");
        let answer = self.connection.exchange(&get_bytes("/", [line])).await;
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 429), "{answer:?}");
        answer.status == 200
    }

    /// The users that are left, as long as there are any; returns how many passed.
    async fn asks_for_all(mut self, users: &Mutex<impl Iterator<Item = usize>>) -> (Self, usize) {
        let mut passed = 0;
        let next = || users.lock().unwrap().next();
        while let Some(number) = next() {
            let user = format!("user-{number}@example.com");
            passed += usize::from(self.asks_for(&user).await);
        }
        (self, passed)
    }
}

/// All connections of the gateway.
struct Edges(Vec<Edge>);

impl Edges {
    async fn connect(site: &Site) -> Self {
        let authority = Arc::new(Authority::new());
        let gateway = Leaf::of([cn("edge")]).subject_alt_names(&[san_uri(EDGE)]);
        let client = site.client_with(&site.authority.issue(&gateway));
        let mut edges = Vec::new();
        for _ in 0..CONNECTIONS {
            edges.push(Edge {
                authority: authority.clone(),
                key: KeyPair::generate().unwrap(),
                connection: client.connect_raw().await.unwrap(),
            });
        }
        Self(edges)
    }

    /// One request of each of these users, in this order; how many passed.
    async fn ask_for(&mut self, users: impl Iterator<Item = usize> + Send + 'static) -> usize {
        let users = Arc::new(Mutex::new(users));
        let asking = self.0.drain(..).map(|edge| {
            let users = users.clone();
            tokio::spawn(async move { edge.asks_for_all(&users).await })
        });
        let mut passed = 0;
        for done in join_all(asking.collect::<Vec<_>>()).await {
            let (edge, count) = done.unwrap();
            self.0.push(edge);
            passed += count;
        }
        passed
    }

    /// How many of this many requests of a user pass.
    async fn ask_again_and_again(&mut self, user: &str, requests: usize) -> usize {
        let mut passed = 0;
        for place in 0..requests {
            passed += usize::from(self.0[place % CONNECTIONS].asks_for(user).await);
        }
        passed
    }
}

/// The newest one first.
fn newest_first(users: Range<usize>) -> impl Iterator<Item = usize> {
    users.rev()
}

/// Who comes new into a full slot takes over the least debt in it: many names are no way to get more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_users_cost_no_more_than_the_table_and_get_no_more_than_it_holds() {
    let site = site().await;
    let mut edges = Edges::connect(&site).await;
    // What Envoy needs for any load at all.
    edges.ask_for(std::iter::repeat_n(USERS, 5000)).await;
    let heavy = edges.ask_again_and_again("heavy@hungry.example", 12).await;
    assert_eq!(heavy, 10);
    let before = Memory::of(&site).await;

    let first = edges.ask_for(0..REMEMBERED).await;
    println!("of {REMEMBERED} users who used nothing {first} passed");
    assert!(first >= REMEMBERED - REMEMBERED / 100, "{first}");
    let again = edges.ask_for(newest_first(0..REMEMBERED).step_by(4)).await;
    assert_eq!(again, 0, "nobody is forgotten");

    let more = edges.ask_for(REMEMBERED..USERS).await;
    let after = Memory::of(&site).await;
    println!("before {before:?}, after {USERS} users {after:?}");
    println!(
        "of {USERS} requests of as many users {} passed",
        first + more
    );
    assert!(first + more <= PLACES, "{first} and {more}");
    assert!(first + more >= PLACES - PLACES / 100, "{first} and {more}");
    assert!(after.allocated <= before.allocated + TABLE_BYTES);
    assert!(after.resident <= before.resident + TABLE_BYTES);

    // A user with a burst of nine passes at least nine times in a slot of users who each have used one.
    let quiet = edges.ask_again_and_again("quiet@hungry.example", 12).await;
    assert!((9..=10).contains(&quiet), "{quiet}");
    let heavy = edges.ask_again_and_again("heavy@hungry.example", 2).await;
    assert_eq!(heavy, 0);
    let again = edges.ask_for(newest_first(0..USERS).step_by(50)).await;
    assert_eq!(again, 0, "and nobody gets a fresh budget");
}
