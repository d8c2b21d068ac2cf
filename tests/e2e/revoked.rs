//! A CRL is published while clients are connected: what `mtls-identity revoke` makes of it and of the configuration, Envoy
//! reads from a file (ECDS).

use std::fs;
use std::process::Command;
use std::time::Instant;

use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::answer::Answer;

use crate::harness::artifacts::{commands, output};
use crate::harness::body::{BodySender, streamed};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, Connection, Refused, in_time};
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::streams::{goes_on, open_events, until_ended};
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::xds::Xds;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";
/// How many others the CA has revoked.
const OTHERS: u32 = 10_000;

/// An event stream that does not end by itself, and what carries it.
struct Stream {
    response: Response<Incoming>,
    _connection: Connection,
}

impl Stream {
    async fn open(client: &Client) -> Self {
        let mut connection = client.connect().await.unwrap();
        Self {
            response: open_events(&mut connection, &[]).await,
            _connection: connection,
        }
    }

    /// Whether another event comes.
    async fn goes_on(&mut self) -> bool {
        goes_on(&mut self.response).await
    }

    async fn until_ended(&mut self) {
        until_ended(&mut self.response).await;
    }
}

/// A message of which the last byte is still to come.
struct HeldMessage {
    rest: BodySender,
    answer: JoinHandle<Result<Answer, Refused>>,
    _connection: Connection,
}

impl HeldMessage {
    const TEXT: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

    async fn begin(client: &Client) -> Self {
        let mut connection = client.connect().await.unwrap();
        let (mut rest, body) = streamed();
        let request = Request::post("/mcp").header("content-type", "application/json");
        let answer = connection.start(request.body(body).unwrap()).await.unwrap();
        let (begun, _) = Self::TEXT.split_at(Self::TEXT.len() - 1);
        rest.send_data(Bytes::from_static(begun.as_bytes()))
            .await
            .unwrap();
        Self {
            rest,
            answer,
            _connection: connection,
        }
    }

    /// Its connection or its stream has ended, or ends now, without an answer of the gateway.
    async fn assert_never_served(mut self) {
        let _ = self.rest.send_data(Bytes::from_static(b"}")).await;
        drop(self.rest);
        let answer = in_time(self.answer).await.unwrap();
        if let Ok(answer) = answer {
            answer.assert_denied(403, "revoked");
        }
    }
}

/// The configuration with the entries of a CRL that names this serial number and many others.
fn configuration_with(site: &Site, serial: &[u8], before: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let others: Vec<_> = (0..OTHERS)
        .map(|number| [[0x77; 12].to_vec(), number.to_be_bytes().to_vec()].concat())
        .collect();
    let mut serials: Vec<_> = others.iter().map(Vec::as_slice).collect();
    serials.push(serial);
    let list = write("ca.crl", &site.authority.revocation_list(&serials));
    let authority = write("ca.crt", &site.authority.pem());
    let config = write("filter.json", &before.to_string());
    let mut revoke = Command::new(commands());
    revoke
        .arg("revoke")
        .arg("--crl")
        .arg(list)
        .arg("--ca")
        .arg(authority);
    output(revoke.arg("--config").arg(config))
}

#[tokio::test]
async fn a_crl_refuses_the_next_request_of_an_open_connection_and_ends_its_streams() {
    assert_ended("1.40.0").await;
}

#[tokio::test]
async fn it_ends_them_on_envoy_1_37_and_1_38_and_1_39_as_well() {
    for version in ["1.37.0", "1.38.2", "1.39.3"] {
        assert_ended(version).await;
    }
}

async fn assert_ended(version: &'static str) {
    let before = json!({
        "audit": {"log": "none"},
        "certificate": {"validation": "listener"},
        "mcp": {"paths": ["/mcp"]},
    });
    let xds = Xds::empty();
    let fixture = Fixture::new()
        .plugin_exactly(before.to_string())
        .on(version)
        .concurrency(2);
    let site = fixture.edit(xds.filter()).start().await;
    let serial = [0x42, 0x17];
    // Nobody is connected yet: what blocks this thread would let Envoy's keepalive end connections.
    let begun = Instant::now();
    let configuration = configuration_with(&site, &serial, &before);
    let read = begun.elapsed();
    let alice = Leaf::of([common_name(ALICE)]).serial(&serial);
    let alice = site.client_with(&site.authority.issue(&alice));
    let bob = site.client(BOB);
    let mut streams = Vec::new();
    let mut of_bob = Vec::new();
    // Several, so that both workers have some.
    for _ in 0..4 {
        for client in [alice.clone(), alice.clone().http2()] {
            streams.push(Stream::open(&client).await);
        }
        for client in [bob.clone(), bob.clone().http2()] {
            of_bob.push(Stream::open(&client).await);
        }
    }
    let mut socket = alice.websocket("/ws", &[]).await.unwrap();
    socket.opening().await;
    let mut open = alice.clone().http2().connect().await.unwrap();
    assert_eq!(open.get("/").await.unwrap().status, 200);
    let mut held = Vec::new();
    for client in [alice.clone(), alice.clone().http2()] {
        held.push(HeldMessage::begin(&client).await);
    }

    xds.configure(&configuration);
    let moved = Instant::now();
    let denied = eventually("the certificate is revoked", PATIENCE, async || {
        // One that is open when the certificate is revoked ends.
        let answer = open.get("/").await.ok()?;
        (answer.status != 200).then_some(answer)
    })
    .await;
    let refused = moved.elapsed();
    denied.assert_denied(403, "revoked");
    for stream in &mut streams {
        stream.until_ended().await;
    }
    for message in held {
        message.assert_never_served().await;
    }
    socket.until_ended().await;
    let ended = moved.elapsed();
    println!(
        "{version}: revoke {read:?}; refused {refused:?} and streams ended {ended:?} after the file was moved"
    );
    for stream in &mut of_bob {
        // What came meanwhile, and then more.
        for _ in 0..10 {
            assert!(stream.goes_on().await);
        }
    }
    site.envoy
        .logs(r#"{"decision":"ended","reason":"revoked","count":"#)
        .await;
    alice.get("/").await.unwrap().assert_denied(403, "revoked");
    assert_eq!(bob.get("/").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_configuration_that_revokes_others_ends_nothing() {
    let before = json!({"audit": {"log": "none"}});
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(before.to_string());
    let site = fixture.edit(xds.filter()).start().await;
    let configuration = configuration_with(&site, &[0x42], &before);
    let alice = site.client(ALICE);
    let mut streams = [
        Stream::open(&alice).await,
        Stream::open(&alice.clone().http2()).await,
    ];
    xds.configure(&configuration);
    eventually("the new configuration serves", PATIENCE, async || {
        let leaf = Leaf::of([common_name(BOB)]).serial(&[0x42]);
        let revoked = site.client_with(&site.authority.issue(&leaf));
        (revoked.get("/").await.ok()?.status == 403).then_some(())
    })
    .await;
    for stream in &mut streams {
        // 3 seconds of events: longer than open requests are looked at.
        for _ in 0..60 {
            assert!(stream.goes_on().await);
        }
    }
}

/// A filter in front that holds requests: until the body is whole.
fn buffer(envoy: &mut Bootstrap) {
    let buffer = json!({
        "name": "buffer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer",
            "max_request_bytes": 1000,
        },
    });
    envoy.http_filters().insert(0, buffer);
}

/// Its configuration is the one from before the revocation, and it comes to the filter long behind it. So it was served, and
/// for as long as the client liked.
#[tokio::test]
async fn a_request_that_another_filter_held_over_the_revocation_ends_as_well() {
    let before = json!({"audit": {"log": "none"}});
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(before.to_string());
    let site = fixture.edit(xds.filter()).edit(buffer).start().await;
    let alice = site.authority.client(ALICE);
    let revoked = json!([{"sha256": alice.sha256()}]);
    let alice = site.client_with(&alice);
    let mut of_bob = Stream::open(&site.client(BOB)).await;
    let mut begun = Vec::new();
    for client in [alice.clone(), alice.clone().http2()] {
        let mut connection = client.connect().await.unwrap();
        let (mut rest, body) = streamed();
        let request = Request::post("/sse").body(body).unwrap();
        rest.send_data(Bytes::from_static(b"a")).await.unwrap();
        let answer = connection.start_head(request).await.unwrap();
        begun.push((rest, answer, connection));
    }
    eventually("Envoy has both requests", PATIENCE, async || {
        let active = site.envoy.stat("http.mtls.downstream_rq_active").await;
        (active == Some(3)).then_some(())
    })
    .await;
    xds.configure(&json!({"revoked": revoked}).to_string());
    eventually("the certificate is revoked", PATIENCE, async || {
        (alice.get("/").await.ok()?.status == 403).then_some(())
    })
    .await;
    // 3 seconds of events: longer than open requests are looked at.
    for _ in 0..60 {
        assert!(of_bob.goes_on().await);
    }
    for (mut rest, answer, connection) in begun {
        rest.send_data(Bytes::from_static(b"b")).await.unwrap();
        drop(rest);
        // It may end before its response has begun.
        if let Ok(response) = in_time(answer).await.unwrap() {
            let mut stream = Stream {
                response,
                _connection: connection,
            };
            stream.until_ended().await;
        }
    }
    assert!(of_bob.goes_on().await);
}
