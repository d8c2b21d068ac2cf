//! The table "How it compares" of the README, from the real products: `tests/compare/run.sh`.
//!
//! Nginx, Caddy and HAProxy come from Debian's packages, the Lua filter runs in the Envoy of the other tests. Their
//! configurations are the guide's, in `guide/`, with every mend marked.

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

#[path = "../e2e/harness/mod.rs"]
#[allow(
    dead_code,
    reason = "shared with the end-to-end tests, which use the rest"
)]
mod harness;

mod outcome;
mod product;
mod table;
mod visitor;

use std::fs;
use std::path::Path;

use futures_util::future::join_all;

use harness::artifacts::{self, repository};
use harness::certs::Authority;
use outcome::Outcome;
use product::{Insists, Product};
use visitor::{Visitor, visitors};

/// A visitor, and what each product made of them.
type Row = (Visitor, Vec<Outcome>);

/// First, so that the time it takes does not count as time to start.
fn fetch_and_build() {
    for name in ["nginx", "caddy", "haproxy"] {
        artifacts::debian(name);
    }
    artifacts::envoy(None);
    artifacts::wasm();
}

async fn rows() -> Vec<Row> {
    fetch_and_build();
    let authority = Authority::new();
    let insisting = Product::all(&authority, Insists::Yes).await;
    let tolerant = Product::all(&authority, Insists::No).await;
    let mut rows = Vec::new();
    for visitor in visitors() {
        let products = match visitor.insists() {
            Insists::Yes => &insisting,
            Insists::No => &tolerant,
        };
        let credentials = visitor.credentials(&authority);
        let asked = products
            .iter()
            .map(|product| visitor.ask(product, credentials.as_ref()));
        let outcomes = join_all(asked).await;
        rows.push((visitor, outcomes));
    }
    rows
}

/// Written for `run.sh`, which prints it.
fn keep(table: &str) {
    fs::write(
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare.md"),
        table,
    )
    .unwrap();
}

#[tokio::test]
async fn the_table_in_the_readme_is_what_the_products_do() {
    let table = table::markdown(&rows().await);
    keep(&table);
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(
        readme.contains(&table),
        "the README does not have this table; tests/compare/run.sh --write puts it there:\n{table}"
    );
}
