//! What istiod made of the manifests: the lines around the filter, and where they stand.

use serde_json::Value;

use crate::harness::gateway::{USER, VERIFY};
use crate::overlay::Mesh;
use crate::pod::Pod;

/// The listener of the ingress for users.
fn ingress(mesh: &Mesh) -> String {
    format!("0.0.0.0_{}", mesh.https())
}

/// The listener of a proxy by which requests for the MCP gateway come in.
fn listener(mesh: &Mesh, pod: &Pod) -> String {
    match pod.name.as_str() {
        _ if pod.network.name == mesh.ingress.network.name => ingress(mesh),
        "mcp-gateway-1" => "virtualInbound".to_owned(),
        _ => "main_internal".to_owned(),
    }
}

/// Those by which requests for the MCP gateway come in: listener, filter chain, manager.
pub(crate) fn managers(mesh: &Mesh, pod: &Pod) -> Vec<(String, String, Value)> {
    let listener = listener(mesh, pod);
    let mut managers = pod.connection_managers();
    managers.retain(|(name, _, _)| *name == listener);
    assert!(!managers.is_empty(), "{} has no {listener}", pod.name);
    managers
}

/// Each connection manager on the path has the removal, then the filter, Istio's policies, the router, and at its
/// routes the last word.
pub(crate) fn each_connection_manager_has_its_lines_in_order(mesh: &Mesh) {
    for pod in mesh.filtered() {
        each_connection_manager_of_has_its_lines_in_order(mesh, pod);
    }
}

/// The same for one Pod.
pub(crate) fn each_connection_manager_of_has_its_lines_in_order(mesh: &Mesh, pod: &Pod) {
    for (_, chain, manager) in managers(mesh, pod) {
        let at = format!("{} {chain}", pod.name);
        assert_removes(&manager, &at);
        assert_order(&manager, &at);
        let inline = &manager["route_config"];
        let routes = match inline.is_null() {
            true => routes(pod, &manager["rds"]["route_config_name"]),
            false => inline.clone(),
        };
        assert_last_word(&routes, &at);
    }
}

fn assert_removes(manager: &Value, at: &str) {
    let early = manager["early_header_mutation_extensions"].to_string();
    assert!(
        early.contains(r#""prefix":"x-ssl-client-""#),
        "{at}: {early}"
    );
    let options = &manager["common_http_protocol_options"];
    assert_eq!(
        options["headers_with_underscores_action"], "DROP_HEADER",
        "{at}"
    );
}

fn assert_order(manager: &Value, at: &str) {
    let filters = manager["http_filters"].as_array().unwrap().iter();
    let names: Vec<_> = filters
        .map(|filter| filter["name"].as_str().unwrap())
        .collect();
    let place = |wanted: &dyn Fn(&str) -> bool| {
        let place = names.iter().position(|name| wanted(name));
        place.unwrap_or_else(|| panic!("{at}: {names:?}"))
    };
    let filter = place(&|name| name.contains(".mtls-identity"));
    let policies = place(&|name| name == "envoy.filters.http.rbac");
    let router = place(&|name| name == "envoy.filters.http.router");
    assert!(filter < policies && policies < router, "{at}: {names:?}");
    assert_eq!(router, names.len() - 1, "{at}: {names:?}");
}

/// The route configuration of this name.
fn routes(pod: &Pod, name: &Value) -> Value {
    let dump = pod.config_dump();
    let parts = dump["configs"].as_array().unwrap().iter();
    let dynamic = parts.flat_map(|part| part["dynamic_route_configs"].as_array());
    let mut configurations = dynamic.flatten().map(|entry| &entry["route_config"]);
    let found = configurations.find(|configuration| configuration["name"] == *name);
    found.unwrap_or_else(|| panic!("{name}")).clone()
}

fn assert_last_word(routes: &Value, at: &str) {
    let removed = crate::manifests::strings(&routes["request_headers_to_remove"]);
    for name in [USER, VERIFY] {
        let folded = name.replace('-', "_");
        assert!(removed.contains(&name), "{at}: {removed:?}");
        assert!(removed.contains(&folded.as_str()), "{at}: {removed:?}");
        let added = routes["request_headers_to_add"].as_array().unwrap().iter();
        let mut added = added.filter(|entry| entry["header"]["key"] == name);
        let entry = added.next().unwrap();
        let state = format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%");
        assert_eq!(entry["header"]["value"], state, "{at}");
        assert_eq!(entry["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD", "{at}");
        assert!(added.next().is_none(), "{at}");
    }
}

/// On a resumed session Envoy does not say that it validated the certificate.
pub(crate) fn the_ingress_resumes_no_session(mesh: &Mesh) {
    let dump = mesh.ingress.config_dump();
    let parts = dump["configs"].as_array().unwrap().iter();
    let listeners = parts.flat_map(|part| part["dynamic_listeners"].as_array());
    let mut seen = 0;
    let way_in = |entry: &&Value| entry["name"] == ingress(mesh);
    for entry in listeners.flatten().filter(way_in) {
        let chains = entry["active_state"]["listener"]["filter_chains"].as_array();
        for chain in chains.into_iter().flatten() {
            let tls = &chain["transport_socket"]["typed_config"];
            assert_eq!(tls["require_client_certificate"], true);
            assert_eq!(tls["disable_stateless_session_resumption"], true);
            assert_eq!(tls["disable_stateful_session_resumption"], true);
            seen += 1;
        }
    }
    assert!(seen > 0);
}
