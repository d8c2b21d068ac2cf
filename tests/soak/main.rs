//! A long run on a real Envoy: `cargo test --locked --features soak --test soak -- --nocapture`.
//!
//! Many users over many connections, with HTTP/1, HTTP/2, event streams, WebSockets and messages whose body is held; while
//! the filter's configuration changes every second, its VM is replaced, CAs and a CRL change, certificates are revoked, and
//! the limit service is stopped and started. It ends when `SOAK_REQUESTS` are answered (1,000,000 if not set): a tenth as
//! many users, a hundredth as many connections.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and lives in real time"
)]
#![allow(
    dead_code,
    reason = "the harness serves the tests of tests/e2e as well"
)]

#[path = "../e2e/harness/mod.rs"]
mod harness;
#[path = "../e2e/xds.rs"]
mod xds;

mod changes;
mod clients;
mod site;
mod tally;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use site::World;

/// Requests at once.
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_gives_no_wrong_user_and_lets_nothing_through() {
    let requests = std::env::var("SOAK_REQUESTS").ok();
    let requests: u64 = requests.map_or(1_000_000, |count| count.parse().unwrap());
    let world = Arc::new(World::start(requests).await);
    let begun = Instant::now();
    let tasks = [
        tokio::spawn(clients::revoked(world.clone())),
        tokio::spawn(clients::listed(world.clone())),
        tokio::spawn(clients::stranger(world.clone())),
    ];
    let load = (0..AT_ONCE).map(|_| tokio::spawn(clients::load(world.clone())));
    let load: Vec<_> = load.collect();
    let load = async {
        for task in load {
            task.await.unwrap();
        }
        world.is_done.store(true, Ordering::Relaxed);
    };
    tokio::join!(load, changes::until_done(&world));
    for task in tasks {
        task.await.unwrap();
    }
    let counters = world.site.envoy.stats("wasmcustom").await;
    world.tally.report(begun.elapsed(), &counters);
    world.tally.assert_right();
}
