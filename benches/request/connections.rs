//! What a connection costs: its first request, and what the filter keeps of many.

use rcgen::KeyPair;

use crate::Row;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::leaf::{Leaf, common_name, organization};
use crate::load::Client;

/// Connections of which each makes one request, so often in turn with the other row.
const FIRST: usize = 100;
const ROUNDS: usize = 20;
/// Connections with a certificate each, and their requests: a million in all.
const MANY: usize = 10_000;
const REQUESTS_EACH: usize = 100;

/// Prints both: the first request over a row without a filter, and the memory of the fullest configuration.
pub(crate) fn report(rows: &[Row], authority: &Authority) {
    let row = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
    let (none, default, full) = (row("none"), row("default"), row("full"));
    for row in [none, default, full] {
        row.envoy.signal("CONT");
    }
    let leaf = Leaf::of([common_name("alice@example.com"), organization("Acme")]);
    let client = authority.issue_rsa_4096(&leaf);
    let mut cheapest = [f64::INFINITY; 2];
    for _ in 0..ROUNDS {
        for (cost, row) in cheapest.iter_mut().zip([none, default]) {
            *cost = cost.min(first_request(row, authority, &client));
        }
    }
    let added = cheapest[1] - cheapest[0];
    println!("first request of a connection, RSA-4096: {added:.0} µs more than without the filter");
    memory(full, authority);
}

/// Microseconds of CPU for a handshake and one request.
fn first_request(row: &Row, authority: &Authority, credentials: &Credentials) -> f64 {
    let client = Client::new(row.envoy.address(), authority, credentials);
    let before = row.envoy.cpu_time();
    for _ in 0..FIRST {
        client.connect().ask();
    }
    let used = row.envoy.cpu_time() - before;
    used.as_nanos() as f64 / FIRST as f64 / 1000.0
}

/// What the filter has of memory while clients come and go.
fn memory(row: &Row, authority: &Authority) {
    let key = KeyPair::generate().unwrap().serialize_pem();
    println!("VM at the beginning: {} KiB", row.envoy.largest_vm() / 1024);
    for number in 0..MANY {
        let name = format!("user{number}@example.com");
        let key = KeyPair::from_pem(&key).unwrap();
        let credentials = authority.issue_for(key, &Leaf::of([common_name(&name)]));
        let client = Client::new(row.envoy.address(), authority, &credentials);
        let mut connection = client.connect();
        (0..REQUESTS_EACH).for_each(|_| connection.ask());
        if (number + 1) % (MANY / 5) == 0 {
            println!(
                "VM after {} connections with as many certificates, {} requests: {} KiB; process: {} KiB",
                number + 1,
                (number + 1) * REQUESTS_EACH,
                row.envoy.largest_vm() / 1024,
                row.envoy.resident_memory() / 1024
            );
        }
    }
}
