//! A revocation ends the open streams of its client, and nobody else's.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Credentials;
use crate::harness::client::{Client, get};
use crate::harness::forged::filter_alone;
use crate::harness::streams::{goes_on, open_events, until_ended};
use crate::harness::{Fixture, PATIENCE, eventually};
use crate::xds::Xds;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// 3 seconds of events: longer than open requests are looked at.
const LONG: usize = 60;

/// A second listener beside the first, whose plugin in the same VM has another name.
fn second_listener(envoy: &mut Bootstrap) {
    let mut second = envoy.listener().clone();
    second["name"] = json!("second");
    let manager = &mut second["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_filters"][0]["typed_config"]["config"]["root_id"] = json!("second_clients");
    let resources = &mut envoy.value()["static_resources"];
    resources["listeners"].as_array_mut().unwrap().push(second);
}

#[tokio::test]
async fn who_is_revoked_in_one_plugin_keeps_the_streams_of_another_in_its_vm() {
    let before = json!({"audit": {"log": "none"}});
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(before.to_string());
    let fixture = fixture.edit(second_listener).edit(xds.filter());
    let site = fixture.start().await;
    let alice = site.authority.client(ALICE);
    let first = site.client_with(&alice).http2();
    let second = site.envoy.address_of("second").await;
    let second = Client::new(second, site.authority.certificate());
    let mut connections = [
        first.connect().await.unwrap(),
        second.presenting(&alice).http2().connect().await.unwrap(),
    ];
    let [of_first, of_second] = &mut connections;
    let mut ended = open_events(of_first, &[]).await;
    let mut kept = open_events(of_second, &[]).await;
    xds.configure(&json!({"revoked": [{"sha256": alice.sha256()}]}).to_string());
    until_ended(&mut ended).await;
    for _ in 0..LONG {
        assert!(goes_on(&mut kept).await);
    }
    assert_eq!(of_second.get("/").await.unwrap().status, 200);
    let denied = of_first.get("/").await.unwrap();
    denied.assert_denied(403, "revoked");
}

/// The configuration of a filter behind a proxy that speaks for its clients.
fn behind(proxy: &Credentials, revoked: &Value) -> Value {
    json!({
        "certificate": {
            "forwarded_by": [format!("sha256:{}", proxy.sha256())],
            "forwarded_header": "rfc9440",
        },
        "revoked": revoked,
    })
}

#[tokio::test]
async fn the_end_of_one_clients_streams_is_none_of_anothers_on_the_same_connection() {
    let fixture = Fixture::new();
    let [proxy, alice, bob] = ["proxy", ALICE, BOB].map(|name| fixture.authority().client(name));
    let xds = Xds::empty();
    let fixture = fixture.plugin_exactly(behind(&proxy, &json!([])));
    let fixture = fixture.edit(filter_alone).edit(xds.filter());
    let site = fixture.start().await;
    let mut ingress = site.client_with(&proxy).http2().connect().await.unwrap();
    let [of_alice, of_bob] =
        [&alice, &bob].map(|it| format!(":{}:", BASE64.encode(it.certificate())));
    let (mut ended, mut kept) = (Vec::new(), Vec::new());
    // Who is revoked has all but a few of the streams.
    for number in 0..80 {
        let (user, streams) = match number % 10 {
            0 => (&of_bob, &mut kept),
            _ => (&of_alice, &mut ended),
        };
        streams.push(open_events(&mut ingress, &[("client-cert", user)]).await);
    }
    let revoked = json!([{"sha256": alice.sha256()}]);
    xds.configure(&behind(&proxy, &revoked).to_string());
    for stream in &mut ended {
        until_ended(stream).await;
    }
    for stream in &mut kept {
        for _ in 0..10 {
            assert!(goes_on(stream).await);
        }
    }
    let mut asks = async |user: &str| {
        let request = get("/", &[("client-cert", user)]);
        ingress.send(request).await.unwrap()
    };
    asks(&of_alice).await.assert_denied(403, "revoked");
    assert_eq!(asks(&of_bob).await.status, 200);
    eventually("their end is counted", PATIENCE, async || {
        site.envoy.log().contains(r#""count":72"#).then_some(())
    })
    .await;
}

/// While requests of the second configuration are open Envoy keeps it, and says nothing when it is in use again.
#[tokio::test]
async fn who_is_revoked_again_after_a_step_back_loses_what_was_opened_meanwhile() {
    let nobody = json!({"audit": {"log": "none"}}).to_string();
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(&nobody).edit(xds.filter());
    let site = fixture.start().await;
    let alice = site.authority.client(ALICE);
    let revoking = json!({"revoked": [{"sha256": alice.sha256()}]}).to_string();
    let mut of_alice = site.client_with(&alice).http2().connect().await.unwrap();
    let mut of_bob = site.client(BOB).http2().connect().await.unwrap();
    let mut kept = vec![open_events(&mut of_bob, &[]).await];
    let mut becomes = async |configuration: &str, status: u16, kept: &mut Vec<_>| {
        xds.configure(configuration);
        eventually("the next request is told so", PATIENCE, async || {
            // One that is open when she is revoked ends.
            let answer = of_alice.get("/").await.ok()?;
            (answer.status == status).then_some(())
        })
        .await;
        // Each configuration has an open request.
        kept.push(open_events(&mut of_bob, &[]).await);
    };
    becomes(&revoking, 403, &mut kept).await;
    becomes(&nobody, 200, &mut kept).await;
    for _ in 0..LONG {
        assert!(goes_on(&mut kept[0]).await);
    }
    let mut second = site.client_with(&alice).http2().connect().await.unwrap();
    let mut opened = open_events(&mut second, &[]).await;
    // Nobody ends it while she is not revoked.
    for _ in 0..LONG {
        assert!(goes_on(&mut opened).await);
    }
    becomes(&revoking, 403, &mut kept).await;
    until_ended(&mut opened).await;
    for stream in &mut kept {
        assert!(goes_on(stream).await);
    }
}
