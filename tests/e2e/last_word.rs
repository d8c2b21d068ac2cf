//! The last word: the route configuration writes the filter's headers once more, from filter state that no route can
//! write. So no route makes anybody somebody else.

use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::{FORGED, assert_nobody, assert_only_user};
use crate::harness::gateway::{USER, VERIFY};
use crate::harness::{Fixture, Site};

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

/// These headers are written once more by the route configuration.
fn last_word(envoy: &mut Bootstrap, names: &[&str]) {
    let state = |name: &str| {
        // In a header's value `%` begins a command, but not inside of one.
        overwrite(
            name,
            &format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%"),
        )
    };
    let routes = &mut envoy.hcm()["route_config"];
    routes["request_headers_to_remove"] = json!(names);
    routes["request_headers_to_add"] = names.iter().map(|name| state(name)).collect();
}

/// Every route writes what the filter owns.
fn forging_routes(envoy: &mut Bootstrap) {
    let hosts = &mut envoy.hcm()["route_config"]["virtual_hosts"];
    for route in hosts[0]["routes"].as_array_mut().unwrap() {
        let added = route["request_headers_to_add"].as_array().cloned();
        let mut added = added.unwrap_or_default();
        added.extend([overwrite(USER, FORGED), overwrite(VERIFY, FORGED)]);
        route["request_headers_to_add"] = Value::Array(added);
    }
}

async fn site(shape: fn(&mut Bootstrap)) -> Site {
    let fixture = Fixture::new().plugin(json!({"identity": {"missing": "strip"}}));
    let fixture = fixture.edit(Bootstrap::certificate_optional);
    fixture.edit(forging_routes).edit(shape).start().await
}

#[tokio::test]
async fn a_route_cannot_make_a_client_somebody_else() {
    let site = site(|envoy| last_word(envoy, &[USER, VERIFY])).await;
    let client = site.client(ALICE);
    for client in [client.clone(), client.http2()] {
        assert_only_user(&client.get("/").await.unwrap().gateway(), ALICE);
        let mut socket = client.websocket("/ws", &[]).await.unwrap();
        assert_only_user(&socket.opening().await, ALICE);
    }
}

#[tokio::test]
async fn a_route_cannot_make_a_client_without_a_certificate_anybody() {
    let site = site(|envoy| last_word(envoy, &[USER, VERIFY])).await;
    let client = site.client_without_certificate();
    for client in [client.clone(), client.http2()] {
        assert_nobody(&client.get("/").await.unwrap().gateway());
    }
}

#[tokio::test]
async fn without_the_last_word_a_route_makes_everybody_admin() {
    let site = site(|_| ()).await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    assert_eq!(answer.gateway().user(), [FORGED]);
}

#[tokio::test]
async fn the_state_of_one_request_is_none_of_the_next_on_its_connection() {
    let site = Fixture::new()
        .plugin(json!({"headers": {"set": {"x-issuer": "issuer", "x-mail": "san_email"}}}))
        .edit(|envoy| last_word(envoy, &[USER, "x-issuer", "x-mail"]))
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
