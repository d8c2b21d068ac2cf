//! A slot of the table of limits has eight entries. When its hash had no key, nine names of one slot were found in a second,
//! and each pushed out the others: none of them had a limit.

use std::hash::{DefaultHasher, Hasher};

use serde_json::json;

use crate::harness::Fixture;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::Client;

/// The slots that the table had then.
const SLOTS: u64 = 4096;
const HOUR: u64 = 3_600_000_000_000;

/// The slot that a user with one request an hour had in the filter as it was then: SipHash without a key, over what
/// Rust's derived hash of a pair of user and quota is on wasm32. No name is that of all who have none.
fn former_slot(name: Option<&str>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&u32::from(name.is_some()).to_le_bytes());
    if let Some(name) = name {
        hasher.write(name.as_bytes());
        hasher.write_u8(0xff);
    }
    hasher.write_u64(HOUR);
    hasher.write_u32(0);
    hasher.finish() % SLOTS
}

fn names_of(slot: u64) -> impl Iterator<Item = String> {
    let names = (0..).map(|number: u32| format!("user{number}@example.com"));
    names.filter(move |name| former_slot(Some(name)) == slot)
}

async fn passed(clients: &[Client], rounds: usize) -> usize {
    let mut passed = 0;
    for client in clients {
        let mut connection = client.connect().await.unwrap();
        for _ in 0..rounds {
            let answer = connection.get("/").await.unwrap();
            passed += usize::from(answer.status == 200);
        }
    }
    passed
}

/// Nine names took turns: each round pushed out the one that comes next.
#[tokio::test]
async fn names_that_shared_a_slot_get_no_more_than_their_limits() {
    let limit = json!({"rate_limit": {"default": {"rate": "1/h"}}});
    let site = Fixture::new().concurrency(1).plugin(limit).start().await;
    let names = names_of(former_slot(Some("user0@example.com"))).take(9);
    let mut connections = Vec::new();
    for name in names {
        connections.push(site.client(&name).connect().await.unwrap());
    }
    let mut passed = 0;
    for _ in 0..20 {
        for connection in &mut connections {
            let answer = connection.get("/").await.unwrap();
            passed += usize::from(answer.status == 200);
        }
    }
    assert_eq!(passed, 9, "of 180 requests");
}

#[tokio::test]
async fn no_names_push_out_the_limit_of_all_who_have_none() {
    let hour = json!({"rate": "1/h"});
    let site = Fixture::new()
        .concurrency(1)
        .plugin(json!({
            "identity": {"missing": "strip"},
            "rate_limit": {"default": hour, "anonymous": hour},
        }))
        .edit(Bootstrap::certificate_optional)
        .start()
        .await;
    let nobody = [site.client_without_certificate()];
    assert_eq!(passed(&nobody, 2).await, 1);
    let names = names_of(former_slot(None)).take(9);
    let clients: Vec<_> = names.map(|name| site.client(&name)).collect();
    assert_eq!(passed(&clients, 2).await, 9);
    assert_eq!(passed(&nobody, 5).await, 0);
}
