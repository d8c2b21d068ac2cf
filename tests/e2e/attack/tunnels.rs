//! Ways to the gateway on which no header of the filter means anything: a tunnel, in which the client writes every byte. Who
//! writes routes in a plain Envoy could open one, and then every client was the administrator.

use hyper::{Method, Request};
use serde_json::json;

use crate::harness::Fixture;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::FORGED;
use crate::harness::gateway::USER;
use crate::harness::raw::get_bytes;

const ALICE: &str = "alice@example.com";
const VERSIONS: [&str; 5] = ["1.36.2", "1.37.0", "1.38.2", "1.39.3", "1.40.0"];

/// A route that makes a tunnel to the gateway of each CONNECT.
fn tunnel(envoy: &mut Bootstrap) {
    let route = json!({
        "match": {"connect_matcher": {}},
        "route": {
            "cluster": "gateway",
            "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
        },
    });
    let routes = &mut envoy.route_config()["virtual_hosts"][0]["routes"];
    routes.as_array_mut().unwrap().insert(0, route);
}

/// The opening of a tunnel and, at once, what the client says in it: that it is somebody else.
fn tunnel_bytes() -> Vec<u8> {
    let forged = [format!("{USER}: {FORGED}")];
    let inside = get_bytes("/", forged);
    let open = b"CONNECT gateway:4444 HTTP/1.1\r\nHost: gateway:4444\r\n\r\n";
    [&open[..], &inside].concat()
}

async fn status_over_http2(client: &Client) -> u16 {
    let mut connection = client.clone().http2().connect().await.unwrap();
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("gateway:4444")
        .body(empty())
        .unwrap();
    let response = connection.begin_as_is(request).await.unwrap();
    response.status().as_u16()
}

#[tokio::test]
async fn no_client_gets_a_tunnel_to_the_gateway_whatever_routes_allow_on_any_version() {
    for version in VERSIONS {
        let site = Fixture::new().on(version).edit(tunnel).start().await;
        let client = site.client(ALICE);
        let answer = client.raw(&tunnel_bytes()).await.unwrap();
        answer.assert_denied(400, "malformed_request");
        assert_eq!(status_over_http2(&client).await, 400, "{version}");
        // A WebSocket is no tunnel: the gateway has been told who opens it. Over HTTP/2 it is a CONNECT as well.
        for client in [client.clone(), client.http2()] {
            let mut socket = client.websocket("/ws", &[]).await.unwrap();
            assert_eq!(socket.opening().await.user(), [ALICE], "{version}");
        }
        let of_others: Vec<_> = site.gateway.received();
        assert!(of_others.iter().all(|it| it.path == "/ws"), "{of_others:?}");
    }
}

#[tokio::test]
async fn a_refused_tunnel_says_why_in_its_record() {
    let site = Fixture::new().edit(tunnel).start().await;
    let answer = site.client(ALICE).raw(&tunnel_bytes()).await.unwrap();
    answer.assert_denied(400, "malformed_request");
    site.envoy
        .logs("CONNECT asks for a tunnel to the gateway")
        .await;
}
