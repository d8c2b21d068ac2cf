//! Ways to the gateway on which no header of the filter means anything: a tunnel, in which the client writes every byte. Who
//! writes routes in a plain Envoy could open one, and then every client was the administrator.

use std::sync::{Arc, Mutex};

use hyper::{Method, Request};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, empty};
use crate::harness::forged::FORGED;
use crate::harness::gateway::USER;
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, PATIENCE, eventually};

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

/// What a gateway may answer that does not take an upgrade.
const ANSWERS: [&str; 7] = [
    "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
];

/// All that came on the connections that have ended, each by itself.
type Heard = Arc<Mutex<Vec<String>>>;

/// A gateway that gives these answers, one a connection, and reads on.
async fn answering(listener: TcpListener, heard: Heard) {
    for answer in ANSWERS {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        while !all.windows(4).any(|four| four == b"\r\n\r\n") {
            assert_ne!(connection.read_buf(&mut all).await.unwrap(), 0);
        }
        connection.write_all(answer.as_bytes()).await.unwrap();
        // It may end by a reset.
        let _ = connection.read_to_end(&mut all).await;
        let all = String::from_utf8(all).unwrap();
        heard.lock().unwrap().push(all);
    }
}

#[tokio::test]
async fn nothing_behind_an_upgrade_that_is_not_taken_reaches_the_gateway_on_any_version() {
    for version in VERSIONS {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gateway = listener.local_addr().unwrap();
        let heard = Heard::default();
        tokio::spawn(answering(listener, heard.clone()));
        let fixture = Fixture::new().on(version);
        let fixture = fixture.edit(move |envoy| envoy.forward_to(gateway));
        let site = fixture.start().await;
        let inside = get_bytes("/inside", [format!("{USER}: {FORGED}")]);
        let request = [upgrade_bytes("/ws", ["Connection: upgrade"]), inside].concat();
        for (place, answer) in ANSWERS.iter().enumerate() {
            // What the client gets does not matter: a status, or the end of its connection.
            let _ = site.client(ALICE).raw(&request).await;
            eventually("the gateway's connection has ended", PATIENCE, async || {
                (heard.lock().unwrap().len() > place).then_some(())
            })
            .await;
            let all = heard.lock().unwrap()[place].clone();
            assert!(all.starts_with("GET /ws "), "{version} {answer}: {all}");
            assert!(!all.contains(FORGED), "{version} {answer}: {all}");
        }
    }
}
