//! What fails, under a loop of forged requests.

use serde_json::{Value, json};

use crate::caller::{AGENT, ALICE, Caller, assert_is};
use crate::cluster::SLOW;
use crate::harness::eventually;
use crate::overlay::{Mesh, configuration, digest};
use crate::pod::{Plan, Pod};

/// Who asks the proxy with the filter of this namespace, and who that is.
fn caller(mesh: &Mesh, namespace: &str) -> (Caller, &'static str) {
    match namespace {
        "mcp-ingress" => (mesh.alice(), ALICE),
        _ => (mesh.agent(), AGENT),
    }
}

/// Istio's agent puts a deny-all in the filter's place.
pub(crate) async fn a_wrong_digest_refuses_everybody(mesh: &Mesh) {
    for namespace in mesh.plugin_namespaces() {
        let (caller, user) = caller(mesh, namespace);
        let forger = caller.forging();
        let plugin = mesh.plugin(namespace);
        let mut wrong = plugin.clone();
        *digest(&mut wrong) = json!("1".repeat(64));
        mesh.put_back(&wrong);
        caller.gets(403).await;
        mesh.put_back(plugin);
        caller.is(user).await;
        forger.was_always(user);
    }
}

pub(crate) async fn a_refused_configuration_leaves_the_old_one(mesh: &Mesh) {
    for namespace in mesh.plugin_namespaces() {
        let (caller, user) = caller(mesh, namespace);
        let forger = caller.forging();
        let plugin = mesh.plugin(namespace);
        let mut bad = plugin.clone();
        configuration(&mut bad)["misspelt"] = json!(true);
        mesh.put_back(&bad);
        eventually(
            "the filter has refused its configuration",
            SLOW,
            async || {
                let log = mesh
                    .world
                    .network
                    .log("agent", &filtered(mesh, namespace).network);
                log.contains("configuration refused").then_some(())
            },
        )
        .await;
        assert_is(&caller.get(), user);
        mesh.put_back(plugin);
        forger.was_always(user);
    }
}

fn filtered<'a>(mesh: &'a Mesh, namespace: &str) -> &'a Pod {
    let pods = mesh.filtered().into_iter();
    let mut of_namespace = pods.filter(|pod| pod.namespace == namespace);
    of_namespace.next().unwrap()
}

/// The agent does not fetch a module again after a failure. The Pod is ready, and refuses.
pub(crate) async fn a_registry_that_was_away_is_healed_by_a_touch_of_the_plugin(mesh: &Mesh) {
    mesh.world.stop_registry();
    let plan = Plan {
        name: Some("mcp-ingress-2".to_owned()),
        ..Plan::default()
    };
    let second = mesh.world.pod("mcp-ingress", "mcp-ingress", &plan).await;
    mesh.world.ready(&second).await;
    let alice = mesh.user_of(&second, &mesh.alice);
    alice.gets(403).await;
    let forger = alice.forging();
    mesh.world.start_registry().await;
    mesh.put_back(&touched(mesh.plugin("mcp-ingress")));
    alice.is(ALICE).await;
    forger.was_always(ALICE);
}

/// Changed so that istiod sends it once more. Of a TrafficExtension it sends nothing when an annotation changes, so there
/// a default is written out.
fn touched(plugin: &Value) -> Value {
    let mut plugin = plugin.clone();
    match plugin["kind"].as_str() {
        Some("TrafficExtension") => configuration(&mut plugin)["audit"] = json!({"log": "denials"}),
        _ => plugin["metadata"]["annotations"] = json!({"fetched": "again"}),
    }
    plugin
}
