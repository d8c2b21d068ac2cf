//! The user arrives whatever carries the request, and nothing that streams is held back.

use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Bytes;

use crate::harness::body::streamed;
use crate::harness::client::{Client, full, in_time};
use crate::harness::forged::assert_only_user;
use crate::harness::gateway::Received;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

#[track_caller]
fn assert_alice(received: &Received) {
    assert_only_user(received, ALICE);
}

async fn site_and_clients() -> (Site, [Client; 2]) {
    let site = Fixture::new().start().await;
    let client = site.client(ALICE);
    (site, [client.clone(), client.http2()])
}

#[tokio::test]
async fn http1_and_http2_carry_the_user() {
    let (_site, clients) = site_and_clients().await;
    for client in clients {
        let answer = client.get("/any/path?with=query").await.unwrap();
        assert_alice(&answer.gateway());
        assert_eq!(answer.gateway().path, "/any/path?with=query");
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_carry_the_user() {
    let site = Fixture::new().start().await;
    for client in [site.client(ALICE).tls12(), site.client(ALICE).tls13()] {
        assert_alice(&client.get("/").await.unwrap().gateway());
    }
}

#[tokio::test]
async fn every_request_of_a_connection_carries_the_user() {
    let (site, clients) = site_and_clients().await;
    for client in clients {
        let mut connection = client.connect().await.unwrap();
        for number in 0..20 {
            let answer = connection.get(&format!("/{number}")).await.unwrap();
            assert_alice(&answer.gateway());
        }
    }
    assert_eq!(site.gateway.received().len(), 40);
}

#[tokio::test]
async fn connections_of_different_clients_never_share_a_user() {
    let site = Fixture::new().start().await;
    let names: Vec<_> = (0..20)
        .map(|number| format!("user{number}@example.com"))
        .collect();
    let mut connections = Vec::new();
    for name in &names {
        connections.push(site.client(name).connect().await.unwrap());
    }
    for _ in 0..3 {
        for (name, connection) in names.iter().zip(&mut connections) {
            let answer = connection.get("/").await.unwrap();
            assert_eq!(answer.gateway().user(), [name]);
        }
    }
}

#[tokio::test]
async fn a_websocket_carries_the_user_and_stays_open() {
    let (_site, clients) = site_and_clients().await;
    for client in clients {
        let mut socket = client.websocket("/ws", &[]).await.unwrap();
        assert_alice(&socket.opening().await);
        for message in ["one", "two"] {
            socket.send(message).await;
            assert_eq!(socket.receive().await, message);
        }
    }
}

#[tokio::test]
async fn an_event_stream_carries_the_user_and_each_event_comes_at_once() {
    let (_site, clients) = site_and_clients().await;
    for client in clients {
        // Without `?events=` the stream never ends: only what is not held back can arrive.
        let mut events = client.events("/sse").await.unwrap();
        assert_eq!(events.status(), 200);
        let first = events.next().await.unwrap();
        assert_alice(&serde_json::from_str(&first).unwrap());
        assert_eq!(events.next().await.unwrap(), "1");
        assert_eq!(events.next().await.unwrap(), "2");
    }
}

#[tokio::test]
async fn an_event_stream_that_ends_ends_for_the_client() {
    let (_site, clients) = site_and_clients().await;
    for client in clients {
        let mut events = client.events("/sse?events=2").await.unwrap();
        assert!(events.next().await.is_some());
        assert_eq!(events.next().await.as_deref(), Some("1"));
        assert_eq!(events.next().await, None);
    }
}

#[tokio::test]
async fn a_streamed_body_is_never_buffered() {
    let (site, clients) = site_and_clients().await;
    for client in clients {
        let (mut body, streaming) = streamed();
        let request = Request::post("/echo").body(streaming).unwrap();
        let mut connection = client.connect().await.unwrap();
        let mut response = connection.begin(request).await.unwrap();
        for chunk in ["first", "second", "third"] {
            body.send_data(Bytes::from(chunk)).await.unwrap();
            // The next chunk is not even written before this one is back.
            let echo = in_time(async { response.frame().await.unwrap() });
            assert_eq!(echo.await.unwrap().into_data().unwrap(), chunk);
        }
        drop(body);
        assert_eq!(response.collect().await.unwrap().to_bytes(), "");
        assert_alice(site.gateway.received().last().unwrap());
    }
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let (_site, clients) = site_and_clients().await;
    let content = vec![b'x'; 2 << 20];
    for client in clients {
        let request = Request::post("/upload")
            .body(full(content.clone()))
            .unwrap();
        let answer = client.send(request).await.unwrap();
        assert_alice(&answer.gateway());
        assert_eq!(answer.gateway().body_bytes, content.len());
    }
}

#[tokio::test]
async fn a_gateway_that_speaks_http2_gets_the_user() {
    let site = Fixture::new()
        .edit(|envoy| envoy.http2_to_gateway())
        .start()
        .await;
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        let answer = client.get("/").await.unwrap();
        assert_alice(&answer.gateway());
        assert_eq!(answer.gateway().version, "HTTP/2.0");
        let mut socket = client.websocket("/ws", &[]).await.unwrap();
        assert_alice(&socket.opening().await);
    }
}
