//! Headers that speak of headers, and headers behind the body.

use hyper::{HeaderMap, Request};
use serde_json::json;

use crate::harness::body::streamed;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::Client;
use crate::harness::forged::{
    OWNED, assert_nobody, assert_only_user, filter_alone, http2_fields, lines, owning, spellings,
};
use crate::harness::gateway::Received;
use crate::harness::raw::{get_bytes, post_with_trailers, upgrade_bytes};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";
const CHECKSUM: (&str, &str) = ("x-checksum", "1234");

fn guarded() -> Fixture {
    Fixture::new().plugin(owning()).edit(filter_alone)
}

/// Values of `Connection` that name an owned header.
fn connection_values(option: &str) -> Vec<String> {
    let names = OWNED.iter().flat_map(|name| spellings(name));
    names
        .flat_map(|name| [format!("{option}, {name}"), format!("{name},\t{option} ,")])
        .collect()
}

#[tokio::test]
async fn an_upgrade_that_names_an_owned_header_in_connection_is_malformed() {
    let site = guarded().start().await;
    let client = site.client(ALICE);
    for value in connection_values("upgrade") {
        let line = format!("Connection: {value}");
        let answer = client.raw(&upgrade_bytes("/ws", [&*line])).await.unwrap();
        answer.assert_denied(400, "malformed_request");
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn a_second_connection_line_that_names_an_owned_header_is_malformed() {
    let site = guarded().start().await;
    let lines = ["Connection: upgrade", "connection: X_SSL_Client_S_DN_CN"];
    let answer = site
        .client(ALICE)
        .raw(&upgrade_bytes("/ws", lines))
        .await
        .unwrap();
    answer.assert_denied(400, "malformed_request");
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn an_upgrade_that_names_another_header_in_connection_is_served() {
    let site = guarded().start().await;
    let request = upgrade_bytes("/ws", ["Connection: upgrade, x-other"]);
    assert_eq!(site.client(ALICE).raw(&request).await.unwrap().status, 101);
    assert_only_user(&site.gateway.received()[0], ALICE);
}

#[tokio::test]
async fn connection_takes_no_identity_from_a_plain_request() {
    let site = guarded().start().await;
    let mut connection = site.client(ALICE).connect_raw().await.unwrap();
    for value in connection_values("keep-alive") {
        let line = format!("Connection: {value}");
        let answer = connection.exchange(&get_bytes("/", [line])).await.unwrap();
        // Envoy acts on `Connection` before the filter sees the request.
        assert_only_user(&answer.gateway(), ALICE);
    }
}

/// Envoy drops trailers of HTTP/1.1 unless told otherwise.
fn keep_trailers(envoy: &mut Bootstrap) {
    envoy.hcm()["http_protocol_options"] = json!({"enable_trailers": true});
}

fn keep_trailers_to_gateway(envoy: &mut Bootstrap) {
    let options = &mut envoy.cluster()["typed_extension_protocol_options"];
    options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["explicit_http_config"] =
        json!({"http_protocol_options": {"enable_trailers": true}});
}

/// One site for each protocol to the gateway.
async fn sites_with_trailers(edit: fn(&mut Bootstrap)) -> [Site; 2] {
    let to_http1 = guarded().edit(keep_trailers).edit(keep_trailers_to_gateway);
    let to_http2 = guarded()
        .edit(keep_trailers)
        .edit(Bootstrap::http2_to_gateway);
    [
        to_http1.edit(edit).start().await,
        to_http2.edit(edit).start().await,
    ]
}

async fn post_http1(client: &Client) -> Received {
    let honest = format!("{}: {}", CHECKSUM.0, CHECKSUM.1);
    let trailers = [lines(), vec![honest]].concat();
    let answer = client
        .raw(&post_with_trailers("/", &trailers))
        .await
        .unwrap();
    answer.gateway()
}

async fn post_http2(client: &Client) -> Received {
    let mut trailers = HeaderMap::new();
    for (name, value) in http2_fields()
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .chain([CHECKSUM])
    {
        let name = hyper::header::HeaderName::try_from(name).unwrap();
        trailers.append(name.clone(), value.parse().unwrap());
        trailers.append(name, value.parse().unwrap());
    }
    let (mut body, streaming) = streamed();
    let request = Request::post("/").body(streaming).unwrap();
    let client = client.clone().http2();
    let sent = client.send(request);
    let written = async {
        body.send_data("body".into()).await.unwrap();
        body.send_trailers(trailers).await.unwrap();
    };
    let (answer, ()) = tokio::join!(sent, written);
    answer.unwrap().gateway()
}

/// The trailer that nobody owns shows that trailers arrive at all.
#[track_caller]
fn assert_honest_trailer(received: &Received) {
    let names: Vec<_> = received
        .trailers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert!(names.contains(&CHECKSUM.0), "{received:?}");
}

#[tokio::test]
async fn a_forged_trailer_never_reaches_the_gateway() {
    for site in sites_with_trailers(|_| ()).await {
        let client = site.client(ALICE);
        for received in [post_http1(&client).await, post_http2(&client).await] {
            assert_honest_trailer(&received);
            assert_only_user(&received, ALICE);
        }
    }
}

#[tokio::test]
async fn a_forged_trailer_makes_nobody_anybody() {
    let strip = |envoy: &mut Bootstrap| {
        envoy.certificate_optional();
        envoy.overlay_plugin(&json!({"identity": {"missing": "strip"}}));
    };
    for site in sites_with_trailers(strip).await {
        let client = site.client_without_certificate();
        for received in [post_http1(&client).await, post_http2(&client).await] {
            assert_honest_trailer(&received);
            assert_nobody(&received);
        }
    }
}
