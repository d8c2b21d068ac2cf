//! What changes while a mesh runs.

use serde_json::{Value, json};

use crate::caller::{ALICE, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name};
use crate::manifests::Manifests;
use crate::overlay::{Mesh, server_certificate};
use crate::people;
use crate::pod::Plan;
use crate::release::{ISTIO_1_30, ISTIO_1_31};
use crate::tools;

/// A secret of the ingress with this server certificate, and what more there is.
fn secret(mesh: &Mesh, server: &Credentials, more: &Value) -> Value {
    let mut data = json!({
        "tls.crt": server.pem(),
        "tls.key": server.key_pem(),
        "ca.crt": mesh.users.pem(),
    });
    let more = more.as_object().unwrap().clone();
    data.as_object_mut().unwrap().extend(more);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mcp-ingress-tls", "namespace": "mcp-ingress"},
        "stringData": data,
    })
}

/// A new certificate of the server is there for new connections, and users are who they were.
pub(crate) async fn a_new_server_certificate_changes_no_user(mesh: &Mesh) {
    let server = server_certificate(&Authority::named("Servers CA"));
    let pin = server.spki_pin().replace("spki-sha256:", "sha256//");
    let alice = mesh.alice().with(&["--pinnedpubkey", &pin]);
    assert_eq!(alice.get().status, 0);
    let forger = mesh.alice().forging();
    mesh.put_back(&secret(mesh, &server, &json!({})));
    alice.is(ALICE).await;
    forger.was_always(ALICE);
}

/// Who is in the CRL of the users' CA gets no connection; the others do.
pub(crate) async fn who_is_in_the_crl_gets_no_connection(mesh: &Mesh) {
    let serial: &[u8] = &[0x4d, 0x65, 0x73, 0x68];
    let leaf = Leaf::of([common_name("mallory@example.com")]).serial(serial);
    let mallory = mesh.users.issue(&leaf);
    assert_is(&mesh.user(&mallory).get(), "mallory@example.com");
    let list = mesh.users.revocation_list(&[serial]);
    let server = server_certificate(&mesh.users);
    mesh.put_back(&secret(mesh, &server, &json!({"ca.crl": list})));
    mesh.user(&mallory).gets(0).await;
    assert_is(&mesh.alice().get(), ALICE);
    mesh.put_back(&secret(mesh, &server, &json!({"ca.crl": ""})));
}

/// The agents fetch it, and the old filter serves until they have it.
pub(crate) async fn a_new_image_changes_nobody(mesh: &Mesh) {
    let image = mesh.world.push(tools::later_image(), "0.1.1");
    let namespaces = mesh.plugin_namespaces().into_iter();
    let mut plugins: Vec<_> = namespaces
        .map(|namespace| mesh.plugin(namespace).clone())
        .collect();
    mesh.world.use_image(&mut plugins, &image);
    let forger = mesh.alice().forging();
    let filtered = mesh.filtered().into_iter();
    let before: Vec<_> = filtered.map(|pod| (pod, pod.module())).collect();
    mesh.world.cluster.apply(&plugins);
    for (pod, module) in before {
        eventually("Envoy has the new module", SLOW, async || {
            (pod.module() != module).then_some(())
        })
        .await;
    }
    people::each_is_who_the_certificate_says(mesh);
    forger.was_always(ALICE);
    for namespace in mesh.plugin_namespaces() {
        mesh.put_back(mesh.plugin(namespace));
    }
}

pub(crate) async fn a_restart_of_istiod_changes_nobody(mesh: &Mesh) {
    let forger = mesh.alice().forging();
    mesh.world.restart_istiod().await;
    mesh.alice().is(ALICE).await;
    people::each_is_who_the_certificate_says(mesh);
    forger.was_always(ALICE);
}

/// The newer form of the same plugins is applied beside the older, and the older is deleted.
#[tokio::test]
async fn from_wasm_plugins_to_traffic_extensions_nobody_is_anybody_else() {
    let mesh = Mesh::of("sidecar", ISTIO_1_31).await;
    let forgers = [mesh.alice().forging(), mesh.agent().forging()];
    let newer = Manifests::with("traffic-extension/sidecar", &[]);
    let mut extensions: Vec<_> = newer.of_kind("TrafficExtension").cloned().collect();
    assert_eq!(extensions.len(), 2);
    mesh.world.use_image(&mut extensions, &mesh.image);
    mesh.world.cluster.apply(&extensions);
    for namespace in mesh.plugin_namespaces() {
        mesh.take_out(mesh.plugin(namespace));
    }
    for pod in mesh.filtered() {
        pod.runs_the_filter_as("trafficextension", "~istio-translated-wasmplugin")
            .await;
    }
    people::each_is_who_the_certificate_says(&mesh);
    let [alice, agent] = forgers;
    alice.was_always(ALICE);
    agent.was_always(crate::caller::AGENT);
}

/// The control plane first, then the proxies, then the component is taken out. And the other order: it is taken out while
/// an older proxy serves, which then refuses its users.
#[tokio::test]
async fn an_upgrade_to_1_31_keeps_the_component_until_the_last_proxy_is_new() {
    let mesh = Mesh::of("sidecar", ISTIO_1_30).await;
    let forger = mesh.alice().forging();
    mesh.world.upgrade(ISTIO_1_31).await;
    mesh.alice().is(ALICE).await;

    let plan = Plan {
        name: Some("mcp-ingress-2".to_owned()),
        ..Plan::default()
    };
    let newer = mesh.world.pod("mcp-ingress", "mcp-ingress", &plan).await;
    mesh.world.ready(&newer).await;
    let alice = mesh.user_of(&newer, &mesh.alice);
    alice.is(ALICE).await;
    assert_is(&alice.get_with(&FORGED), ALICE);
    assert_is(&mesh.alice().get_with(&FORGED), ALICE);

    // Too early for the older proxy.
    let without = Manifests::with("sidecar", &[]);
    let plugins = without.plugins().into_iter();
    let mut plugins: Vec<_> = plugins.map(|plugin| plugin.0).collect();
    mesh.world.use_image(&mut plugins, &mesh.image);
    mesh.world.cluster.apply(&plugins);
    let answer = mesh.alice().gets(403).await;
    answer.assert_reason("certificate_not_validated");
    alice.is(ALICE).await;
    assert_is(&alice.get_with(&FORGED), ALICE);
    forger.was_always(ALICE);
}
