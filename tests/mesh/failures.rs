//! What fails, under a loop of forged requests.

use serde_json::{Value, json};

use crate::caller::{AGENT, ALICE, Caller, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::eventually;
use crate::manifests::Manifests;
use crate::overlay::Mesh;
use crate::plugin::{configuration, wasm};
use crate::pod::{Plan, Pod};

/// Who asks the proxy with the filter of this namespace, and who that is.
pub(crate) fn caller(mesh: &Mesh, namespace: &str) -> (Caller, &'static str) {
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
        wasm(&mut wrong)["sha256"] = json!("1".repeat(64));
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

pub(crate) fn filtered<'a>(mesh: &'a Mesh, namespace: &str) -> &'a Pod {
    let pods = mesh.filtered().into_iter();
    let mut of_namespace = pods.filter(|pod| pod.namespace == namespace);
    of_namespace.next().unwrap()
}

/// The agent does not fetch a module again after a failure. The Pod is ready, and refuses.
pub(crate) async fn a_registry_that_was_away_is_healed_by_a_touch_of_the_plugin(mesh: &Mesh) {
    mesh.world.stop_registry();
    let second = second_ingress(mesh, "mcp-ingress-2").await;
    mesh.world.ready(&second).await;
    let alice = mesh.user_of(&second, &mesh.alice);
    alice.gets(403).await;
    let forger = alice.forging();
    mesh.world.start_registry().await;
    mesh.put_back(&touched(mesh.plugin("mcp-ingress")));
    alice.is(ALICE).await;
    forger.was_always(ALICE);
}

/// The kubelet has fetched the module, so that a Pod serves where no registry is. Where the file is missing Envoy has no
/// filter, and the Pod is ready all the same.
pub(crate) async fn a_module_in_an_image_volume_needs_no_registry(mesh: &Mesh) {
    if mesh.has_second_filter() {
        return; // the ingress is the same
    }
    let with = Manifests::with(mesh.overlay, &["image-volume"]);
    let volume = with
        .object("Deployment", "mcp-ingress", "mcp-ingress")
        .unwrap();
    let plugin = mesh.plugin("mcp-ingress");
    let mut from_file = plugin.clone();
    {
        let wasm = wasm(&mut from_file);
        let shipped = with.plugin(&with.workload("mcp-ingress")).unwrap();
        wasm["url"] = shipped.wasm()["url"].clone();
        wasm.as_object_mut().unwrap().remove("sha256");
    }
    let forger = mesh.alice().forging();
    mesh.world.stop_registry();
    mesh.put_back(volume);
    // Of an object that is applied kubectl takes away what is no longer in it.
    mesh.put_back(&from_file);
    let second = second_ingress(mesh, "mcp-ingress-volume").await;
    let alice = mesh.user_of(&second, &mesh.alice);
    alice.is(ALICE).await;
    assert_is(&alice.get_with(&FORGED), ALICE);
    assert!(second.module().starts_with("/var/lib/mtls-identity/"));

    mesh.put_back(mesh.object("Deployment", "mcp-ingress", "mcp-ingress"));
    let third = second_ingress(mesh, "mcp-ingress-without").await;
    mesh.world.ready(&third).await;
    let missing = mesh.user_of(&third, &mesh.alice);
    missing.gets(500).await;
    let without = missing.forging();

    mesh.world.start_registry().await;
    mesh.put_back(plugin);
    missing.is(ALICE).await;
    without.was_always(ALICE);
    forger.was_always(ALICE);
}

/// One more Pod of the ingress.
async fn second_ingress(mesh: &Mesh, name: &str) -> Pod {
    let plan = Plan {
        name: Some(name.to_owned()),
        ..Plan::default()
    };
    mesh.world.pod("mcp-ingress", "mcp-ingress", &plan).await
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
