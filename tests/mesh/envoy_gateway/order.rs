//! What Envoy Gateway made of the manifests, and what Envoy writes.

use serde_json::{Value, json};

use super::edge::{BACKEND, Edge, INGRESS};
use super::world::SYSTEM;
use crate::caller::{ADMIN, ALICE};
use crate::cluster::SLOW;
use crate::harness::certs::Authority;
use crate::harness::eventually;

/// The name that Envoy Gateway gives the filter.
const FILTER: &str =
    "envoy.filters.http.wasm/envoyextensionpolicy/mcp-ingress/mtls-identity/wasm/0";

/// The removal, then the filter, the guard, the router; and a listener that validates, and resumes no session.
pub(super) fn the_lines_stand_in_order(edge: &Edge) {
    let (manager, tls) = edge.proxy.way_in();
    let early = manager["early_header_mutation_extensions"].to_string();
    assert!(early.contains(r#""prefix":"x-ssl-client-""#), "{early}");
    let options = &manager["common_http_protocol_options"];
    assert_eq!(options["headers_with_underscores_action"], "DROP_HEADER");
    assert_eq!(manager["normalize_path"], true);
    assert_eq!(manager["merge_slashes"], true);
    assert_eq!(
        manager["path_with_escaped_slashes_action"],
        "REJECT_REQUEST"
    );
    // Sanitized: Envoy's default is not printed.
    assert_eq!(manager["forward_client_cert_details"], Value::Null);
    let filters = manager["http_filters"].as_array().unwrap().iter();
    let names: Vec<_> = filters
        .map(|filter| filter["name"].as_str().unwrap())
        .collect();
    let router = "envoy.filters.http.router";
    assert_eq!(names, [FILTER, "envoy.filters.http.rbac", router]);

    assert_eq!(tls["require_client_certificate"], true);
    assert_eq!(tls["disable_stateless_session_resumption"], true);
    assert_eq!(tls["disable_stateful_session_resumption"], true);
}

/// Of the API server: an object with a field too many.
pub(super) fn a_misspelt_object_is_refused(edge: &Edge) {
    for object in &edge.objects {
        if object["spec"].is_object() {
            let mut misspelt = object.clone();
            misspelt["spec"]["misspelt"] = json!(true);
            let refused = edge.world.cluster.refuses(&misspelt, "unknown field");
            assert!(refused, "{}", object["kind"]);
        }
    }
}

/// Streams that are open when a listener is replaced have an hour.
pub(super) fn streams_may_drain_for_an_hour(edge: &Edge) {
    let containers = edge.proxy.pod["spec"]["containers"].as_array().unwrap();
    let arguments = crate::manifests::strings(&containers[0]["args"]);
    let mut pairs = arguments.windows(2);
    assert!(
        pairs.any(|pair| pair == ["--drain-time-s", "3600"]),
        "{arguments:?}"
    );
}

/// A line for each decision, and one for each client that TLS refuses.
pub(super) async fn the_access_log_has_the_record_and_the_refusals(edge: &Edge) {
    let stranger = Authority::named("Strangers CA").client(ADMIN);
    assert_eq!(edge.user(&stranger).get().status, 0);
    assert_eq!(edge.alice().get().status, 200);
    eventually("both are in the access log", SLOW, async || {
        let log = edge.world.proxy_log(&edge.proxy);
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines: Vec<_> = lines.collect();
        let refused = lines.iter().any(|line| {
            let reason = line["reason"].as_str().unwrap_or_default();
            line["tls"] == "refused" && reason.contains("CERTIFICATE_VERIFY_FAILED")
        });
        let recorded = lines.iter().any(|line| {
            let record = line["mtls_identity"].as_str().unwrap_or_default();
            let record: Value = serde_json::from_str(record).unwrap_or_default();
            line["status"] == 200 && record["user"] == ALICE && record["decision"] == "allow"
        });
        (refused && recorded).then_some(())
    })
    .await;
}

/// The Envoys of all Gateways run in one namespace. The labels of the NetworkPolicy are those of ours.
pub(super) fn the_network_policy_means_our_envoy(edge: &Edge) {
    assert!(admitted(edge, &edge.proxy.pod));
    let service = edge.object("NetworkPolicy", "mcp-gateway");
    assert_eq!(service["metadata"]["namespace"], BACKEND);
}

/// Whether the NetworkPolicy lets this Pod of Envoy Gateway's namespace through.
pub(super) fn admitted(edge: &Edge, pod: &Value) -> bool {
    let from = &edge.object("NetworkPolicy", "mcp-gateway")["spec"]["ingress"][0]["from"][0];
    let namespace = &from["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    assert_eq!(*namespace, SYSTEM);
    assert_eq!(pod["metadata"]["namespace"], SYSTEM);
    let wanted = from["podSelector"]["matchLabels"].as_object().unwrap();
    assert_eq!(wanted.len(), 2);
    assert!(wanted.values().all(|value| value == INGRESS));
    let labels = &pod["metadata"]["labels"];
    wanted.iter().all(|(name, value)| labels[name] == *value)
}
