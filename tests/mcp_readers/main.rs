//! What the strict reader of messages lets pass, every other reader of JSON reads alike: a gateway that is written in
//! another language runs the tool that the rules were asked about.
//!
//! `tests/mcp_readers/run.sh 1000000` asks all readers about a million messages; without it a few thousand are asked of
//! Python's json and of serde_json.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test that meets the unexpected has failed, and shall say where"
)]

mod mutation;
mod reader;

use mtls_identity::request::McpMessage;
use serde_json::{Value, json};

use mutation::Numbers;
use reader::Reading;

const MESSAGES: usize = 10_000;
const PYTHON: &str = "python3 tests/mcp_readers/readers/read.py json";

/// A few at a time: a reader's answers to all of them would be much to keep.
const AT_ONCE: usize = 100_000;

/// Whether a reader that takes a message for `theirs` runs what the rules were asked about.
fn agrees(ours: &McpMessage, theirs: &Reading) -> bool {
    let [method, name, uri] = theirs;
    let McpMessage::Request {
        method: our_method,
        name: our_name,
    } = ours
    else {
        return method.is_null();
    };
    if *method != json!(our_method) {
        return false;
    }
    let theirs = match our_method.split('/').next() {
        Some("tools" | "prompts") => name,
        Some("resources") => uri,
        _ => return true,
    };
    our_name
        .as_ref()
        .map_or(theirs.is_null(), |ours| *theirs == json!(ours))
}

#[track_caller]
fn check(reader: &str, message: &[u8], ours: &McpMessage, theirs: Option<&Reading>) {
    // Who refuses a message runs nothing.
    if let Some(theirs) = theirs {
        let text = String::from_utf8_lossy(message);
        assert!(
            agrees(ours, theirs),
            "{reader} reads {theirs:?}, the filter {ours:?}: {text}"
        );
    }
}

#[test]
fn every_reader_finds_the_method_and_the_name_that_the_rules_are_asked_about() {
    let setting = |name: &str| std::env::var(name).ok();
    let wanted = setting("MCP_MESSAGES").map_or(MESSAGES, |count| count.parse().unwrap());
    let readers = setting("MCP_READERS").unwrap_or_else(|| PYTHON.to_owned());
    let mut numbers = Numbers(1);
    let (mut made, mut passed, mut refused_by_others) = (0, 0, 0);
    while made < wanted {
        let count = AT_ONCE.min(wanted - made);
        made += count;
        let messages: Vec<_> = (0..count)
            .map(|_| mutation::message(&mut numbers))
            .collect();
        let read = messages.iter().filter_map(|message| {
            let ours = McpMessage::parse(message).ok()?;
            Some((message.as_slice(), ours))
        });
        let (bodies, ours): (Vec<_>, Vec<_>) = read.unzip();
        passed += bodies.len();
        for (body, ours) in bodies.iter().zip(&ours) {
            check(
                "serde_json",
                body,
                ours,
                reader::by_serde_json(body).as_ref(),
            );
        }
        for program in readers.lines() {
            let readings = reader::read(program, &bodies);
            for ((body, ours), theirs) in bodies.iter().zip(&ours).zip(&readings) {
                refused_by_others += usize::from(theirs.is_none());
                check(program, body, ours, theirs.as_ref());
            }
        }
    }
    let count = readers.lines().count() + 1;
    println!(
        "{made} messages, {passed} pass; {count} readers agree; {refused_by_others} refusals of theirs"
    );
    assert!(
        passed > wanted / 3 && passed < wanted,
        "{passed} of {wanted}"
    );
}

/// The comparison can fail.
#[test]
fn a_reader_that_finds_something_else_is_noticed() {
    let ours = McpMessage::parse(
        br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}"#,
    );
    let ours = ours.unwrap();
    for (theirs, expected) in [
        ([json!("tools/call"), json!("a"), Value::Null], true),
        ([json!("tools/call"), json!("b"), Value::Null], false),
        ([json!("tools/list"), json!("a"), Value::Null], false),
        ([json!("tools/call"), Value::Null, json!("a")], false),
        ([Value::Null, json!("a"), Value::Null], false),
    ] {
        assert_eq!(agrees(&ours, &theirs), expected, "{theirs:?}");
    }
    let twice = br#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#;
    assert_eq!(reader::by_serde_json(twice).unwrap()[0], "tools/call");
    let python = reader::read(
        PYTHON,
        &[&twice[..], b"{", br#"{"method":"a","params":{"name":1}}"#],
    );
    let expected = [
        Some([json!("tools/call"), Value::Null, Value::Null]),
        None,
        Some([json!("a"), json!(1), Value::Null]),
    ];
    assert_eq!(python, expected);
}
