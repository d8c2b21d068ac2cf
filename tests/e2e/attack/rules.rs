//! Rules decide the same whatever a client makes of its request.

use hyper::Request;
use serde_json::{Value, json};

use crate::harness::client::{Client, empty};
use crate::harness::raw::get_bytes;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// A thousand rules that none of the requests fits, and two that decide.
fn thousand_rules() -> Value {
    let mut rules: Vec<_> = (0..1000)
        .map(|number| {
            json!({
                "name": format!("never-{number}"),
                "action": "deny",
                "paths": [format!("/never/{number}/*"), format!("*/never-{number}")],
                "headers": {"x-tags": [format!("never-{number}*")]},
            })
        })
        .collect();
    rules.push(json!({"name": "no-tag", "action": "deny", "headers": {"x-tags": ["secret"]}}));
    rules.push(json!({"name": "no-path", "action": "deny", "paths": ["*/secret"]}));
    json!({"authorization": {"default": "allow", "rules": rules}})
}

async fn ruled(rules: Value) -> Site {
    Fixture::new().plugin(rules).start().await
}

#[tokio::test]
async fn a_thousand_rules_decide_right_on_paths_and_headers_of_4_kib() {
    let site = ruled(thousand_rules()).await;
    let long = "a".repeat(4096);
    let encoded = "%61".repeat(1365);
    let segments = "/a".repeat(2048);
    // 63 entries and what follows; with more than 64 a deny fits, whatever they say.
    let list = format!("{},", "a".repeat(64)).repeat(63);
    let longer = "a,".repeat(2048);
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        let mut connection = client.connect().await.unwrap();
        for (path, tags, expected) in [
            ("/".to_owned(), "a".to_owned(), 200),
            (format!("/{long}"), long.clone(), 200),
            (format!("/{encoded}"), list.clone(), 200),
            (segments.clone(), list.clone(), 200),
            (format!("/{long}/secret"), "a".to_owned(), 403),
            (format!("/{encoded}/%73ecret"), "a".to_owned(), 403),
            (format!("{segments}/secret"), list.clone(), 403),
            ("/".to_owned(), longer.clone(), 403),
            ("/".to_owned(), format!("{list}secret"), 403),
            ("/".to_owned(), format!("secret,{list}"), 403),
        ] {
            let request = Request::get(&path).header("x-tags", &tags);
            let answer = connection
                .send(request.body(empty()).unwrap())
                .await
                .unwrap();
            let what = [&path, &tags].map(|text| (&text[..text.len().min(8)], text.len()));
            assert_eq!(answer.status, expected, "{what:?}");
        }
    }
}

fn no_admin() -> Value {
    json!({"authorization": {"default": "allow", "rules": [
        {"name": "no-admin", "action": "deny", "headers": {"cookie": ["role=admin*"]}},
        {"name": "no-call", "action": "deny", "headers": {"x-call": ["tools/call"]}},
    ]}})
}

async fn status(client: &Client, fields: &[(&str, &str)]) -> u16 {
    client.get_with("/", fields).await.unwrap().status
}

/// Envoy joins the fields of HTTP/2 with `; `.
#[tokio::test]
async fn a_deny_on_a_cookie_is_not_escaped_by_other_cookies() {
    let site = ruled(no_admin()).await;
    let client = site.client(ALICE);
    for client in [client.clone(), client.http2()] {
        for (fields, expected) in [
            (&[("cookie", "role=admin")][..], 403),
            (&[("cookie", "role=user")], 200),
            (&[("cookie", "a=b"), ("cookie", "role=admin")], 403),
            (&[("cookie", "role=admin"), ("cookie", "a=b")], 403),
            (&[("cookie", "a=b;role=admin2; c=d")], 403),
            (&[("cookie", "a=b"), ("cookie", "c=role=admin")], 200),
        ] {
            assert_eq!(status(&client, fields).await, expected, "{fields:?}");
        }
    }
}

/// What Python's `str.strip()` takes away, read as Latin-1 or as UTF-8: NBSP and NEL among them.
const SPACES: [&[u8]; 6] = [
    b"\xa0",
    b"\x85",
    b"\xc2\xa0",
    b"\xc2\x85",
    b"\xe3\x80\x80",
    b"\x1f",
];

#[tokio::test]
async fn a_deny_on_a_header_is_not_escaped_by_a_space_that_readers_take_away() {
    let site = ruled(no_admin()).await;
    let client = site.client(ALICE);
    for space in SPACES {
        for line in [
            [b"X-Call: ", space, b"tools/call"].concat(),
            [b"X-Call: tools/call", space].concat(),
        ] {
            let answer = client.raw(&get_bytes("/", [&line])).await.unwrap();
            // Envoy itself refuses a control character.
            assert!(matches!(answer.status, 400 | 403), "{line:x?} {answer:?}");
        }
    }
    let answer = client
        .raw(&get_bytes("/", ["X-Call: tools/list"]))
        .await
        .unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(site.gateway.received().len(), 1);
}
