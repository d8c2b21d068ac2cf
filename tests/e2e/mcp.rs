//! Rules for tools: the body of a message is held in Envoy, and nothing of a refused one reaches the gateway.

mod beside;
mod held;
mod mutated;
#[path = "../mcp_readers/mutation.rs"]
mod mutation;
#[path = "../mcp_readers/reader.rs"]
mod reader;
mod shipped;
mod trap;

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Request;
use hyper::body::{Bytes, Frame};
use hyper::header::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::harness::answer::Answer;
use crate::harness::client::{Body, Client};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

pub(crate) fn rules() -> Value {
    json!({
        "mcp": {"paths": ["/mcp"], "max_body": 2000},
        "authorization": {"rules": [
            {"name": "list", "action": "allow", "mcp": {"methods": ["tools/list", "ping"]}},
            {"name": "search", "action": "allow", "identities": [ALICE],
             "mcp": {"methods": ["tools/call"], "names": ["search_*"]}},
        ]},
    })
}

async fn site() -> Site {
    Fixture::new().plugin(rules()).start().await
}

pub(crate) fn call(name: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}).to_string()
}

fn list() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string()
}

fn request(path: &str, body: Body) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    request.body(body).unwrap()
}

fn whole(text: &str) -> Body {
    Full::new(Bytes::from(text.to_owned())).boxed()
}

fn with_trailers(text: &str, trailers: &[(&'static str, &'static str)]) -> Body {
    let pairs = trailers.iter().map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let trailers = Frame::trailers(pairs.collect());
    let frames = [Frame::data(Bytes::from(text.to_owned())), trailers];
    let frames = frames.into_iter().map(Ok);
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

/// A body in pieces of this many bytes: chunks of HTTP/1.1, DATA frames of HTTP/2.
fn pieces(text: &str, size: usize) -> Body {
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(size)
        .map(Bytes::copy_from_slice)
        .collect();
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

/// The status, and the reason of a refusal.
fn said(answer: &Answer) -> (u16, Option<String>) {
    let problem: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let reason = problem.and_then(|problem| problem["reason"].as_str().map(str::to_owned));
    (answer.status, reason)
}

async fn ask(client: &Client, body: Body) -> (u16, Option<String>) {
    said(&client.send(request("/mcp", body)).await.unwrap())
}

fn refused(status: u16, reason: &str) -> (u16, Option<String>) {
    (status, Some(reason.to_owned()))
}

#[tokio::test]
async fn who_may_call_which_tool_is_decided_by_the_body() {
    let site = site().await;
    let (alice, bob) = (site.client(ALICE), site.client(BOB));
    for (alice, bob) in [(alice.clone(), bob.clone()), (alice.http2(), bob.http2())] {
        assert_eq!(ask(&alice, whole(&call("search_web"))).await, (200, None));
        assert_eq!(ask(&alice, whole(&list())).await, (200, None));
        assert_eq!(ask(&bob, whole(&list())).await, (200, None));
        for (client, body, expected) in [
            (&alice, call("delete"), refused(403, "not_authorized")),
            (&bob, call("search_web"), refused(403, "not_authorized")),
            (&bob, format!("[{}]", list()), refused(400, "malformed_mcp")),
            (
                &bob,
                format!("{0}{0}", list()),
                refused(400, "malformed_mcp"),
            ),
            (&bob, String::new(), refused(400, "malformed_mcp")),
            (&bob, " ".repeat(2001), refused(413, "mcp_too_large")),
        ] {
            assert_eq!(ask(client, whole(&body)).await, expected, "{body}");
        }
    }
}

#[tokio::test]
async fn a_message_in_pieces_is_one_message_and_arrives_whole() {
    let site = site().await;
    let alice = site.client(ALICE);
    for client in [alice.clone(), alice.http2()] {
        for size in [1, 2, 7, 30, 1000] {
            let text = call("search_web");
            let answer = client
                .send(request("/mcp", pieces(&text, size)))
                .await
                .unwrap();
            let received = answer.gateway();
            assert_eq!(received.user(), [ALICE]);
            assert_eq!(received.body_bytes, text.len(), "{size}");
            let denied = ask(&client, pieces(&call("delete"), size)).await;
            assert_eq!(denied, refused(403, "not_authorized"), "{size}");
            let long = ask(&client, pieces(&" ".repeat(5000), size.max(100))).await;
            assert_eq!(long, refused(413, "mcp_too_large"), "{size}");
        }
    }
}

#[tokio::test]
async fn what_can_be_no_message_is_refused_before_its_body() {
    let site = site().await;
    let alice = site.client(ALICE);
    let text = |request: hyper::http::request::Builder| request.body(whole(&list())).unwrap();
    for (request, expected) in [
        (text(Request::post("/mcp")), refused(400, "malformed_mcp")),
        (
            text(Request::post("/mcp").header("content-type", "text/plain")),
            refused(400, "malformed_mcp"),
        ),
        (
            text(
                Request::post("/mcp")
                    .header("content-type", "application/json")
                    .header("content-encoding", "gzip"),
            ),
            refused(400, "malformed_mcp"),
        ),
        (
            text(
                Request::post("/mcp/")
                    .header("content-type", "application/json")
                    .header("mcp-method", "ping"),
            ),
            refused(400, "mcp_header_mismatch"),
        ),
        (
            text(Request::post("/other")),
            refused(403, "not_authorized"),
        ),
    ] {
        let uri = request.uri().clone();
        let answer = alice.send(request).await.unwrap();
        assert_eq!(said(&answer), expected, "{uri}");
    }
}
