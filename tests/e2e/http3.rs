//! HTTP/3, as an operator would offer it: the shipped configuration on a QUIC listener. Its client is Python's.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::forged::{FORGED, assert_nobody, assert_only_user, http2_fields, owning};
use crate::harness::gateway::Received;
use crate::harness::{Fixture, Site};
use crate::mcp;

const ALICE: &str = "alice@example.com";

/// Turns the listener into one of QUIC.
fn over_quic(envoy: &mut Bootstrap) {
    const TRANSPORT: &str =
        "type.googleapis.com/envoy.extensions.transport_sockets.quic.v3.QuicDownstreamTransport";
    let hcm = envoy.hcm().as_object_mut().unwrap();
    hcm.insert("codec_type".to_owned(), json!("HTTP3"));
    let mut tls = envoy.downstream_tls().clone();
    tls.as_object_mut().unwrap().remove("@type");
    let common = tls["common_tls_context"].as_object_mut().unwrap();
    common.remove("alpn_protocols");
    let listener = envoy.listener();
    listener["address"]["socket_address"]["protocol"] = json!("UDP");
    listener["udp_listener_config"] = json!({"quic_options": {}});
    let chain = listener["filter_chains"][0].as_object_mut().unwrap();
    chain.remove("transport_socket_connect_timeout");
    let socket = json!({"@type": TRANSPORT, "downstream_tls_context": tls});
    chain["transport_socket"] = json!({"name": "quic", "typed_config": socket});
}

/// What the gateway received of each request that was answered with 200, and the status of each.
struct Said {
    statuses: Vec<u64>,
    received: Vec<Received>,
    tickets: u64,
}

/// These requests on one connection.
fn ask(site: &Site, credentials: Option<&Credentials>, requests: &Value) -> Said {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let mut client = Command::new(repository().join("tests/e2e/http3/client.sh"));
    client.arg(site.envoy.address().port().to_string());
    client.arg(file("ca.crt", &site.authority.pem()));
    if let Some(credentials) = credentials {
        client.arg(file("user.crt", &credentials.pem()));
        client.arg(file("user.key", &credentials.key_pem()));
    }
    client.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut client = client.spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    input.write_all(requests.to_string().as_bytes()).unwrap();
    drop(input);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answers = said["answers"].as_array().unwrap();
    let passed = answers.iter().filter(|answer| answer["status"] == 200);
    Said {
        statuses: answers
            .iter()
            .filter_map(|it| it["status"].as_u64())
            .collect(),
        received: passed
            .map(|answer| serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
            .collect(),
        tickets: said["tickets"].as_u64().unwrap(),
    }
}

/// Two plain requests, one with every forged header, and one with every forged trailer.
fn forged() -> Value {
    let fields: Vec<_> = http2_fields()
        .into_iter()
        .chain(["x.ssl.client.s.dn.cn", "x~ssl~client~verify"].map(|it| (it.to_owned(), FORGED)))
        .map(|(name, value)| json!([name, value]))
        .collect();
    let mut trailers = fields.clone();
    trailers.push(json!(["x-checksum", "1234"]));
    json!([
        {"path": "/"},
        {"path": "/", "headers": fields},
        {"path": "/", "trailers": trailers},
        {"path": "/"},
    ])
}

fn fixture() -> Fixture {
    Fixture::new()
        .plugin(owning())
        .edit(Bootstrap::http2_to_gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http3_a_user_is_who_the_certificate_says_whatever_is_forged() {
    let site = fixture().edit(over_quic).start().await;
    for user in [ALICE, "bob@example.com"] {
        let said = ask(&site, Some(&site.authority.client(user)), &forged());
        assert_eq!(said.statuses, [200; 4]);
        said.received
            .iter()
            .for_each(|it| assert_only_user(it, user));
        let honest = said.received[2].trailers.iter();
        let mut names = honest.map(|(name, _)| name.as_str());
        assert!(names.any(|name| name == "x-checksum"), "trailers arrive");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http3_who_has_no_certificate_of_the_ca_gets_no_answer() {
    let site = fixture().edit(over_quic).start().await;
    let stranger = Authority::new().client(ALICE);
    for credentials in [None, Some(&stranger)] {
        let said = ask(&site, credentials, &json!([{"path": "/"}]));
        assert_eq!(said.statuses, [0_u64; 0]);
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http3_forged_headers_make_nobody_anybody() {
    let site = fixture()
        .plugin(json!({"identity": {"missing": "strip"}}))
        .edit(Bootstrap::certificate_optional)
        .edit(over_quic)
        .start()
        .await;
    let said = ask(&site, None, &forged());
    assert_eq!(said.statuses, [200; 4]);
    said.received.iter().for_each(assert_nobody);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http3_a_limit_is_one_for_all_connections_of_a_user() {
    let site = fixture()
        .plugin(json!({"rate_limit": {"default": {"rate": "1/h", "burst": 2}}}))
        .edit(over_quic)
        .start()
        .await;
    let alice = site.authority.client(ALICE);
    let two = json!([{"path": "/"}, {"path": "/"}]);
    assert_eq!(ask(&site, Some(&alice), &two).statuses, [200, 200]);
    assert_eq!(ask(&site, Some(&alice), &two).statuses, [200, 429]);
    let bob = site.authority.client("bob@example.com");
    assert_eq!(ask(&site, Some(&bob), &two).statuses, [200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http3_who_may_call_which_tool_is_decided_by_the_body() {
    let site = fixture().plugin(mcp::rules()).edit(over_quic).start().await;
    let request = |text: &str, size: usize, trailers: Value| {
        let pieces = text.as_bytes().chunks(size).map(String::from_utf8_lossy);
        let pieces: Vec<_> = pieces.collect();
        let headers = json!([["content-type", "application/json"]]);
        json!({"path": "/mcp", "headers": headers, "body": pieces, "trailers": trailers})
    };
    let (search, delete) = (mcp::call("search_web"), mcp::call("delete"));
    let mut requests = Vec::new();
    for (size, trailers) in [
        (1, json!([])),
        (30, json!([])),
        (1000, json!([])),
        (30, json!([["x-checksum", "1"]])),
    ] {
        requests.push(request(&search, size, trailers.clone()));
        requests.push(request(&delete, size, trailers));
    }
    let alice = site.authority.client(ALICE);
    let said = ask(&site, Some(&alice), &json!(requests));
    assert_eq!(said.statuses, [200, 403].repeat(4));
    for received in &said.received {
        assert_only_user(received, ALICE);
        assert_eq!(received.body_bytes, search.len());
    }
    assert_eq!(site.gateway.received().len(), 4);
}

fn resuming(envoy: &mut Bootstrap) {
    let tls = envoy.downstream_tls().as_object_mut().unwrap();
    for key in [
        "disable_stateless_session_resumption",
        "disable_stateful_session_resumption",
    ] {
        assert_eq!(tls.remove(key), Some(json!(true)));
    }
}

/// Not even where the listener would allow it. Without a session to resume no data can be sent early either.
#[tokio::test(flavor = "multi_thread")]
async fn over_http3_envoy_offers_no_session_to_resume() {
    let shipped = fixture().edit(over_quic).start().await;
    let allowing = fixture().edit(resuming).edit(over_quic).start().await;
    for site in [shipped, allowing] {
        let alice = site.authority.client(ALICE);
        let said = ask(&site, Some(&alice), &json!([{"path": "/"}, {"path": "/"}]));
        assert_eq!(said.statuses, [200, 200]);
        assert_eq!(said.tickets, 0);
    }
}
