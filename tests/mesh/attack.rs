//! The third attack: what somebody tried who had not made the overlays. `tests/ATTACKS.md` has its lines.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use crate::caller::{ADMIN, AGENT, ALICE, FORGED, HOST, assert_is, assert_refused};
use crate::cluster::SLOW;
use crate::harness::certs::{Authority, forwarded_element};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name, san_uri};
use crate::manifests::documents;
use crate::order;
use crate::overlay::Mesh;
use crate::people;
use crate::plugin::configuration;
use crate::pod::Pod;
use crate::tenants::{ELSEWHERE, TENANT, led_by, route, taking};

/// The ingress, as the mesh knows it.
const INGRESS: &str = "spiffe://cluster.local/ns/mcp-ingress/sa/mcp-ingress";
/// A host of the tenant's that shows when istiod has seen his objects.
const SEEN: &str = "seen.example.com";

/// Objects of a namespace of his own that name a proxy, a Service, a Gateway or a Pod of ours: nothing of them is in the
/// configuration of our proxies.
pub(crate) async fn no_object_of_a_tenant_gets_into_a_proxy_of_ours(mesh: &Mesh) {
    mesh.tenant();
    let pod = &mesh.gateway.network.address;
    let mut objects = documents(&include_str!("taking.yaml").replace("POD", pod));
    assert_eq!(objects.len(), 17);
    objects.push(taking(&json!({"istio": "mcp-ingress"}), SEEN, None));
    mesh.world.cluster.apply(&objects);
    istiod_has_seen_the_last(mesh).await;
    for pod in proxies(mesh) {
        let dump = way_in(mesh, pod);
        let found = dump.find("x-taken");
        let found = found.map(|at| &dump[at.saturating_sub(300)..]);
        assert_eq!(found, None, "{}", pod.name);
    }
    people::each_is_who_the_certificate_says(mesh);
    for object in objects.iter().rev() {
        mesh.take_out(object);
    }
}

async fn istiod_has_seen_the_last(mesh: &Mesh) {
    eventually("istiod has seen the last object", SLOW, async || {
        let dump = mesh.ingress.config_dump().to_string();
        dump.contains(SEEN).then_some(())
    })
    .await;
}

/// By what requests come to the MCP gateway through this proxy. What a sidecar sends out is Istio's to let others change.
fn way_in(mesh: &Mesh, pod: &Pod) -> String {
    match pod.name.as_str() {
        "mcp-gateway-1" => format!("{:?}", order::managers(mesh, pod)),
        _ => pod.config_dump().to_string(),
    }
}

/// Those with the filter, and the sidecar of the MCP gateway.
fn proxies(mesh: &Mesh) -> Vec<&Pod> {
    let mut pods = mesh.filtered();
    if !mesh.has_second_filter() {
        pods.push(&mesh.gateway);
    }
    pods
}

/// Annotations by which istiod marks what it has made itself: with them a Gateway would select by Service, past the
/// admission policy's look at its selector.
pub(crate) fn istiod_takes_no_object_that_claims_to_be_its_own(mesh: &Mesh) {
    let mut gateway = taking(&json!({"app": "other"}), SEEN, None);
    gateway["metadata"]["annotations"] = json!({
        "internal.istio.io/gateway-service": "mcp-ingress.mcp-ingress.svc.cluster.local",
        "internal.istio.io/parent-namespace": "mcp-ingress",
    });
    assert!(
        mesh.world
            .cluster
            .refuses(&gateway, "may not be set by users")
    );
}

/// A WorkloadEntry with our Pod's address, and a Service of the tenant's that means it: Istio takes the Service for the Pod's,
/// and its HTTP port becomes one of TCP, without a filter. The policies refuse everybody then: the MCP gateway hears nobody.
pub(crate) async fn a_workload_entry_with_our_pods_address_makes_nobody_anybody(mesh: &Mesh) {
    if mesh.waypoint.is_some() {
        return; // there is no sidecar that it could take
    }
    mesh.tenant();
    let [alice, agent, intruder] =
        [mesh.alice(), mesh.agent(), mesh.intruder()].map(|caller| caller.forging());
    let mut objects = entry(&mesh.gateway.network.address).to_vec();
    objects.push(taking(&json!({"istio": "mcp-ingress"}), SEEN, None));
    mesh.world.cluster.apply(&objects);
    istiod_has_seen_the_last(mesh).await;
    // A proxy that connects anew is told what the entry makes of it.
    mesh.world.restart_istiod().await;
    eventually("the MCP gateway's port is none of HTTP", SLOW, async || {
        let managers = mesh.gateway.connection_managers();
        let mut chains = managers.iter().map(|(_, chain, _)| chain);
        (!chains.any(|chain| chain.ends_with("_4444"))).then_some(())
    })
    .await;
    for caller in [mesh.alice(), mesh.agent(), mesh.intruder()] {
        // Not the MCP gateway's answer: its sidecar closes the connection, and the proxy that asked says so.
        let answer = caller.gets(503).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert!(body.contains("upstream connect error"), "{body}");
    }
    objects.iter().for_each(|object| mesh.take_out(object));
    // It does not always forget the entry by itself.
    mesh.world.restart_istiod().await;
    mesh.alice().is(ALICE).await;
    alice.was_always(ALICE);
    if mesh.has_second_filter() {
        agent.was_always(AGENT);
    } else {
        agent.was_refused();
    }
    intruder.was_refused();
}

/// A Service, and the WorkloadEntry that it means.
pub(crate) fn entry(address: &str) -> [Value; 2] {
    let metadata = json!({"name": "entry", "namespace": TENANT});
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "selector": {"app": "entry"},
            "ports": [{"name": "tcp", "port": 4444}],
        },
    });
    let entry = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": metadata,
        "spec": {"address": address, "labels": {"app": "entry"}},
    });
    [service, entry]
}

/// Certificates of the users' CA that say more than a user's should, and certificates of other CAs.
pub(crate) fn a_certificate_is_worth_what_its_own_authority_signed(mesh: &Mesh) {
    // The CN counts, also at the sidecar, which hears of the URI from the ingress.
    let leaf = Leaf::of([common_name(ALICE)]).subject_alt_names(&[san_uri(INGRESS)]);
    let alice = mesh.users.issue(&leaf);
    assert_is(&mesh.user(&alice).get_with(&FORGED), ALICE);
    // At the ingress a workload's certificate is none of a user. The same words with a user's get in.
    let to = format!("{HOST}:443:{}:8443", mesh.ingress.network.address);
    let asks = |files: &[String; 2]| {
        let caller = mesh.past_sidecar(&mesh.outside, files, &format!("https://{HOST}/mcp"));
        caller.with(&["--connect-to", &to]).get_with(&FORGED)
    };
    let alice = mesh.files(&mesh.alice);
    assert_is(&asks(&alice), ALICE);
    assert_refused(&asks(&mesh.agent.certificate_files()));
    // A user's certificate is none of the mesh: not at the sidecar, not at the waypoint.
    for pod in proxies(mesh) {
        for port in [4444, 15006, 15008] {
            let url = format!("https://{}:{port}/mcp", pod.network.address);
            let caller = mesh.past_sidecar(&mesh.outside, &alice, &url);
            assert_refused(&caller.get_with(&FORGED));
        }
    }
}

/// A route applies behind the filter, so its rules on paths have seen another path. What the sidecar's filter denies stays
/// denied; what only the ingress's denies needs the component `admission`.
pub(crate) async fn a_tenants_rewrite_passes_the_rules_of_the_ingress_alone(mesh: &Mesh) {
    mesh.tenant();
    let sidecar = mesh.overlay.ends_with("sidecar");
    let plugin = mesh.plugin(if sidecar { "mcp-system" } else { "mcp-ingress" });
    let mut with_rule = plugin.clone();
    configuration(&mut with_rule)["authorization"] = json!({
        "default": "allow",
        "rules": [{"name": "closed", "action": "deny", "paths": ["/closed"]}],
    });
    mesh.put_back(&with_rule);
    let denied = mesh.alice().at("/closed").gets(403).await;
    denied.assert_reason("not_authorized");

    let gateway = taking(&json!({"istio": "mcp-ingress"}), ELSEWHERE, None);
    let mut route = route(TENANT, ELSEWHERE, &[TENANT], "rewritten");
    let rule = &mut route["spec"]["http"][0];
    rule["match"] = json!([{"uri": {"prefix": "/mcp"}}]);
    rule["rewrite"] = json!({"uri": "/closed"});
    mesh.world.cluster.apply(&[gateway.clone(), route.clone()]);
    let alice = mesh.user_at(&mesh.ingress, &mesh.alice, ELSEWHERE, 8443);
    match sidecar {
        true => alice.gets(403).await.assert_reason("not_authorized"),
        false => {
            let received = led_by(&alice, "rewritten").await.gateway();
            assert_eq!(received.path, "/closed");
            assert_eq!(received.user(), [ALICE]);
        }
    }
    mesh.take_out(&route);
    mesh.take_out(&gateway);
    mesh.put_back(plugin);
    mesh.alice().at("/closed").is(ALICE).await;
}

/// An agent that speaks mTLS itself, past its own sidecar, with its own certificate, and says in every way that it is the
/// ingress which speaks for the administrator.
pub(crate) fn an_agent_past_its_own_sidecar_is_still_itself(mesh: &Mesh) {
    if mesh.waypoint.is_some() {
        return; // its tunnel is that already
    }
    let nobodys = Authority::named("Nobody's CA").client(ADMIN);
    let element = forwarded_element(nobodys.certificate());
    let files = mesh.agent.certificate_files();
    let own = CertificateDer::from_pem_file(&files[0]).unwrap();
    let own = forwarded_element(&own);
    let spoken = [
        element.clone(),
        format!("By={INGRESS};URI={INGRESS};{element}"),
        format!("{own},{element}"),
        format!("{element},{own}"),
        format!("Subject=\"CN={ADMIN}\";URI={INGRESS}"),
    ];
    let url = format!("https://{}:4444/mcp", mesh.gateway.network.address);
    for version in ["--http1.1", "--http2"] {
        let agent = mesh.past_sidecar(&mesh.agent.network, &files, &url);
        let agent = agent.with(&[version]);
        for forwarded in &spoken {
            let mut headers = FORGED.to_vec();
            headers.push(("x-forwarded-client-cert", forwarded));
            let answer = agent.get_with(&headers);
            match mesh.has_second_filter() {
                true => assert_is(&answer, AGENT),
                false => assert_eq!(answer.status, 403, "{answer:?}"),
            }
        }
    }
}
