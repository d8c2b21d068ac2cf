//! 100,000 users: what the table of fixed size costs, and whom it forgets.
//!
//! `cargo test --locked --test e2e hundred_thousand -- --nocapture` prints what was measured.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use rcgen::KeyPair;
use serde_json::json;

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
/// Documented: of 10,000 users in debt at the same time one in a hundred is forgotten at most.
const REMEMBERED: usize = 10_000;

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

/// The newest one first: who is forgotten, is then in the table again and displaces others.
fn newest_first(users: Range<usize>) -> impl Iterator<Item = usize> {
    users.rev()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_users_cost_no_more_than_the_table_and_refuse_nobody_who_used_nothing() {
    let site = site().await;
    let mut edges = Edges::connect(&site).await;
    // What Envoy needs for any load at all.
    edges.ask_for(std::iter::repeat_n(USERS, 5000)).await;
    assert_eq!(
        edges.ask_again_and_again("heavy@hungry.example", 12).await,
        10
    );
    let before = site.envoy.resident_memory();

    assert_eq!(edges.ask_for(0..REMEMBERED).await, REMEMBERED);
    let sample = newest_first(0..REMEMBERED).step_by(4);
    let forgotten = edges.ask_for(sample).await;
    println!("of {REMEMBERED} users in debt {forgotten} in 2500 were forgotten");
    assert!(forgotten <= 25, "{forgotten}");

    // Every first request passes, whatever all the others have used.
    assert_eq!(edges.ask_for(REMEMBERED..USERS).await, USERS - REMEMBERED);
    let grown = site.envoy.resident_memory().saturating_sub(before);
    println!("{USERS} users took {} KiB", grown / 1024);
    assert!(grown <= TABLE_BYTES, "{grown}");
    assert_eq!(
        edges.ask_again_and_again("quiet@hungry.example", 12).await,
        10
    );

    // The one with the least debt gives way: who used most is not forgotten.
    assert_eq!(
        edges.ask_again_and_again("heavy@hungry.example", 2).await,
        0
    );
    let newest = newest_first(USERS - 5000..USERS).step_by(2);
    let newest = edges.ask_for(newest).await;
    let sample = newest_first(0..USERS).step_by(50);
    let all = edges.ask_for(sample).await;
    println!(
        "of {USERS} users in debt {all} in 2000 were forgotten, of the newest 5000 {newest} in 2500"
    );
    assert!(newest <= 25, "{newest}");
    assert!((1000..1500).contains(&all), "{all}");
}
