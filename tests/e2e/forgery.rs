//! What a client says of itself in a header is never heard.
//!
//! The listener's own defences in front of the filter are taken out here: the filter is on trial.

use hyper::Request;
use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::{
    FORGED, assert_nobody, assert_nothing_forged, assert_only_user, filter_alone, http2_fields,
    lines, owning,
};
use crate::harness::gateway::Received;
use crate::harness::leaf::{Leaf, organizational_unit};
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// Fewer than the 100 headers that the listener admits, with room for what a request has anyway.
const TOGETHER: usize = 90;

const PATHS: [&str; 8] = [
    "/",
    "/health",
    "/mcp",
    "/servers/1/sse?events=1",
    "/ws",
    "/?user=admin",
    "/a/%2e%2e/b",
    "/admin;x=y",
];

fn guarded() -> Fixture {
    Fixture::new().plugin(owning()).edit(filter_alone)
}

fn identity_optional(envoy: &mut Bootstrap) {
    envoy.certificate_optional();
    envoy.overlay_plugin(&json!({"identity": {"missing": "strip"}}));
}

#[track_caller]
fn assert_alice(received: &Received) {
    assert_only_user(received, ALICE);
}

/// What all these requests came to at the gateway; none was lost on the way.
#[track_caller]
fn assert_all(site: &Site, requests: usize, check: fn(&Received)) {
    let received = site.gateway.received();
    assert_eq!(received.len(), requests);
    received.iter().for_each(check);
}

/// A request for each spelling of each name, once by itself and once repeated. Returns how many.
async fn forge_one_by_one(client: &Client) -> usize {
    let mut connection = client.connect_raw().await.unwrap();
    for line in lines() {
        for request in [get_bytes("/", [&line]), get_bytes("/", [&line, &line])] {
            assert_eq!(connection.exchange(&request).await.unwrap().status, 200);
        }
    }
    2 * lines().len()
}

/// All of them at once, on every path. Returns how many requests that took.
async fn forge_together(client: &Client) -> usize {
    let mut connection = client.connect_raw().await.unwrap();
    for path in PATHS {
        for lines in lines().chunks(TOGETHER) {
            let answer = connection.exchange(&get_bytes(path, lines)).await.unwrap();
            assert_eq!(answer.status, 200);
        }
    }
    PATHS.len() * lines().chunks(TOGETHER).len()
}

/// In WebSocket upgrades, on every path.
async fn forge_in_upgrades(client: &Client) -> usize {
    for path in PATHS {
        for lines in lines().chunks(TOGETHER) {
            let lines = lines.iter().map(String::as_str);
            let request = upgrade_bytes(path, ["Connection: upgrade"].into_iter().chain(lines));
            assert_eq!(client.raw(&request).await.unwrap().status, 101);
        }
    }
    PATHS.len() * lines().chunks(TOGETHER).len()
}

/// Each spelling that HTTP/2 has, once by itself and once repeated, then all of them at once.
async fn forge_over_http2(client: &Client) -> usize {
    let mut connection = client.clone().http2().connect().await.unwrap();
    let fields = http2_fields();
    let alone = fields.iter().map(|field| vec![field]);
    let repeated = fields.iter().map(|field| vec![field, field]);
    let requests: Vec<_> = alone
        .chain(repeated)
        .chain([fields.iter().collect()])
        .collect();
    for fields in &requests {
        let mut request = Request::get("/");
        for (name, value) in fields {
            request = request.header(name, *value);
        }
        let answer = connection
            .send(request.body(empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
    }
    requests.len()
}

#[tokio::test]
async fn a_forged_header_never_reaches_the_gateway_in_any_spelling() {
    let site = guarded().start().await;
    let requests = forge_one_by_one(&site.client(ALICE)).await;
    assert_all(&site, requests, assert_alice);
}

#[tokio::test]
async fn many_forged_headers_at_once_reach_the_gateway_on_no_path() {
    let site = guarded().start().await;
    let requests = forge_together(&site.client(ALICE)).await;
    assert_all(&site, requests, assert_alice);
}

#[tokio::test]
async fn an_upgrade_carries_no_forged_header() {
    let site = guarded().start().await;
    let requests = forge_in_upgrades(&site.client(ALICE)).await;
    assert_all(&site, requests, assert_alice);
}

#[tokio::test]
async fn http2_carries_no_forged_header() {
    let site = guarded().start().await;
    let requests = forge_over_http2(&site.client(ALICE)).await;
    assert_all(&site, requests, assert_alice);
}

#[tokio::test]
async fn a_websocket_over_http2_carries_no_forged_header() {
    let site = guarded().start().await;
    let fields = http2_fields();
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    let client = site.client(ALICE).http2();
    let mut socket = client.websocket("/ws", &fields).await.unwrap();
    assert_alice(&socket.opening().await);
}

#[tokio::test]
async fn without_a_certificate_forged_headers_make_nobody_anybody() {
    let site = guarded().edit(identity_optional).start().await;
    let client = site.client_without_certificate();
    let requests = forge_one_by_one(&client).await
        + forge_together(&client).await
        + forge_in_upgrades(&client).await
        + forge_over_http2(&client).await;
    assert_all(&site, requests, assert_nobody);
}

#[tokio::test]
async fn a_certificate_without_a_name_and_forged_headers_make_nobody_anybody() {
    let site = guarded().edit(identity_optional).start().await;
    let nameless = Leaf::of([organizational_unit("CN=admin@example.com")]);
    let client = site.client_with(&site.authority.issue(&nameless));
    let requests = forge_together(&client).await;
    assert_all(&site, requests, assert_nobody);
}

#[tokio::test]
async fn a_denied_request_reaches_the_gateway_with_no_header_at_all() {
    let site = guarded()
        .edit(Bootstrap::certificate_optional)
        .start()
        .await;
    let client = site.client_without_certificate();
    for path in PATHS {
        for lines in lines().chunks(TOGETHER) {
            let answer = client.raw(&get_bytes(path, lines)).await.unwrap();
            answer.assert_denied(403, "no_certificate");
        }
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn on_an_anonymous_path_a_forged_header_makes_nobody_anybody() {
    let site = guarded()
        .edit(Bootstrap::certificate_optional)
        .plugin(json!({"identity": {"anonymous_paths": ["/health"]}}))
        .start()
        .await;
    let client = site.client_without_certificate();
    for lines in lines().chunks(TOGETHER) {
        let healthy = client.raw(&get_bytes("/health?x=y", lines)).await.unwrap();
        assert_nobody(&healthy.gateway());
        let other = client.raw(&get_bytes("/health/x", lines)).await.unwrap();
        other.assert_denied(403, "no_certificate");
    }
}

#[tokio::test]
async fn the_configured_user_header_is_the_one_that_is_guarded() {
    let site = guarded()
        .plugin(json!({"headers": {"user": "X-Proxy_User"}}))
        .start()
        .await;
    let lines = [
        "x-proxy-user: root",
        "X-Proxy_User: root",
        "X_PROXY_USER: root",
    ];
    let answer = site
        .client(ALICE)
        .raw(&get_bytes("/", lines))
        .await
        .unwrap();
    let received = answer.gateway();
    assert_eq!(received.values("x-proxy_user"), [ALICE]);
    assert!(received.headers.iter().all(|(_, value)| value != "root"));
}

#[tokio::test]
async fn the_shipped_listener_lets_no_forged_header_in_and_serves_who_sends_one() {
    let site = Fixture::new().plugin(owning()).start().await;
    let client = site.client(ALICE);
    for line in lines() {
        let answer = client.raw(&get_bytes("/", [&line])).await.unwrap();
        assert_eq!(answer.status, 200, "{line}");
    }
    assert_all(&site, lines().len(), assert_alice);
}

#[tokio::test]
async fn a_header_with_an_underscore_is_dropped_and_counted_and_its_client_served() {
    let site = Fixture::new().start().await;
    let client = site.client(ALICE);
    let line = format!("X_SSL_Client_S_DN_CN: {FORGED}");
    let request = get_bytes("/", [&*line, "Baggage-Trace_Id: 1", "X-Honest: 1"]);
    let plain = client.raw(&request).await.unwrap().gateway();
    let fields = [
        ("x_ssl_client_s_dn_cn", FORGED),
        ("baggage-trace_id", "1"),
        ("x-honest", "1"),
    ];
    let http2 = client.http2().get_with("/", &fields).await.unwrap();
    for received in [plain, http2.gateway()] {
        assert_alice(&received);
        assert_eq!(received.values("x-honest"), ["1"]);
        let names = received.headers.iter().map(|(name, _)| name);
        assert_eq!(names.filter(|name| name.contains('_')).count(), 0);
    }
    for codec in ["http1", "http2"] {
        let counter = format!("{codec}.dropped_headers_with_underscores");
        assert_eq!(site.envoy.stat(&counter).await, Some(2), "{counter}");
    }
}

/// Envoy keeps these apart from all other headers, joins what comes twice, or writes them itself.
const OF_ENVOY: [&str; 11] = [
    "authorization",
    "cookie",
    "grpc-timeout",
    "origin",
    "referer",
    "user-agent",
    "via",
    "x-envoy-original-path",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-request-id",
];

#[tokio::test]
async fn a_header_that_envoy_treats_in_its_own_way_has_one_value_as_well() {
    for name in OF_ENVOY {
        let plugin = json!({"headers": {"user": name}});
        let site = guarded().plugin(plugin).start().await;
        let client = site.client(ALICE);
        let line = format!("{}: {FORGED}", name.to_ascii_uppercase());
        let request = get_bytes("/", [&line, &line]);
        assert_eq!(client.raw(&request).await.unwrap().status, 200, "{name}");
        let field = [(name, FORGED), (name, FORGED)];
        let answer = client.http2().get_with("/", &field).await.unwrap();
        assert_eq!(answer.status, 200, "{name}");
        for received in site.gateway.received() {
            assert_nothing_forged(&received);
            assert_eq!(received.values(name), [ALICE], "{name}");
        }
    }
}

/// A second filter behind the first, under the same `vm_id`: another configuration in the same VM.
fn followed_by_another(envoy: &mut Bootstrap) {
    let filters = envoy.http_filters();
    let is_wasm = |filter: &Value| filter["name"] == "mtls_identity";
    let place = filters.iter().position(is_wasm).unwrap();
    let mut other = filters[place].clone();
    other["name"] = json!("other");
    let plugin = &mut other["typed_config"]["config"];
    plugin["name"] = json!("other");
    let value = json!({"headers": {"user": "x-other-user"}, "audit": {"log": "none"}}).to_string();
    plugin["configuration"]["value"] = json!(value);
    filters.insert(place + 1, other);
}

#[tokio::test]
async fn two_configurations_in_one_vm_each_serve_as_their_own() {
    // The guard asks for the first filter's mark, which the second removes.
    let site = guarded()
        .edit(followed_by_another)
        .edit(Bootstrap::remove_guard)
        // It would write once more what the first has left in filter state.
        .edit(Bootstrap::remove_last_word)
        .start()
        .await;
    let forged = ["X-Other-User: root", "x-role: root", "x_other_user: root"];
    for user in [ALICE, "bob@example.com", ALICE] {
        let client = site.client(user);
        let answer = client.raw(&get_bytes("/", forged)).await.unwrap();
        let received = answer.gateway();
        assert_eq!(received.values("x-other-user"), [user]);
        assert_eq!(
            received.user(),
            [""; 0],
            "the second removes what the first has set"
        );
        assert!(received.headers.iter().all(|(_, value)| value != "root"));
    }
}
