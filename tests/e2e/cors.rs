//! A page of another origin, as `envoy/CLIENTS.md` has it: the browser asks first (Fetch standard, CORS preflight), and shows no
//! certificate then.

use std::fs;

use hyper::Request;
use serde_json::Value;

use crate::harness::answer::Answer;
use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::assert_only_user;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";
const OWN: &str = "https://inspector.example.com";
const OTHERS: [&str; 3] = [
    "https://evil.example",
    "https://inspector.example.com.evil.example",
    "null",
];

/// The pieces of the page: the filter, and the policy of the virtual host.
fn pieces() -> [Value; 2] {
    let page = fs::read_to_string(repository().join("envoy/CLIENTS.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1);
    let pieces: Vec<_> = blocks
        .map(|block| serde_yaml_ng::from_str(block.split("```").next().unwrap()).unwrap())
        .collect();
    pieces.try_into().unwrap()
}

fn with_cors(envoy: &mut Bootstrap) {
    let [filter, policy] = pieces();
    envoy.http_filters().insert(0, filter);
    envoy.route_config()["virtual_hosts"][0]["typed_per_filter_config"] = policy;
}

async fn preflight(client: &Client, origin: &str) -> Answer {
    let request = Request::options("/mcp")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,mcp-session-id",
        );
    client.send(request.body(empty()).unwrap()).await.unwrap()
}

async fn site() -> Site {
    let fixture = Fixture::new().edit(Bootstrap::certificate_optional);
    fixture.edit(with_cors).start().await
}

#[tokio::test]
async fn where_a_certificate_is_required_no_preflight_gets_an_answer() {
    let site = Fixture::new().edit(with_cors).start().await;
    assert!(site.client_without_certificate().get("/mcp").await.is_err());
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn envoy_answers_the_preflight_of_the_origin_that_is_named_and_of_no_other() {
    let site = site().await;
    let browser = site.client_without_certificate();
    for client in [browser.clone(), browser.clone().http2()] {
        let allowed = preflight(&client, OWN).await;
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), [OWN]);
        assert_eq!(allowed.header("access-control-allow-credentials"), ["true"]);
        for origin in OTHERS {
            let refused = preflight(&client, origin).await;
            assert_eq!(
                refused.header("access-control-allow-origin"),
                [] as [&str; 0],
                "{origin}"
            );
            refused.assert_denied(403, "no_certificate");
        }
    }
    // None of them reached the gateway.
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn the_request_behind_a_preflight_is_decided_like_any_other() {
    let site = site().await;
    let headers = [("origin", OWN)];
    let answer = site.client(ALICE).get_with("/mcp", &headers).await.unwrap();
    assert_eq!(answer.header("access-control-allow-origin"), [OWN]);
    assert_only_user(&answer.gateway(), ALICE);
    let nobody = site.client_without_certificate();
    nobody
        .get_with("/mcp", &headers)
        .await
        .unwrap()
        .assert_denied(403, "no_certificate");
}
