//! What the filter adds to a request: `cargo bench --locked --bench request`.
//!
//! For every row of `filters.yaml` a real Envoy with one worker answers requests over kept-alive mTLS connections. The
//! CPU time of its process over a fixed number of requests counts, in rounds that go through all rows in turn while the
//! other Envoys stand still; of all rounds the cheapest. Where a process lies in memory counts for a good deal, so that each
//! row has several, one after the other, and the middle one counts. Only ratios within one run mean something.
//!
//! `PROCESSES=9` and `ROUNDS=60` for more of them, `ONLY=none,lua_guide,default` for some rows, `WASM=other.wasm` for
//! another build.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking, and lives in real time"
)]

#[allow(dead_code, reason = "the tests use the rest of it")]
#[path = "../../tests/e2e/harness/mod.rs"]
mod harness;

mod chart;
mod connections;
mod load;
mod table;
mod upstream;
mod variants;

use harness::certs::{Authority, Credentials};
use harness::envoy::{Envoy, Launch};
use load::{Client, ask_all};
use table::{Cost, Table};
use variants::Variant;

/// Requests of a round: few, so that some rounds have the machine for themselves.
const REQUESTS: usize = 4_000;

/// An Envoy that runs for a row.
struct Row {
    name: String,
    envoy: Envoy,
    client: Client,
    /// Nanoseconds of CPU for each request, of the cheapest round.
    cost: f64,
}

/// A number in the environment, or this one.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::main]
async fn main() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let is_meant = |name: &str| only.is_empty() || only.split(',').any(|row| row == name);
    let authority = Authority::new();
    let credentials = authority.client("alice@example.com");
    let mut variants = variants::all(&credentials);
    variants.retain(|variant| is_meant(&variant.name));
    let (processes, rounds) = (number("PROCESSES", 3), number("ROUNDS", 12));
    let mut costs: Vec<Cost> = variants.iter().map(|it| Cost::of(&it.name)).collect();
    for process in 1..=processes {
        let mut rows = Vec::new();
        for variant in &variants {
            rows.push(start(variant, &authority, &credentials).await);
        }
        for _ in 0..rounds {
            rows.iter_mut().for_each(round);
        }
        for (cost, row) in costs.iter_mut().zip(&rows) {
            cost.add(row.cost);
        }
        if process == processes && only.is_empty() {
            connections::report(&rows, &authority);
        }
    }
    let table = Table::of(costs);
    println!("\n{}", table.markdown());
    if only.is_empty() {
        chart::write(&table);
    }
}

async fn start(variant: &Variant, authority: &Authority, credentials: &Credentials) -> Row {
    let directory = tempfile::tempdir().unwrap();
    let path = variant.write(directory.path(), authority);
    let launch = Launch {
        version: None,
        concurrency: 1,
    };
    let envoy = Envoy::boot(&launch, &path, directory).await;
    let envoy = envoy.unwrap_or_else(|log| panic!("{} does not boot:\n{log}", variant.name));
    let mut client = Client::new(envoy.address(), authority, credentials);
    if variant.post.is_some() {
        client = client.posting();
    }
    if variant.is_dearest {
        client = client.asking_the_dearest();
    }
    envoy.signal("STOP");
    Row {
        name: variant.name.clone(),
        envoy,
        client,
        cost: f64::INFINITY,
    }
}

fn round(row: &mut Row) {
    row.envoy.signal("CONT");
    let mut connections = row.client.connect_all();
    // V8 compiles what is used often, and the certificate is read.
    ask_all(&mut connections, REQUESTS / 4);
    let before = row.envoy.cpu_time();
    ask_all(&mut connections, REQUESTS);
    let used = row.envoy.cpu_time() - before;
    row.envoy.signal("STOP");
    row.cost = row.cost.min(used.as_nanos() as f64 / REQUESTS as f64);
}
