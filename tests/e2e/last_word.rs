//! The last word: the route configuration writes the filter's headers once more, from filter state that no route can
//! write. So no route makes anybody somebody else.

mod writers;

use serde_json::{Value, json};

use crate::harness::Fixture;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::Client;
use crate::harness::forged::{FORGED, assert_nobody, assert_nothing_forged, assert_only_user};
use crate::harness::gateway::Received;

use writers::{REDIRECTED, WEIGHTED, Writer};

const ALICE: &str = "alice@example.com";

/// Every character that a header's name may have (RFC 9110 section 5.6.2), but for letters in upper case.
const ODD_NAME: &str = "a!#$%&'*+-.^_`|~9z";

/// A mutation of a header that there shall be one of.
fn overwrite(name: &str, value: &str) -> Value {
    json!({
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    })
}

/// These headers are written once more by the route configuration, beside what it is shipped with.
fn last_word(envoy: &mut Bootstrap, names: &[&str]) {
    let state = |name: &str| {
        // In a header's value `%` begins a command, but not inside of one.
        overwrite(
            name,
            &format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%"),
        )
    };
    let routes = envoy.route_config();
    let removed = routes["request_headers_to_remove"].as_array_mut().unwrap();
    removed.extend(names.iter().map(|name| json!(name)));
    let added = routes["request_headers_to_add"].as_array_mut().unwrap();
    added.extend(names.iter().map(|name| state(name)));
}

/// Each version on which somebody may run.
const VERSIONS: [&str; 5] = ["1.36.2", "1.37.0", "1.38.2", "1.39.3", "1.40.0"];

/// All writers at once, behind the filter or in place of it.
fn fixture(version: &'static str) -> Fixture {
    let fixture = Fixture::new()
        .on(version)
        .edit(Bootstrap::certificate_optional);
    fixture.edit(|envoy| {
        Writer::ALL
            .into_iter()
            .for_each(|writer| writer.write(envoy))
    })
}

/// What the gateway heard of each way in which a request can come.
async fn heard(client: Client) -> Vec<Received> {
    let mut heard = Vec::new();
    for client in [client.clone(), client.http2()] {
        for path in ["/", WEIGHTED, REDIRECTED] {
            heard.push(client.get(path).await.unwrap().gateway());
        }
        let mut socket = client.websocket("/ws", &[]).await.unwrap();
        heard.push(socket.opening().await);
    }
    heard
}

#[tokio::test]
async fn nobody_behind_the_filter_makes_a_client_somebody_else_on_any_version() {
    for version in VERSIONS {
        let fixture = fixture(version).plugin(json!({"identity": {"missing": "strip"}}));
        let site = fixture.start().await;
        for received in heard(site.client(ALICE)).await {
            assert_only_user(&received, ALICE);
        }
        for received in heard(site.client_without_certificate()).await {
            assert_nobody(&received);
        }
    }
}

#[tokio::test]
async fn with_the_filter_taken_out_the_guard_lets_nobody_through_on_any_version() {
    for version in VERSIONS {
        let site = fixture(version).without_filter().start().await;
        for client in [site.client(ALICE), site.client_without_certificate()] {
            for client in [client.clone(), client.http2()] {
                for path in ["/", WEIGHTED, REDIRECTED] {
                    let answer = client.get(path).await.unwrap();
                    assert_eq!(answer.status, 403, "{version} {path}");
                }
                let refused = client.websocket("/ws", &[]).await.err();
                assert_eq!(refused.map(|answer| answer.status), Some(403), "{version}");
            }
        }
        assert_eq!(site.gateway.received(), []);
    }
}

#[tokio::test]
async fn with_filter_and_guard_taken_out_nothing_that_is_forged_arrives_on_any_version() {
    for version in VERSIONS {
        let fixture = fixture(version).without_filter();
        let site = fixture.edit(Bootstrap::remove_guard).start().await;
        for client in [site.client(ALICE), site.client_without_certificate()] {
            for received in heard(client).await {
                assert_nothing_forged(&received);
                assert_eq!(received.owned(), [], "{version}");
            }
        }
    }
}

/// Each writer is one that succeeds where nothing stands against it, so the tests above can fail.
#[tokio::test]
async fn without_the_last_word_each_writer_makes_everybody_admin() {
    for writer in Writer::ALL {
        let site = Fixture::new()
            .edit(move |envoy| writer.write(envoy))
            .edit(Bootstrap::remove_last_word)
            .start()
            .await;
        let received = site
            .client(ALICE)
            .get(writer.path())
            .await
            .unwrap()
            .gateway();
        assert!(
            received.user().contains(&FORGED),
            "{writer:?}: {received:?}"
        );
    }
}

#[tokio::test]
async fn the_state_of_one_request_is_none_of_the_next_on_its_connection() {
    let site = Fixture::new()
        .plugin(json!({"headers": {"set": {"x-issuer": "issuer", "x-mail": "san_email"}}}))
        .edit(|envoy| last_word(envoy, &["x-issuer", "x-mail"]))
        .start()
        .await;
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        let mut connection = client.connect().await.unwrap();
        for _ in 0..3 {
            let received = connection.get("/").await.unwrap().gateway();
            assert_eq!(received.user(), [ALICE]);
            assert_eq!(received.values("x-issuer").len(), 1);
            // The certificate has none: no state, no header.
            assert_eq!(received.values("x-mail"), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_header_of_any_name_has_the_last_word() {
    let site = Fixture::new()
        .plugin(json!({"headers": {"set": {ODD_NAME: "user"}}}))
        .edit(|envoy| last_word(envoy, &[ODD_NAME]))
        .edit(|envoy| {
            let hosts = &mut envoy.hcm()["route_config"]["virtual_hosts"];
            hosts[0]["request_headers_to_add"] = json!([overwrite(ODD_NAME, FORGED)]);
        })
        .start()
        .await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    assert_eq!(answer.gateway().values(ODD_NAME), [ALICE]);
}

/// Another filter of the same chain can write there, so whoever adds filters is trusted.
#[tokio::test]
async fn a_filter_that_writes_the_state_has_the_last_word() {
    let writer = json!({
        "name": "writer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": "wasm.mtls_identity.x-ssl-client-s-dn-cn",
                "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_string": FORGED}},
            }],
        },
    });
    let fixture = Fixture::new().edit(move |envoy| {
        let filters = envoy.http_filters();
        filters.insert(filters.len() - 1, writer);
    });
    let site = fixture.start().await;
    let heard = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_eq!(heard.user(), [FORGED]);
}
