//! What the API server and istiod's webhook take.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::attack::entry;
use crate::caller::{ALICE, HOST, assert_is};
use crate::cluster::SLOW;
use crate::differences;
use crate::harness::eventually;
use crate::manifests::Manifests;
use crate::overlay::Mesh;
use crate::tenants::{ELSEWHERE, taking};

/// Groups whose objects are the overlays' own.
const GROUPS: [&str; 4] = [
    "networking.istio.io",
    "security.istio.io",
    "extensions.istio.io",
    "gateway.networking.k8s.io",
];

/// Every object of the overlay was admitted, or there would be no mesh. With a field too many none is.
pub(crate) fn a_misspelt_object_is_refused(mesh: &Mesh) {
    let mut kinds = Vec::new();
    for object in mesh.objects.iter().filter(|object| is_of_istio(object)) {
        let kind = object["kind"].clone();
        if kinds.contains(&kind) {
            continue;
        }
        let mut misspelt = object.clone();
        misspelt["spec"]["misspelt"] = json!(true);
        let refused = mesh.world.cluster.refuses(&misspelt, "unknown field");
        assert!(refused, "{kind}");
        kinds.push(kind);
    }
    assert!(kinds.len() >= 5, "{kinds:?}");
}

/// The objects of Istio are the overlay's, and what [`crate::differences`] names.
pub(crate) fn nothing_else_is_in_the_mesh(mesh: &Mesh) {
    let kinds = "envoyfilters.networking.istio.io,destinationrules.networking.istio.io,\
        gateways.networking.istio.io,virtualservices.networking.istio.io,\
        sidecars.networking.istio.io,proxyconfigs.networking.istio.io,\
        authorizationpolicies.security.istio.io,peerauthentications.security.istio.io,\
        requestauthentications.security.istio.io,telemetries.telemetry.istio.io,\
        wasmplugins.extensions.istio.io,trafficextensions.extensions.istio.io,\
        gateways.gateway.networking.k8s.io";
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        format!(
            "{} {} {}",
            object["kind"], metadata["namespace"], metadata["name"]
        )
    };
    let found = mesh.world.cluster.get(&format!("{kinds} -A"));
    let found: BTreeSet<_> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect();
    let mut expected = vec![differences::one_request_a_connection()];
    if mesh.waypoint.is_some() {
        expected.push(differences::waypoint_without_extensions(
            "mcp-system",
            "mcp-waypoint",
        ));
    }
    let ours = mesh.objects.iter().filter(|object| is_of_istio(object));
    let expected: BTreeSet<_> = ours.chain(&expected).map(name).collect();
    assert_eq!(found, expected);
}

fn is_of_istio(object: &Value) -> bool {
    let version = object["apiVersion"].as_str().unwrap();
    GROUPS.iter().any(|group| version.starts_with(group))
}

/// Without the component: Envoy refuses its listener, serves on with the old one, and nothing new arrives.
async fn a_gateway_with_our_host_freezes_the_ingress(mesh: &Mesh, gateway: &Value) {
    mesh.put_back(gateway);
    eventually("the listener is frozen", SLOW, async || {
        mesh.ingress.refused_listener().then_some(())
    })
    .await;
    assert_is(&mesh.alice().get(), ALICE);
    mesh.take_out(gateway);
    eventually("the listener is taken again", SLOW, async || {
        (!mesh.ingress.refused_listener()).then_some(())
    })
    .await;
}

/// With the component: it needs nobody's word that his routes are harmless.
pub(crate) async fn admission_refuses_a_gateway_that_takes_our_pods(mesh: &Mesh) {
    mesh.tenant();
    let is_policy = |object: &Value| {
        let kind = object["kind"].as_str().unwrap();
        kind.starts_with("ValidatingAdmissionPolicy")
    };
    let mut policies = Manifests::with(mesh.overlay, &["admission"]).all().to_vec();
    policies.retain(is_policy);
    assert_eq!(policies.len(), 4);
    let ours = json!({"istio": "mcp-ingress"});
    a_gateway_with_our_host_freezes_the_ingress(mesh, &taking(&ours, HOST, None)).await;
    mesh.world.cluster.apply(&policies);
    let refused = |gateway: &Value| mesh.world.cluster.refuses(gateway, "take the Pods");
    // The API server takes a while to know a new policy.
    eventually("the admission policy is in force", SLOW, async || {
        refused(&taking(&ours, ELSEWHERE, None)).then_some(())
    })
    .await;
    for selector in [
        ours.clone(),
        Value::Null,
        json!({}),
        json!({"sidecar.istio.io/inject": "true"}),
        json!({"istio": "mcp-ingress", "sidecar.istio.io/inject": "true"}),
    ] {
        for host in [ELSEWHERE, HOST] {
            assert!(refused(&taking(&selector, host, None)), "{selector}");
        }
    }
    for selector in [json!({"istio": "ingressgateway"}), json!({"app": "other"})] {
        assert!(!refused(&taking(&selector, ELSEWHERE, None)), "{selector}");
    }
    // By Service, whatever its selector.
    let mut marked = taking(&json!({"app": "other"}), ELSEWHERE, None);
    marked["metadata"]["annotations"] =
        json!({"internal.istio.io/gateway-service": "mcp-ingress.mcp-ingress.svc.cluster.local"});
    assert!(mesh.world.cluster.refuses(&marked, "istiod's own"));
    assert!(!refused(mesh.object(
        "Gateway",
        "mcp-ingress",
        "mcp-gateway"
    )));
    let [_, mut entry] = entry(&mesh.gateway.network.address);
    assert!(mesh.world.cluster.refuses(&entry, "take any Pod"));
    // A namespace of machines.
    let labels = json!({"mtls-identity/workload-entries": "allowed"});
    mesh.world
        .cluster
        .apply(&[json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "machines", "labels": labels}})]);
    entry["metadata"]["namespace"] = json!("machines");
    assert!(!mesh.world.cluster.refuses(&entry, "take any Pod"));
    // Every label that our Pods have is one that does not count.
    let labels = mesh.ingress.object["metadata"]["labels"]
        .as_object()
        .unwrap();
    for (name, value) in labels {
        let selector = json!({name: value});
        assert!(refused(&taking(&selector, ELSEWHERE, None)), "{selector}");
    }
}
