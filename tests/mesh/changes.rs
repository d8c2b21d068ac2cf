//! What changes while a mesh runs.

use std::time::Instant;

use serde_json::{Value, json};

use crate::caller::{AGENT, ALICE, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name};
use crate::manifests::Manifests;
use crate::order;
use crate::overlay::{Mesh, server_certificate, waypoint_plan};
use crate::people;
use crate::plugin::configuration;
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

/// Who is put into `revoked` is refused and loses the event stream that is open; those of others go on.
pub(crate) async fn who_is_revoked_loses_the_open_stream(mesh: &Mesh) {
    let mallory = mesh.users.client("mallory@example.com");
    let [mut hers, mut others] = [&mallory, &mesh.alice].map(|credentials| {
        let into = mesh
            .world
            .folder()
            .join(format!("{}.events", credentials.sha256()));
        mesh.user(credentials)
            .at("/sse?events=1000000")
            .begin(&into)
    });
    for stream in [&hers, &others] {
        eventually("the first event has come", SLOW, async || {
            (stream.size() > 0).then_some(())
        })
        .await;
    }

    let plugin = mesh.plugin("mcp-ingress");
    let mut revoking = plugin.clone();
    configuration(&mut revoking)["revoked"] = json!([{"sha256": mallory.sha256()}]);
    let began = Instant::now();
    mesh.put_back(&revoking);
    eventually("the stream has ended", SLOW, async || {
        hers.has_ended().then_some(())
    })
    .await;
    println!("the stream ended {:?} after kubectl began", began.elapsed());
    let answer = mesh.user(&mallory).get();
    assert_eq!(answer.status, 403);
    answer.assert_reason("revoked");
    let size = others.size();
    eventually("another event has come", SLOW, async || {
        (others.size() > size).then_some(())
    })
    .await;
    assert!(!others.has_ended());
    mesh.put_back(plugin);
    mesh.user(&mallory).is("mallory@example.com").await;
}

/// `NAME-cacert` beside the secret NAME: then `ca.crt` of NAME counts for nothing.
pub(crate) async fn a_secret_for_the_authority_alone_decides_alone(mesh: &Mesh) {
    if mesh.has_second_filter() {
        return; // once a release is enough
    }
    let others = Authority::named("Others CA");
    let bob = mesh.user(&others.client("bob@example.com"));
    let alone = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "mcp-ingress-tls-cacert", "namespace": "mcp-ingress"},
        "stringData": {"ca.crt": others.pem()},
    });
    assert_eq!(bob.get().status, 0);
    mesh.put_back(&alone);
    bob.is("bob@example.com").await;
    assert_eq!(mesh.alice().get().status, 0);
    mesh.world
        .cluster
        .delete("secret", "mcp-ingress", "mcp-ingress-tls-cacert");
    mesh.alice().is(ALICE).await;
    assert_eq!(bob.get().status, 0);
}

/// A CRL of the issuing authority, and none of the root: with the component `leaf-crl` Envoy asks for no other.
pub(crate) async fn a_missing_list_locks_everybody_out_unless_leaves_alone_are_asked_about(
    mesh: &Mesh,
) {
    if mesh.has_second_filter() {
        return; // once a release is enough
    }
    let issuing = mesh.users.intermediate("Users Issuing CA");
    let serial: &[u8] = &[0x6c, 0x65, 0x61, 0x66];
    let mallory = Leaf::of([common_name("mallory@example.com")]).serial(serial);
    let mallory = mesh.user(&issuing.issue(&mallory));
    let bob = mesh.user(&issuing.client("bob@example.com"));
    let server = server_certificate(&mesh.users);
    let both = mesh.users.pem() + &issuing.pem();
    mesh.put_back(&secret(mesh, &server, &json!({"ca.crt": both})));
    bob.is("bob@example.com").await;
    assert_is(&mallory.get(), "mallory@example.com");

    let list = issuing.revocation_list(&[serial]);
    let with_list = secret(mesh, &server, &json!({"ca.crt": both, "ca.crl": list}));
    mesh.put_back(&with_list);
    mallory.gets(0).await;
    assert_eq!(bob.get().status, 0);

    let with = Manifests::with(mesh.overlay, &["leaf-crl"]);
    let component = with
        .object("EnvoyFilter", "mcp-ingress", "leaf-crl")
        .unwrap();
    mesh.put_back(component);
    bob.is("bob@example.com").await;
    assert_eq!(mallory.get().status, 0);
    mesh.take_out(component);
    bob.gets(0).await;
    mesh.put_back(&secret(mesh, &server, &json!({"ca.crl": ""})));
    mesh.alice().is(ALICE).await;
}

/// The RoleBinding is gone: who serves goes on, a new Pod gets no certificate and admits nobody. istiod asks for the right
/// once in some minutes, and at its start.
pub(crate) async fn a_new_ingress_that_may_not_read_its_secret_lets_nobody_in(mesh: &Mesh) {
    if mesh.has_second_filter() {
        return; // once a release is enough
    }
    let binding = mesh.object("RoleBinding", "mcp-ingress", "mcp-ingress");
    let forger = mesh.alice().forging();
    mesh.take_out(binding);
    mesh.world.restart_istiod().await;
    let plan = Plan {
        name: Some("mcp-ingress-3".to_owned()),
        ..Plan::default()
    };
    let second = mesh.world.pod("mcp-ingress", "mcp-ingress", &plan).await;
    let alice = mesh.user_of(&second, &mesh.alice);
    eventually("istiod has refused the certificate", SLOW, async || {
        let log = mesh.world.network.log("istiod", mesh.world.network.hub());
        let refused = format!("proxy {}.mcp-ingress attempted to access", second.name);
        log.contains(&refused).then_some(())
    })
    .await;
    assert_eq!(alice.get().status, 0);
    assert_is(&mesh.alice().get(), ALICE);
    let refused = alice.forging();
    mesh.put_back(binding);
    mesh.world.restart_istiod().await;
    alice.is(ALICE).await;
    refused.was_always(ALICE);
    forger.was_always(ALICE);
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
async fn nobody_is_anybody_else_with_the_newer_form_of(overlay: &'static str, newer: &'static str) {
    let mesh = Mesh::of(overlay, ISTIO_1_31).await;
    let alice = mesh.alice().forging();
    let agent = mesh.agent().forging();
    let intruder = mesh.intruder().forging();
    let newer = Manifests::with(newer, &[]);
    let mut extensions: Vec<_> = newer.of_kind("TrafficExtension").cloned().collect();
    assert_eq!(extensions.len(), mesh.plugin_namespaces().len());
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
    order::each_connection_manager_has_its_lines_in_order(&mesh);
    alice.was_always(ALICE);
    if mesh.has_second_filter() {
        agent.was_always(AGENT);
    } else {
        agent.was_refused();
    }
    intruder.was_refused();
}

#[tokio::test]
async fn from_wasm_plugins_to_traffic_extensions_nobody_is_anybody_else() {
    nobody_is_anybody_else_with_the_newer_form_of("sidecar", "traffic-extension/sidecar").await;
}

#[tokio::test]
async fn from_a_wasm_plugin_of_the_ingress_to_a_traffic_extension_nobody_is_anybody_else() {
    nobody_is_anybody_else_with_the_newer_form_of("gateway", "traffic-extension/gateway").await;
}

#[tokio::test]
async fn from_wasm_plugins_of_a_waypoint_to_traffic_extensions_nobody_is_anybody_else() {
    nobody_is_anybody_else_with_the_newer_form_of("waypoint", "traffic-extension/waypoint").await;
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

/// Istio promises nothing of what the waypoint's lines hang on.
#[tokio::test]
async fn an_upgrade_to_1_31_leaves_the_agents_of_a_waypoint_who_they_are() {
    let mesh = Mesh::of("waypoint", ISTIO_1_30).await;
    let forgers = [mesh.alice().forging(), mesh.agent().forging()];
    mesh.world.upgrade(ISTIO_1_31).await;
    mesh.agent().is(AGENT).await;

    let plan = Plan {
        name: Some("mcp-waypoint-2".to_owned()),
        ..waypoint_plan()
    };
    let newer = mesh.world.pod("mcp-waypoint", "mcp-system", &plan).await;
    mesh.world.ready(&newer).await;
    let agent = mesh.tunnelled_to(&newer, &mesh.agent);
    agent.is(AGENT).await;
    assert_is(&agent.get_with(&FORGED), AGENT);
    people::each_is_who_the_certificate_says(&mesh);
    order::each_connection_manager_of_has_its_lines_in_order(&mesh, &newer);
    let [alice, agent] = forgers;
    alice.was_always(ALICE);
    agent.was_always(AGENT);
}
