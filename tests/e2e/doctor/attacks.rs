//! Holes that an attacker uses while the filter is there.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::doctor::{Diagnosis, assert_errors};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, forwarded_element};
use crate::harness::client::in_time;
use crate::harness::forged::{FORGED, assert_nobody, assert_only_user};
use crate::harness::gateway::{Received, USER};
use crate::harness::raw::get_bytes;
use crate::harness::token::{Issuer, METADATA, bound_to};
use crate::harness::{Fixture, PATIENCE, Site, eventually};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

fn trusting_the_listener() -> Fixture {
    Fixture::new().plugin(json!({"certificate": {"validation": "listener"}}))
}

/// Somebody whose certificate says that it is the administrator's, signed by nobody whom the listener trusts.
async fn stranger_is_admin(site: &Site) {
    let stranger = site.client_with(&Authority::new().client(ADMIN));
    let received = stranger.get("/").await.unwrap().gateway();
    assert_only_user(&received, ADMIN);
}

#[tokio::test]
async fn where_tls_accepts_anything_a_stranger_is_the_administrator() {
    let site = trusting_the_listener()
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    stranger_is_admin(&site).await;
    assert_errors(&site, &["accept_untrusted"]).await;
}

/// Envoy then asks nobody for a certificate, although the file says that one is required.
#[tokio::test]
async fn without_a_trusted_ca_somebody_without_a_certificate_gets_in() {
    let no_ca = |envoy: &mut Bootstrap| {
        let tls = envoy.downstream_tls();
        assert_eq!(tls["require_client_certificate"], true);
        let common = tls["common_tls_context"].as_object_mut().unwrap();
        common.remove("validation_context").unwrap();
    };
    let dual = Fixture::new().plugin(json!({"identity": {"missing": "strip"}}));
    let site = dual.edit(no_ca).start().await;
    let nobody = site.client_without_certificate();
    assert_nobody(&nobody.get("/").await.unwrap().gateway());
    assert_errors(&site, &["no_trusted_ca"]).await;
    let strict = Fixture::new().edit(no_ca).start().await;
    let answer = strict.client(ALICE).get("/").await.unwrap();
    answer.assert_denied(403, "no_certificate");
    let diagnosis = Diagnosis::of(&strict.envoy).await;
    diagnosis.assert_clean("everybody is refused");
    assert_eq!(diagnosis.warnings(), ["no_trusted_ca"]);
}

/// One request without TLS, and whatever comes back.
async fn ask_plainly(address: SocketAddr, request: &[u8]) -> String {
    let asked = in_time(async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    });
    String::from_utf8_lossy(&asked.await.unwrap()).into_owned()
}

fn second_listener(envoy: &mut Bootstrap, network_filter: impl FnOnce(&Value) -> Value) {
    let manager = envoy.hcm().clone();
    let listener = json!({
        "name": "second",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [network_filter(&manager)]}],
    });
    let resources = &mut envoy.value()["static_resources"];
    resources["listeners"]
        .as_array_mut()
        .unwrap()
        .push(listener);
}

#[tokio::test]
async fn a_second_listener_to_the_same_cluster_makes_anybody_the_administrator() {
    let by_http = |manager: &Value| {
        json!({
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": manager["@type"],
                "stat_prefix": "second",
                "http_filters": [manager["http_filters"].as_array().unwrap().last().unwrap()],
                "route_config": {"virtual_hosts": [{
                    "name": "all", "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "gateway"}}],
                }]},
            },
        })
    };
    let by_tcp = |_: &Value| {
        json!({
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "second",
                "cluster": "gateway",
            },
        })
    };
    let ways: [fn(&Value) -> Value; 2] = [by_http, by_tcp];
    for way in ways {
        let fixture = Fixture::new().edit(move |envoy| second_listener(envoy, way));
        let site = fixture.start().await;
        let address = site.envoy.address_of("second").await;
        let lines = [format!("{USER}: {ADMIN}"), "Connection: close".to_owned()];
        ask_plainly(address, &get_bytes("/", lines)).await;
        assert_eq!(site.gateway.received()[0].user(), [ADMIN]);
        assert_errors(&site, &["around_the_filter"]).await;
    }
}

/// The same address under another name is no other gateway.
#[tokio::test]
async fn a_second_cluster_for_the_same_address_is_found_out() {
    let fixture = Fixture::new().edit(|envoy| {
        let mut cluster = envoy.cluster().clone();
        cluster["name"] = json!("other");
        let resources = &mut envoy.value()["static_resources"];
        resources["clusters"].as_array_mut().unwrap().push(cluster);
        second_listener(envoy, |_| json!({
            "name": "tcp",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "second",
                "weighted_clusters": {"clusters": [{"name": "other", "weight": 1}]},
            },
        }));
    });
    assert_errors(&fixture.start().await, &["around_the_filter"]).await;
}

/// Writes a header behind the filter.
fn write(place: &mut Value, name: &str, value: &str) {
    place["request_headers_to_add"] = json!([{
        "header": {"key": name, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }]);
}

#[tokio::test]
async fn without_the_last_word_a_route_makes_every_user_the_administrator() {
    let fixture = Fixture::new()
        .edit(Bootstrap::remove_last_word)
        .edit(|envoy| {
            write(&mut envoy.route_config()["virtual_hosts"][0], USER, FORGED);
        });
    let site = fixture.start().await;
    let received = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_eq!(received.user(), [FORGED]);
    assert_errors(&site, &["last_word", "owned_header_written"]).await;
}

/// The last word knows names, and not what a gateway takes for the same name.
#[tokio::test]
async fn a_route_that_writes_another_spelling_reaches_the_gateway_past_the_last_word() {
    let odd = "x.ssl.client.s.dn.cn";
    let fixture = Fixture::new().edit(move |envoy| {
        write(&mut envoy.route_config()["virtual_hosts"][0], odd, FORGED);
    });
    let site = fixture.start().await;
    let received = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_eq!(received.values(odd), [FORGED]);
    assert_errors(&site, &["owned_header_written"]).await;
}

#[tokio::test]
async fn with_the_last_word_a_route_that_writes_the_user_is_a_warning() {
    let fixture = Fixture::new().edit(|envoy| {
        write(&mut envoy.route_config()["virtual_hosts"][0], USER, FORGED);
    });
    let site = fixture.start().await;
    let received = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_only_user(&received, ALICE);
    let diagnosis = Diagnosis::of(&site.envoy).await;
    diagnosis.assert_clean("with the last word");
    assert_eq!(diagnosis.warnings(), ["owned_header_written"]);
}

/// Envoy copies a request behind the last word, and writes into the copy what its route says.
#[tokio::test]
async fn a_route_that_mirrors_writes_any_user_into_the_copy() {
    let fixture = Fixture::new().edit(|envoy| {
        let user = json!({"header": {"key": USER, "value": FORGED},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"});
        let routes = &mut envoy.route_config()["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().last_mut().unwrap()["route"]["request_mirror_policies"] =
            json!([{"cluster": "gateway", "request_headers_mutations": [{"append": user}]}]);
    });
    let site = fixture.start().await;
    let received = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_only_user(&received, ALICE);
    eventually("the copy is there", PATIENCE, async || {
        let received = site.gateway.received();
        let mut users = received.iter().map(Received::user);
        users.any(|user| user == [FORGED]).then_some(())
    })
    .await;
    assert_errors(&site, &["owned_header_written"]).await;
}

/// The last word writes no header into a tunnel.
#[tokio::test]
async fn a_route_that_makes_a_tunnel_of_a_post_lets_its_client_write_any_user() {
    let fixture = Fixture::new().edit(|envoy| {
        let routes = &mut envoy.route_config()["virtual_hosts"][0]["routes"];
        routes.as_array_mut().unwrap().last_mut().unwrap()["route"]["upgrade_configs"] =
            json!([{"upgrade_type": "CONNECT", "connect_config": {"allow_post": true}}]);
    });
    let site = fixture.start().await;
    let inside = get_bytes("/", [format!("{USER}: {FORGED}")]);
    let mut connection = site.client(ALICE).connect_raw().await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = [
        format!("{head}{:x}\r\n", inside.len()).as_bytes(),
        &inside,
        b"\r\n",
    ]
    .concat();
    connection.write(&chunk).await.unwrap();
    eventually(
        "the gateway has heard what is in the tunnel",
        PATIENCE,
        async || {
            let received = site.gateway.received();
            (received.first()?.user() == [FORGED]).then_some(())
        },
    )
    .await;
    assert_errors(&site, &["around_the_filter"]).await;
}

/// What stands behind this Envoy may believe it: a sidecar, another Envoy.
#[tokio::test]
async fn a_listener_that_forwards_hands_on_a_forged_x_forwarded_client_cert() {
    let fixture = Fixture::new().edit(|envoy| {
        envoy.hcm()["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
        let early = &mut envoy.hcm()["early_header_mutation_extensions"][0]["typed_config"];
        let mutations = early["mutations"].as_array_mut().unwrap();
        mutations.retain(|mutation| !mutation.to_string().contains("x-forwarded-"));
        let removed = &mut envoy.route_config()["request_headers_to_remove"];
        let removed = removed.as_array_mut().unwrap();
        removed.retain(|name| !name.as_str().unwrap().contains("forwarded"));
    });
    let site = fixture.start().await;
    let forged = forwarded_element(site.authority.client(ADMIN).certificate());
    let line = format!("X-Forwarded-Client-Cert: {forged}");
    let answer = site
        .client(ALICE)
        .raw(&get_bytes("/", [line]))
        .await
        .unwrap();
    let received = answer.gateway();
    assert_eq!(received.values("x-forwarded-client-cert"), [forged]);
    assert_errors(&site, &["forwarded_client_cert"]).await;
}

#[tokio::test]
async fn an_admin_interface_on_all_addresses_lets_others_end_envoy() {
    let other = |site: &Site| SocketAddr::from(([127, 0, 0, 2], site.envoy.admin_address().port()));
    let shipped = Fixture::new().start().await;
    assert!(TcpStream::connect(other(&shipped)).await.is_err());
    let fixture = Fixture::new().edit(|envoy| {
        envoy.value()["admin"]["address"]["socket_address"]["address"] = json!("0.0.0.0");
    });
    let site = fixture.start().await;
    assert_errors(&site, &["admin_exposed"]).await;
    let request = b"POST /quitquitquit HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n";
    let answer = ask_plainly(other(&site), request).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// CVE-2026-73548: what stands behind an upgrade that the gateway does not take is the next request to it.
#[tokio::test]
async fn on_an_old_envoy_an_upgrade_smuggles_a_request_of_the_administrator() {
    let with_upgrade = |version| {
        Fixture::new().on(version).edit(|envoy| {
            let upgrades = &mut envoy.hcm()["upgrade_configs"];
            let upgrades = upgrades.as_array_mut().unwrap();
            upgrades.push(json!({"upgrade_type": "other"}));
        })
    };
    let smuggled = get_bytes("/smuggled", [format!("{USER}: {ADMIN}")]);
    let mut request = get_bytes("/", ["Connection: upgrade", "Upgrade: other"]);
    request.extend(smuggled);
    let old = with_upgrade("1.37.0").start().await;
    old.client(ALICE).raw(&request).await.unwrap();
    let heard = crate::harness::eventually("it is heard", crate::harness::PATIENCE, async || {
        let received = old.gateway.received();
        (received.len() > 1).then_some(received)
    });
    assert_eq!(heard.await[1].user(), [ADMIN]);
    assert_errors(&old, &["upgrade_smuggling"]).await;
    let new = with_upgrade("1.40.0").start().await;
    Diagnosis::of(&new.envoy)
        .await
        .assert_clean("on a new Envoy");
}

/// No client and no route can write filter state; a filter can.
#[tokio::test]
async fn a_filter_that_writes_the_filters_state_makes_every_user_the_administrator() {
    let state = format!("wasm.mtls_identity.{USER}");
    let writer = json!({
        "name": "writer",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.set_filter_state.v3.Config",
            "on_request_headers": [{
                "object_key": state,
                "factory_key": "envoy.string",
                "format_string": {"text_format_source": {"inline_string": ADMIN}},
            }],
        },
    });
    let fixture = Fixture::new().edit(move |envoy| envoy.http_filters().insert(1, writer));
    let site = fixture.start().await;
    let received = site.client(ALICE).get("/").await.unwrap().gateway();
    assert_eq!(received.user(), [ADMIN]);
    assert_errors(&site, &["owned_header_written"]).await;
}

/// A token that is bound to another certificate was stolen.
#[tokio::test]
async fn a_stolen_token_passes_where_jwt_authn_stands_behind_the_filter() {
    for (place, status) in [(0, 403), (1, 200)] {
        let issuer = Issuer::new();
        let filter = issuer.filter();
        let bound = json!({"certificate": {"bound": "if_present", "bound_metadata": METADATA}});
        let fixture = Fixture::new().plugin(bound);
        let fixture = fixture.edit(move |envoy| envoy.http_filters().insert(place, filter));
        let site = fixture.start().await;
        let stolen = issuer.bearer(&bound_to(&site.authority.client(ADMIN)));
        let token = [("authorization", stolen.as_str())];
        let answer = site.client(ALICE).get_with("/", &token).await.unwrap();
        assert_eq!(answer.status, status);
        match place {
            0 => Diagnosis::of(&site.envoy).await.assert_clean("in front"),
            _ => assert_errors(&site, &["jwt_behind"]).await,
        }
    }
}
