//! Envoy 1.37 does not show the certificate to the filter: it comes in the X-Forwarded-Client-Cert that this
//! Envoy writes, and is believed only if it is the connection's.

use std::time::{Duration, SystemTime};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Credentials, forwarded_element};
use crate::harness::forged::{assert_only_user, filter_alone};
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, PATIENCE, eventually};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

/// What `envoy.yaml` says to change for 1.37, with this way of treating the client's own header.
fn older(forwarding: &'static str) -> Fixture {
    Fixture::new()
        .envoy_version("1.37.0")
        .plugin(json!({"certificate": {"validation": "listener"}}))
        .edit(move |envoy| {
            envoy.hcm()["forward_client_cert_details"] = json!(forwarding);
            envoy.hcm()["set_current_client_cert_details"] = json!({"cert": true});
        })
}

/// Without the listener's removal of every `X-Forwarded-…` that a client sends.
fn exposed(forwarding: &'static str) -> Fixture {
    older(forwarding).edit(filter_alone)
}

/// X-Forwarded-Client-Cert as Envoy would write it for this certificate, and in other forms.
fn forged_elements(victim: &Credentials) -> Vec<String> {
    let hash = victim.sha256();
    let pem = victim.pem();
    let cert = utf8_percent_encode(&pem, NON_ALPHANUMERIC);
    vec![
        forwarded_element(victim.certificate()),
        format!("Hash={hash};Cert=\"{cert}\";Subject=\"CN={ADMIN}\";URI="),
        format!("Cert=\"{cert}\",Cert=\"{cert}\""),
        format!("Hash={hash};Cert=\"{cert}\";Subject=\""),
        format!("Hash={hash};Chain=\"{cert}\""),
        format!("Subject=\"CN={ADMIN}\""),
        "Cert=\"".to_owned(),
        ",".to_owned(),
    ]
}

#[tokio::test]
async fn the_user_arrives_and_the_forwarded_certificate_does_not() {
    let site = older("SANITIZE_SET").start().await;
    let client = site.client(ALICE);
    for client in [client.clone(), client.http2()] {
        let mut connection = client.connect().await.unwrap();
        for _ in 0..3 {
            let received = connection.get("/").await.unwrap().gateway();
            assert_only_user(&received, ALICE);
            assert!(received.values("x-forwarded-client-cert").is_empty());
        }
        let mut socket = client.websocket("/ws", &[]).await.unwrap();
        assert_only_user(&socket.opening().await, ALICE);
    }
}

#[tokio::test]
async fn a_forged_forwarded_certificate_in_front_of_envoys_own_is_not_heard() {
    for forwarding in ["SANITIZE_SET", "APPEND_FORWARD"] {
        let site = exposed(forwarding).start().await;
        let victim = site.authority.client(ADMIN);
        let mut connection = site.client(ALICE).connect_raw().await.unwrap();
        for element in forged_elements(&victim) {
            let line = format!("X-Forwarded-Client-Cert: {element}");
            let request = get_bytes("/", [&line]);
            let answer = connection.exchange(&request).await.unwrap();
            if answer.status == 200 {
                assert_only_user(&answer.gateway(), ALICE);
            } else {
                // What cannot be read in one way only is refused.
                assert_eq!(answer.denial().0, 403, "{forwarding} {element}");
            }
        }
        let received = site.gateway.received();
        assert!(!received.is_empty());
        received
            .iter()
            .for_each(|received| assert_only_user(received, ALICE));
    }
}

#[tokio::test]
async fn a_forged_forwarded_certificate_alone_is_no_certificate() {
    for forwarding in ["SANITIZE_SET", "APPEND_FORWARD", "ALWAYS_FORWARD_ONLY"] {
        let site = exposed(forwarding)
            .edit(Bootstrap::certificate_optional)
            .start()
            .await;
        let client = site.client_without_certificate();
        for element in forged_elements(&site.authority.client(ADMIN)) {
            let line = format!("X-Forwarded-Client-Cert: {element}");
            let answer = client.raw(&get_bytes("/", [line])).await.unwrap();
            answer.assert_denied(403, "no_certificate");
        }
        assert_eq!(site.gateway.received(), []);
    }
}

#[tokio::test]
async fn a_listener_that_only_forwards_makes_nobody_somebody_else() {
    let site = exposed("ALWAYS_FORWARD_ONLY").start().await;
    let alice = site.client(ALICE);
    for element in forged_elements(&site.authority.client(ADMIN)) {
        let line = format!("X-Forwarded-Client-Cert: {element}");
        let answer = alice.raw(&get_bytes("/", [line])).await.unwrap();
        assert_eq!(answer.denial().0, 403, "{element}");
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn without_the_listeners_word_every_certificate_is_denied() {
    let site = older("SANITIZE_SET")
        .plugin(json!({"certificate": {"validation": "required"}}))
        .start()
        .await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    answer.assert_denied(403, "certificate_not_validated");
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn a_certificate_that_envoy_does_not_hand_over_is_unreadable() {
    let site = older("SANITIZE").start().await;
    let answer = site.client(ALICE).get("/").await.unwrap();
    answer.assert_denied(403, "certificate_unreadable");
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn an_upgrade_that_names_an_owned_header_in_connection_is_malformed() {
    let site = exposed("SANITIZE_SET").start().await;
    let request = upgrade_bytes("/ws", ["Connection: upgrade, X-SSL_Client-S-DN-CN"]);
    let answer = site.client(ALICE).raw(&request).await.unwrap();
    answer.assert_denied(400, "malformed_request");
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn a_certificate_that_expires_while_its_connection_is_open_is_denied_from_then_on() {
    let site = older("SANITIZE_SET").start().await;
    let not_after = SystemTime::now() + Duration::from_secs(3);
    let leaf = Leaf::of([common_name(ALICE)]).not_after(not_after);
    let client = site.client_with(&site.authority.issue(&leaf));
    let mut connection = client.connect().await.unwrap();
    assert_only_user(&connection.get("/").await.unwrap().gateway(), ALICE);
    let denied = eventually("the certificate expires", PATIENCE, async || {
        let answer = connection.get("/").await.unwrap();
        (answer.status != 200).then_some(answer)
    });
    denied.await.assert_denied(403, "certificate_expired");
}
