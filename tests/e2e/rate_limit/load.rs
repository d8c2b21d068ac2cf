//! As fast as it goes, over all workers: what is allowed is the burst, one request, and the rate for as long as it
//! took.
//!
//! `cargo test --locked --test e2e exactly -- --nocapture` prints what was measured.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::raw::{RawConnection, get_bytes};
use crate::harness::{Fixture, Site};

const WORKERS: usize = 4;
const LENGTH: Duration = Duration::from_secs(3);
/// What is allowed may be off by this many.
const TOLERANCE: f64 = 2.0;

/// An exchange: the decision was made in between.
#[derive(Clone, Copy, Debug)]
struct Exchange {
    sent: Instant,
    answered: Instant,
}

/// What became of the requests of one user.
#[derive(Clone, Copy, Debug)]
struct Tally {
    allowed: u32,
    limited: u32,
    first: Exchange,
    last_answered: Instant,
    /// When the last request was sent that was limited: until then the budget was used up.
    used_up: Option<Instant>,
}

impl Tally {
    async fn of_one_request(connection: &mut RawConnection) -> Self {
        let sent = Instant::now();
        let answer = connection.exchange(&get_bytes("/", [] as [&str; 0])).await;
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 429), "{answer:?}");
        let exchange = Exchange {
            sent,
            answered: Instant::now(),
        };
        Self {
            allowed: u32::from(answer.status == 200),
            limited: u32::from(answer.status == 429),
            first: exchange,
            last_answered: exchange.answered,
            used_up: (answer.status == 429).then_some(sent),
        }
    }

    /// One request after the other, until then.
    async fn until(end: Instant, mut connection: RawConnection) -> Self {
        let mut tally = Self::of_one_request(&mut connection).await;
        while Instant::now() < end {
            tally = tally.and(Self::of_one_request(&mut connection).await);
        }
        tally
    }

    fn and(self, other: Self) -> Self {
        let first = self.first;
        Self {
            allowed: self.allowed + other.allowed,
            limited: self.limited + other.limited,
            used_up: self.used_up.max(other.used_up),
            first: Exchange {
                sent: first.sent.min(other.first.sent),
                answered: first.answered.min(other.first.answered),
            },
            last_answered: self.last_answered.max(other.last_answered),
        }
    }

    /// `burst + 1 + rate × time`, for the longest time that it can have been; and no less than that for as long as the budget
    /// was certainly used up. (The burst is so large that no stall of a busy machine gives it back whole.)
    fn assert_exact(&self, burst: u32, rate: u32) {
        let allowed =
            |time: Duration| f64::from(burst) + 1.0 + f64::from(rate) * time.as_secs_f64();
        let used_up = self.used_up.expect("the limit is reached");
        let used_up = used_up.saturating_duration_since(self.first.answered);
        let least = allowed(used_up) - 1.0 - TOLERANCE;
        let most = allowed(self.last_answered - self.first.sent) + TOLERANCE;
        let found = f64::from(self.allowed);
        let Self {
            allowed, limited, ..
        } = self;
        println!("{allowed} allowed, {least:.1} to {most:.1} expected; {limited} limited");
        assert!((least..=most).contains(&found), "{least} {most} {self:?}");
    }
}

async fn site(rate: u32, burst: u32) -> Site {
    let rate = format!("{rate}/s");
    Fixture::new()
        .concurrency(WORKERS)
        .plugin(json!({
            "rate_limit": {"default": {"rate": rate, "burst": burst}},
            "audit": {"log": "none", "access_log": false},
        }))
        .edit(Bootstrap::answer_directly)
        .edit(|envoy| {
            envoy.listener()["connection_balance_config"] = json!({"exact_balance": {}});
        })
        .start()
        .await
}

async fn connect(site: &Site, user: &str, count: usize) -> Vec<RawConnection> {
    let client = site.client(user);
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(client.connect_raw().await.unwrap());
    }
    connections
}

/// All at once, until the time is over; all of one user's.
async fn hammer(connections: Vec<RawConnection>) -> Tally {
    let end = Instant::now() + LENGTH;
    let running = connections
        .into_iter()
        .map(|connection| tokio::spawn(Tally::until(end, connection)));
    let tallies = join_all(running).await.into_iter().map(Result::unwrap);
    tallies.reduce(Tally::and).unwrap()
}

async fn assert_all_workers_serve(site: &Site, connections: u64) {
    let stats = site.envoy.stats("worker_.*downstream_cx_total").await;
    let counts = stats.lines().filter_map(|line| line.split_once(": "));
    let counts: Vec<u64> = counts
        .filter(|(name, _)| name.starts_with("listener."))
        .map(|(_, count)| count.parse().unwrap())
        .collect();
    let each = connections / WORKERS as u64;
    assert_eq!(counts, [each; WORKERS], "{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_user_on_24_connections_and_four_workers_gets_exactly_the_limit() {
    let (rate, burst) = (200, 400);
    let site = site(rate, burst).await;
    let connections = connect(&site, "alice@example.com", 24).await;
    let tally = hammer(connections).await;
    tally.assert_exact(burst, rate);
    assert_all_workers_serve(&site, 24).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_users_at_once_get_exactly_their_limit_each() {
    let (rate, burst) = (10, 30);
    let site = site(rate, burst).await;
    let mut running = Vec::new();
    for number in 0..50 {
        let user = format!("user-{number}@example.com");
        running.push(connect(&site, &user, 2).await);
    }
    let running = running
        .into_iter()
        .map(|connections| tokio::spawn(hammer(connections)));
    for tally in join_all(running).await {
        tally.unwrap().assert_exact(burst, rate);
    }
    assert_all_workers_serve(&site, 100).await;
}
