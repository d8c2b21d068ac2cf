//! Requests as an attacker writes them, through Envoy: none that arrives asks for what no rule allows, whoever reads it.
//!
//! `MCP_REQUESTS=1000000 cargo test --locked --test e2e mcp::mutated -- --nocapture` sends a million; `MCP_SEED=2` others.

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Request;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};

use super::mutation::{self, Numbers};
use super::{ALICE, call, reader, rules};
use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Body, Client, Connection};
use crate::harness::{Fixture, Site};

const REQUESTS: usize = 3000;
/// How many bodies are kept before a reader is asked about them.
const AT_ONCE: usize = 50_000;
const PYTHON: &str = "python3 tests/mcp_readers/readers/read.py json";

const METHODS: [&str; 8] = [
    "POST", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "GET",
];
const PATHS: [&str; 18] = [
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp",
    "/mcp/",
    "/mcp?a=b",
    "/%6dcp",
    "/%6Dcp/",
    "//mcp",
    "/./mcp",
    "/a/../mcp",
    "/mcp%2f",
    "/mcp;a",
    "/other",
];
const TYPES: [&str; 10] = [
    "application/json",
    "application/json",
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/json; charset=utf-16",
    "application/json, text/plain",
    "text/plain",
    "application/x-www-form-urlencoded",
    "",
];
/// Headers that say something of the body, true or not.
const HEADERS: [(&str, &str); 10] = [
    ("content-encoding", "identity"),
    ("content-encoding", "gzip"),
    ("content-encoding", "br"),
    ("mcp-method", "tools/list"),
    ("mcp-method", "tools/call"),
    ("mcp-name", "search_web"),
    ("mcp-name", "=?base64?c2VhcmNoX3dlYg==?="),
    ("x-http-method-override", "POST"),
    ("expect", "100-continue"),
    ("content-type", "application/json"),
];

/// The filter alone: what Envoy does to paths is taken out.
fn paths_as_they_come(envoy: &mut Bootstrap) {
    let hcm = envoy.hcm();
    hcm["normalize_path"] = json!(false);
    hcm["merge_slashes"] = json!(false);
    hcm["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
}

/// In one piece, or in pieces of some bytes.
fn body(numbers: &mut Numbers, content: &[u8]) -> Body {
    let size = numbers.one(&[0, 0, 1, 2, 3, 7, 40]);
    if size == 0 {
        return Full::new(Bytes::copy_from_slice(content)).boxed();
    }
    let pieces: Vec<_> = content.chunks(size).map(Bytes::copy_from_slice).collect();
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

fn request(numbers: &mut Numbers, content: &[u8]) -> Request<Body> {
    let method = numbers.one(&METHODS);
    let mut request = Request::builder().method(method).uri(numbers.one(&PATHS));
    let content_type = numbers.one(&TYPES);
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    if numbers.below(4) == 0 {
        let (name, value) = numbers.one(&HEADERS);
        request = request.header(name, value);
    }
    request.body(body(numbers, content)).unwrap()
}

/// A client that comes back when its connection has ended: Envoy ends one of HTTP/1.1 when it answers before the body.
struct Persistent {
    client: Client,
    connection: Option<Connection>,
}

impl Persistent {
    fn new(client: Client) -> Self {
        Self {
            client,
            connection: None,
        }
    }

    /// The answer; none where a new connection ended without one.
    async fn send(&mut self, request: impl Fn() -> Request<Body>) -> Option<Answer> {
        if let Some(mut connection) = self.connection.take()
            && let Ok(answer) = connection.send(request()).await
        {
            self.connection = Some(connection);
            return Some(answer);
        }
        let mut connection = self.client.connect().await.unwrap();
        let answer = connection.send(request()).await.ok()?;
        self.connection = Some(connection);
        Some(answer)
    }
}

/// Whether the rules allow what a reader finds.
fn is_allowed([method, name, _]: &reader::Reading) -> bool {
    let is_search = name
        .as_str()
        .is_some_and(|name| name.starts_with("search_"));
    match method.as_str() {
        Some("tools/list" | "ping") => true,
        Some("tools/call") => is_search,
        _ => false,
    }
}

/// Whoever reads one of these finds what the rules allow.
#[track_caller]
fn check(passed: &[Vec<u8>]) {
    let bodies: Vec<_> = passed.iter().map(Vec::as_slice).collect();
    let python = reader::read(PYTHON, &bodies);
    for (body, python) in bodies.iter().zip(python) {
        let readings = [python, reader::by_serde_json(body)];
        for reading in readings {
            let text = String::from_utf8_lossy(body);
            let reading = reading.unwrap_or_else(|| panic!("no reader takes {text}"));
            assert!(is_allowed(&reading), "{reading:?}: {text}");
        }
    }
}

/// A number in the environment, or this one.
fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

async fn attack(site: &Site, wanted: usize) {
    let alice = site.client(ALICE);
    let (mut http1, mut http2) = (
        Persistent::new(alice.clone()),
        Persistent::new(alice.http2()),
    );
    let mut numbers = Numbers(number("MCP_SEED", 1) as u64);
    let (mut passed, mut arrived, mut unanswered) = (Vec::new(), 0, 0);
    for place in 0..wanted {
        let content = mutation::message(&mut numbers);
        let drawn = numbers.clone();
        let about = request(&mut numbers, &content);
        let about = format!("{about:?} {}", String::from_utf8_lossy(&content));
        let request = || request(&mut drawn.clone(), &content);
        // A connection of HTTP/1.1 ends with most refusals, and a handshake is what takes the time here.
        let client = match place % 5 {
            0 => &mut http1,
            _ => &mut http2,
        };
        let Some(answer) = client.send(request).await else {
            unanswered += 1;
            continue;
        };
        if answer.status == 200 {
            assert_eq!(answer.gateway().body_bytes, content.len(), "{about}");
            arrived += 1;
            passed.push(content);
        } else {
            assert!(matches!(answer.status, 400 | 403), "{about}: {answer:?}");
        }
        if passed.len() == AT_ONCE {
            check(&std::mem::take(&mut passed));
        }
    }
    check(&passed);
    assert_eq!(site.gateway.received().len(), arrived);
    println!(
        "{wanted} requests, {arrived} arrive, {unanswered} connections ended without an answer"
    );
    assert!(
        arrived > wanted / 50 && unanswered < wanted / 10,
        "{arrived}, {unanswered}"
    );
}

#[tokio::test]
async fn nothing_arrives_that_no_rule_allows() {
    let quiet = json!({"audit": {"log": "none"}});
    let fixture = Fixture::new().plugin(rules()).plugin(quiet);
    let site = fixture.edit(paths_as_they_come).start().await;
    attack(&site, number("MCP_REQUESTS", REQUESTS)).await;
}

/// Each byte once the end of the first piece.
#[tokio::test]
async fn a_message_may_be_cut_at_every_byte() {
    let site = Fixture::new().plugin(rules()).start().await;
    let alice = site.client(ALICE);
    let mut connections = Vec::new();
    for client in [alice.clone(), alice.http2()] {
        connections.push(client.connect().await.unwrap());
    }
    for (name, status) in [("search_web", 200), ("delete", 403)] {
        let text = call(name);
        for cut in 1..text.len() {
            let (first, rest) = text.as_bytes().split_at(cut);
            for connection in &mut connections {
                let pieces = [first, rest].map(|it| Ok(Frame::data(Bytes::copy_from_slice(it))));
                let body = StreamBody::new(futures_util::stream::iter(pieces));
                let answer = connection
                    .send(super::request("/mcp", BodyExt::boxed(body)))
                    .await;
                assert_eq!(answer.unwrap().status, status, "{cut}");
            }
        }
    }
    let expected = 2 * (call("search_web").len() - 1);
    assert_eq!(site.gateway.received().len(), expected);
}

/// The checks above can fail.
#[test]
fn what_no_rule_allows_is_noticed() {
    let delete = [json!("tools/call"), json!("delete"), Value::Null];
    let list = [json!("tools/list"), Value::Null, Value::Null];
    assert!(is_allowed(&list) && !is_allowed(&delete));
    assert!(std::panic::catch_unwind(|| check(&[call("delete").into_bytes()])).is_err());
}
