//! What public reports and an attack have found, one claim each.

use std::process::Command;

use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::caller::{ADMIN, AGENT, ALICE, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::artifacts::output;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name};
use crate::overlay::Mesh;
use crate::plugin::configuration;
use crate::release::ISTIO_1_30;

/// Honest clients send such names, and over HTTP/2 a rejected request is a reset stream.
pub(crate) fn a_header_name_with_an_underscore_is_dropped_and_the_request_served(mesh: &Mesh) {
    for version in ["--http1.1", "--http2"] {
        let alice = mesh.alice().with(&[version]);
        let answer = alice.get_with(&[("trace_id", "7"), ("X_SSL_Client_S_DN_CN", ADMIN)]);
        assert_is(&answer, ALICE);
        assert_eq!(answer.gateway().values("trace_id"), [""; 0]);
    }
}

/// It makes no request, and so no line in any other log.
pub(crate) async fn a_client_that_tls_refuses_leaves_a_line(mesh: &Mesh) {
    let stranger = Authority::named("Strangers CA").client(ADMIN);
    assert_eq!(mesh.user(&stranger).get().status, 0);
    eventually(
        "the ingress has written the refusal down",
        SLOW,
        async || {
            let log = mesh.world.network.log("agent", &mesh.ingress.network);
            let mut lines = log
                .lines()
                .filter(|line| line.contains(r#""tls":"refused""#));
            lines
                .any(|line| line.contains("CERTIFICATE_VERIFY_FAILED"))
                .then_some(())
        },
    )
    .await;
    // Who got in leaves none.
    let log = mesh.world.network.log("agent", &mesh.ingress.network);
    let mut lines = log
        .lines()
        .filter(|line| line.contains(r#""tls":"refused""#));
    assert!(!lines.any(|line| line.contains(ALICE)));
}

pub(crate) fn a_key_of_ed25519_is_taken(mesh: &Mesh) {
    // Of openssl: one of rcgen's has its public key in it, and not every openssl reads that.
    let key = output(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]));
    let key = KeyPair::from_pem(&key).unwrap();
    let bob = mesh
        .users
        .issue_for(key, &Leaf::of([common_name("bob@example.com")]));
    for version in ["1.2", "1.3"] {
        let bob = mesh.user(&bob).with(&["--tls-max", version]);
        assert_is(&bob.get(), "bob@example.com");
    }
}

/// Port 15020 is for the kubelet, without TLS and without the filter.
pub(crate) fn the_probe_of_the_agent_hands_over_no_header(mesh: &Mesh) {
    if mesh.overlay.ends_with("waypoint") {
        return; // no agent stands before the application
    }
    let address = &mesh.gateway.network.address;
    for probe in ["readyz", "livez"] {
        let url = format!("http://{address}:15020/app-health/mcp-gateway/{probe}");
        let answer = mesh.plain(&url).get_with(&FORGED);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.is_empty(), "{answer:?}");
    }
}

/// Istio before 1.31 has no such field, and its Envoy cannot say what it validated.
pub(crate) async fn an_ingress_that_takes_any_certificate_makes_nobody_a_user(mesh: &Mesh) {
    if mesh.world.release() == ISTIO_1_30 {
        return;
    }
    let gateway = mesh.object("Gateway", "mcp-ingress", "mcp-gateway");
    let mut open = gateway.clone();
    open["spec"]["servers"][0]["tls"]["insecureSkipVerify"] = json!(true);
    mesh.put_back(&open);
    let admin = Authority::named("Strangers CA").client(ADMIN);
    let answer = mesh.user(&admin).gets(403).await;
    answer.assert_reason("certificate_not_validated");
    assert_is(&mesh.alice().get(), ALICE);

    // The line: with the word of a listener that believes everybody, everybody is anybody.
    let plugin = mesh.plugin("mcp-ingress");
    let mut believing = plugin.clone();
    configuration(&mut believing)["certificate"]["validation"] = json!("listener");
    mesh.put_back(&believing);
    mesh.user(&admin).is(ADMIN).await;

    mesh.put_back(plugin);
    mesh.put_back(gateway);
    mesh.user(&admin).gets(0).await;
    mesh.alice().is(ALICE).await;
}

/// The Gateway API's word for the same, in a Gateway of the operator's at the Pods of the ingress. 1.30 has it not.
pub(crate) async fn a_fallback_for_insecure_clients_makes_nobody_a_user(mesh: &Mesh) {
    if mesh.world.release() == ISTIO_1_30 {
        return;
    }
    let authority = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "users-ca", "namespace": "mcp-ingress"},
        "data": {"ca.crt": mesh.users.pem()},
    });
    let [gateway, route] = fallback();
    mesh.world
        .cluster
        .apply(&[authority, gateway.clone(), route.clone()]);
    let at = |credentials: &Credentials| mesh.user_at(&mesh.ingress, credentials, FALLBACK, 8443);
    at(&mesh.alice).is(ALICE).await;
    let admin = Authority::named("Strangers CA").client(ADMIN);
    let answer = at(&admin).get_with(&FORGED);
    assert_eq!(answer.status, 403, "{answer:?}");
    answer.assert_reason("certificate_not_validated");
    mesh.take_out(&route);
    mesh.take_out(&gateway);
    at(&admin).gets(0).await;
    mesh.alice().is(ALICE).await;
}

/// The host of that Gateway.
const FALLBACK: &str = "fallback.example.com";

/// A Gateway, and its route.
fn fallback() -> [Value; 2] {
    let version = "gateway.networking.k8s.io/v1";
    let validation = json!({
        "mode": "AllowInsecureFallback",
        "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": "users-ca"}],
    });
    let listener = json!({
        "name": "https",
        "port": 443,
        "protocol": "HTTPS",
        "hostname": FALLBACK,
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": "mcp-ingress-tls"}]},
        "allowedRoutes": {"namespaces": {"from": "All"}},
    });
    let gateway = json!({
        "apiVersion": version,
        "kind": "Gateway",
        "metadata": {"name": "fallback", "namespace": "mcp-ingress"},
        "spec": {
            "gatewayClassName": "istio",
            "addresses": [{
                "type": "Hostname", "value": "mcp-ingress.mcp-ingress.svc.cluster.local",
            }],
            "tls": {"frontend": {"default": {"validation": validation}}},
            "listeners": [listener],
        },
    });
    let route = json!({
        "apiVersion": version,
        "kind": "HTTPRoute",
        "metadata": {"name": "fallback", "namespace": "mcp-system"},
        "spec": {
            "parentRefs": [{"name": "fallback", "namespace": "mcp-ingress"}],
            "rules": [{"backendRefs": [{"name": "mcp-gateway", "port": 4444}]}],
        },
    });
    [gateway, route]
}

/// The mesh is called otherwise than the second filter's configuration says.
pub(crate) async fn a_forgotten_trust_domain_makes_nobody_a_user(mesh: &Mesh) {
    if !mesh.has_second_filter() {
        return;
    }
    let plugin = mesh.plugin("mcp-system");
    let text = configuration(&mut plugin.clone()).to_string();
    let other: Value =
        serde_json::from_str(&text.replace("cluster.local", "prod.example.net")).unwrap();
    let mut forgotten = plugin.clone();
    *configuration(&mut forgotten) = other;
    mesh.put_back(&forgotten);
    let agent = mesh.agent();
    agent.gets(403).await.assert_reason("not_authorized");
    if mesh.overlay.ends_with("sidecar") {
        let answer = mesh.alice().gets(403).await;
        answer.assert_reason("not_authorized");
    }

    // The line: without the rule each is a raw SPIFFE ID.
    configuration(&mut forgotten)["authorization"] = json!({"default": "allow", "rules": []});
    mesh.put_back(&forgotten);
    agent
        .is("spiffe://cluster.local/ns/agents/sa/indexer")
        .await;

    mesh.put_back(plugin);
    agent.is(AGENT).await;
    mesh.alice().is(ALICE).await;
}
