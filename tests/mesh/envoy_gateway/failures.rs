//! What fails, under a loop of forged requests.

use std::fs;

use serde_json::{Value, json};

use super::edge::{BACKEND, Edge, INGRESS, REVOKED, config_map, refused_by_the_guard, use_image};
use crate::caller::{ALICE, assert_is};
use crate::cluster::SLOW;
use crate::harness::artifacts::repository;
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name};
use crate::manifests::documents;
use crate::tools;

/// The filter with another configuration.
pub(super) fn configured(edge: &Edge, change: impl FnOnce(&mut Value)) -> Value {
    let mut filter = edge.filter().clone();
    change(&mut filter["spec"]["wasm"][0]["config"]);
    filter
}

/// Filter, then the policy of the listener as well, and then the policy alone.
pub(super) async fn a_deleted_object_refuses_everybody(edge: &Edge) {
    let forger = edge.alice().forging();
    edge.take_out(edge.filter());
    edge.alice().gets(403).await;
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;
    assert_eq!(edge.nobody().get().status, 0);

    edge.take_out(edge.traffic_policy());
    // Nobody is asked for a certificate any more.
    edge.nobody().gets(403).await;
    edge.nobody()
        .forges_until("is refused", |answer| answer.status != 200)
        .await;
    assert!(refused_by_the_guard(&edge.nobody().get()));
    assert!(refused_by_the_guard(&edge.alice().get()));

    edge.put(edge.filter());
    for client in [edge.nobody(), edge.alice()] {
        let what = "the filter asks for a certificate";
        eventually(what, SLOW, async || {
            client.get().is_denied("no_certificate").then_some(())
        })
        .await;
    }
    edge.put(edge.traffic_policy());
    edge.nobody().gets(0).await;
    edge.alice().is(ALICE).await;
    forger.was_always(ALICE);
}

pub(super) async fn a_wrong_digest_refuses_everybody(edge: &Edge) {
    let forger = edge.alice().forging();
    for fail_open in [false, true] {
        let mut wrong = edge.filter().clone();
        let wasm = &mut wrong["spec"]["wasm"][0];
        wasm["code"]["image"]["sha256"] = json!("1".repeat(64));
        wasm["failOpen"] = json!(fail_open);
        edge.put(&wrong);
        edge.says(&wrong, "Accepted", "False: Invalid").await;
        edge.alice().gets(403).await;
        edge.alice()
            .forges_until("is refused", refused_by_the_guard)
            .await;
    }
    edge.put(edge.filter());
    edge.alice().is(ALICE).await;
    forger.was_always(ALICE);
}

/// While Envoy runs, and when it starts.
pub(super) async fn a_refused_configuration_leaves_the_old_one_or_nothing(edge: &Edge) {
    let forger = edge.alice().forging();
    let bad = configured(edge, |config| config["misspelt"] = json!(true));
    edge.put(&bad);
    let refused = |log: String| log.contains("configuration refused").then_some(());
    let what = "the filter has refused its configuration";
    eventually(what, SLOW, async || {
        refused(edge.world.proxy_log(&edge.proxy))
    })
    .await;
    eventually("Envoy Gateway knows", SLOW, async || {
        let log = edge.world.gateway_log();
        log.contains("Unable to create Wasm plugin mtls_identity")
            .then_some(())
    })
    .await;
    edge.is_counted("MtlsIdentityUpdateRefused").await;
    // The status does not.
    edge.says(&bad, "Accepted", "True: Accepted").await;
    assert_is(&edge.alice().get(), ALICE);

    edge.world.restart(&edge.proxy).await;
    edge.alice().gets(503).await;
    assert_eq!(edge.alice().get_forged().status, 503);
    edge.is_counted("MtlsIdentityServerErrors").await;
    edge.put(edge.filter());
    edge.alice().is(ALICE).await;
    forger.was_always(ALICE);
}

/// Envoys fetch the module from Envoy Gateway, so that a registry that is away is nothing to them.
pub(super) async fn without_the_registry_envoy_starts_and_takes_changes(edge: &Edge) {
    let forger = edge.alice().forging();
    edge.world.registry.stop();
    edge.world.restart(&edge.proxy).await;
    edge.alice().is(ALICE).await;
    edge.put(&configured(edge, |config| {
        config["headers"]["set"]["x-issuer"] = json!("issuer")
    }));
    eventually("the new configuration serves", SLOW, async || {
        let answer = edge.alice().get();
        let served = answer.status == 200 && !answer.gateway().values("x-issuer").is_empty();
        served.then_some(())
    })
    .await;
    edge.world.registry.start(&edge.world.network).await;
    edge.put(edge.filter());
    edge.alice().is(ALICE).await;
    forger.was_always(ALICE);
}

/// Envoy Gateway has the module in memory only. Its own absence alone is nothing.
pub(super) async fn without_registry_and_envoy_gateway_a_change_heals(edge: &Edge) {
    let forger = edge.alice().forging();
    edge.world.stop_gateway();
    assert_is(&edge.alice().get(), ALICE);
    edge.world.start_gateway().await;
    edge.alice().is(ALICE).await;

    edge.world.registry.stop();
    edge.world.stop_gateway();
    assert_is(&edge.alice().get(), ALICE);
    edge.world.start_gateway().await;
    edge.alice().gets(403).await;
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;
    edge.says(edge.filter(), "Accepted", "False: Invalid").await;
    edge.is_counted("MtlsIdentityGuardRefuses").await;
    edge.world.registry.start(&edge.world.network).await;
    // The page's command.
    edge.world.cluster.kubectl(&[
        "-n",
        BACKEND,
        "label",
        "httproute",
        "mcp-gateway",
        "fetched=1",
        "--overwrite",
    ]);
    edge.alice().is(ALICE).await;
    forger.was_always(ALICE);
}

/// Who may sign clients, and the list of who may not come in.
pub(super) async fn a_missing_ca_or_crl_refuses_everybody(edge: &Edge) {
    let forger = edge.alice().forging();
    let text = |name: &str, key: &str| {
        let map = edge
            .world
            .cluster
            .get(&format!("configmap {name} -n {INGRESS}"));
        map["data"][key].as_str().unwrap().to_owned()
    };
    for (name, key, status) in [("users-ca", "ca.crt", 403), ("users-crl", "ca.crl", 500)] {
        let map = config_map(name, key, &text(name, key));
        edge.take_out(&map);
        edge.alice().gets(status).await;
        assert_ne!(edge.nobody().get_forged().status, 200);
        edge.put(&map);
        edge.nobody().gets(0).await;
        edge.alice().is(ALICE).await;
    }
    forger.was_always(ALICE);
}

/// A new CRL counts for new connections.
pub(super) async fn who_is_in_a_new_crl_gets_no_connection(edge: &Edge) {
    let serial: &[u8] = &[0x4e, 0x65, 0x77];
    let leaf = Leaf::of([common_name("dave@example.com")]);
    let dave = edge.users.issue(&leaf.serial(serial));
    assert_is(&edge.user(&dave).get(), "dave@example.com");
    let list = edge.users.revocation_list(&[REVOKED, serial]);
    edge.put(&config_map("users-crl", "ca.crl", &list));
    edge.user(&dave).gets(0).await;
    assert_is(&edge.alice().get(), ALICE);
}

/// No request is lost, and nobody is anybody else.
pub(super) async fn a_new_image_changes_nobody(edge: &Edge) {
    let image = edge.world.push(tools::later_image(), "0.2.1");
    let before = edge.proxy.module();
    let forger = edge.alice().forging();
    let mut later = vec![edge.filter().clone()];
    use_image(&mut later, &image);
    edge.put(&later[0]);
    eventually("Envoy has the new module", SLOW, async || {
        (edge.proxy.module() != before).then_some(())
    })
    .await;
    assert_is(&edge.alice().get(), ALICE);
    edge.put(edge.filter());
    forger.was_always(ALICE);
}

impl Edge {
    /// Waits until Envoy has counted what this alarm of the page asks for.
    async fn is_counted(&self, alarm: &str) {
        let (_, metric, label) = ALARMS.iter().find(|known| known.0 == alarm).unwrap();
        eventually(&format!("{alarm} sees it"), SLOW, async || {
            let stats = self.proxy.stats();
            let mut lines = stats
                .lines()
                .filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(label));
            lines.any(|line| !line.ends_with(" 0")).then_some(())
        })
        .await;
    }
}

/// The alarms of `alerts.yaml`, each with its metric and a label.
const ALARMS: [(&str, &str, &str); 3] = [
    ("MtlsIdentityGuardRefuses", "envoy_http_rbac_denied", ""),
    (
        "MtlsIdentityUpdateRefused",
        "envoy_listener_manager_lds_update_rejected",
        "",
    ),
    (
        "MtlsIdentityServerErrors",
        "envoy_http_downstream_rq_xx",
        "envoy_response_code_class=\"5\"",
    ),
];

#[test]
fn the_alarms_are_those_that_are_tried() {
    let path = repository().join("envoy/envoy-gateway/alerts.yaml");
    let alerts = &documents(&fs::read_to_string(path).unwrap())[0];
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), ALARMS.len());
    for (rule, (alarm, metric, label)) in rules.iter().zip(ALARMS) {
        assert_eq!(rule["alert"], alarm);
        let expression = rule["expr"].as_str().unwrap();
        assert!(
            expression.contains(metric) && expression.contains(label),
            "{expression}"
        );
    }
}
