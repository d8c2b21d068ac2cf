//! What can be seen of a decision afterwards: Envoy's log, its access log, its counters.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::client::{Client, in_time};
use crate::harness::envoy::Envoy;
use crate::harness::{PATIENCE, Site, eventually};

/// How Envoy begins what the filter logs; the names of plugin, root and VM follow.
const OF_THE_FILTER: &str = "[source/extensions/common/wasm/context.cc:";

impl Envoy {
    /// The JSON that the filter wrote into Envoy's log, as lines. A line that does not parse fails the test.
    #[track_caller]
    pub(crate) fn filter_lines(&self) -> Vec<Value> {
        let log = self.log();
        // The last one may be half written.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        let lines = whole.split('\n').filter_map(|line| {
            let (_, said) = line.split_once(OF_THE_FILTER)?;
            let json = [" mtls_identity_vm: {", " mtls_identity: {"];
            let json = json.into_iter().find_map(|begin| said.find(begin));
            let json = &said[json?..];
            Some(&json[json.find('{')?..])
        });
        lines
            .map(|json| {
                serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
            })
            .collect()
    }

    /// One of the filter's counters.
    pub(crate) async fn counter(&self, name: &str) -> u64 {
        let value = self.stat(&format!("wasmcustom.mtls_identity.{name}")).await;
        value.unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Waits until one of the filter's counters is this: what passes is counted a moment later.
    pub(crate) async fn counts(&self, name: &str, expected: u64) {
        let what = format!("{name} is {expected}");
        eventually(&what, PATIENCE, async || {
            (self.counter(name).await == expected).then_some(())
        })
        .await;
    }

    /// All of the filter's counters that are not zero, in the order of their names.
    pub(crate) async fn counters(&self) -> Vec<(String, u64)> {
        let stats = self.stats("wasmcustom.mtls_identity").await;
        let lines = stats.lines().filter_map(|line| line.split_once(": "));
        let mut counters: Vec<_> = lines
            .map(|(name, value)| {
                (
                    name.replace("wasmcustom.mtls_identity.", ""),
                    value.parse().unwrap(),
                )
            })
            .filter(|(_, value)| *value > 0)
            .collect();
        counters.sort();
        counters
    }
}

/// Envoy's own line on a request, and the filter's record in it.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) line: Value,
    pub(crate) record: Value,
}

impl Site {
    /// Waits for as many lines on requests in the access log, and takes the records out of them.
    pub(crate) async fn access_log(&self, lines: usize) -> Vec<Logged> {
        let what = format!("{lines} requests in the access log");
        eventually(&what, PATIENCE, async || {
            let mut log = self.envoy.access_log();
            log.retain(|line| line.get("status").is_some());
            (log.len() >= lines).then_some(log)
        })
        .await
        .into_iter()
        .map(|line| Logged {
            record: record_of(&line),
            line,
        })
        .collect()
    }

    /// Waits for as many records in Envoy's log.
    pub(crate) async fn log_records(&self, records: usize) -> Vec<Value> {
        let what = format!("{records} records in Envoy's log");
        eventually(&what, PATIENCE, async || {
            let lines = self.envoy.filter_lines();
            (lines.len() >= records).then_some(lines)
        })
        .await
    }
}

fn record_of(line: &Value) -> Value {
    let Value::String(json) = &line["mtls_identity"] else {
        return Value::Null;
    };
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Sends these bytes on a connection of their own: where they came from, and the status of the answer.
pub(crate) async fn ask(client: &Client, request: &[u8]) -> (SocketAddr, u16) {
    let mut stream = client.handshake().await.unwrap();
    let from = stream.get_ref().0.local_addr().unwrap();
    let status = in_time(async {
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        while answer.len() < 12 {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        io::Result::Ok(String::from_utf8_lossy(&answer).into_owned())
    });
    let answer = status.await.unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.get(..3));
    let status = status.unwrap_or_else(|| panic!("an answer to {request:?}"));
    (from, status.parse().unwrap())
}
