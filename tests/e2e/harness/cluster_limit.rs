//! The pieces of `envoy/cluster-limit`, in the shipped configuration.

use std::fs;
use std::net::SocketAddr;

use serde_json::{Value, json};

use super::artifacts::repository;
use super::bootstrap::Bootstrap;

/// One of the files.
pub(crate) fn piece(name: &str) -> Value {
    let path = repository().join("envoy/cluster-limit").join(name);
    serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Where the filter of the pieces stands in `http_filters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// As shipped: behind the guard.
    Behind,
    /// Wrong: in front of the filter that names the user.
    InFront,
}

/// An address of the service, in Envoy's words.
pub(crate) fn at_port(service: SocketAddr) -> Value {
    json!({"socket_address": {"address": service.ip(), "port_value": service.port()}})
}

/// The pieces where their files say, the service at this address.
pub(crate) fn pieces(service: Value, place: Place) -> impl FnOnce(&mut Bootstrap) + 'static {
    move |envoy| {
        envoy.overlay_plugin(&piece("configuration.json"));
        let filters = envoy.http_filters();
        let named = |name: &str| {
            let mut filters = filters.iter();
            filters.position(|filter| filter["name"] == name).unwrap()
        };
        let index = match place {
            Place::Behind => named("mtls_identity_guard") + 1,
            Place::InFront => named("mtls_identity"),
        };
        filters.insert(index, piece("http_filter.yaml"));
        envoy.hcm()["route_config"]["virtual_hosts"][0]["rate_limits"] = piece("rate_limits.yaml");
        let mut cluster = piece("cluster.yaml");
        let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        endpoint["endpoint"]["address"] = service;
        let clusters = &mut envoy.value()["static_resources"]["clusters"];
        clusters.as_array_mut().unwrap().push(cluster);
    }
}

/// The configuration of the filter that asks the service.
pub(crate) fn limit_filter(envoy: &mut Bootstrap) -> &mut Value {
    let mut filters = envoy.http_filters().iter_mut();
    let filter = filters.find(|filter| filter["name"] == "envoy.filters.http.ratelimit");
    &mut filter.unwrap()["typed_config"]
}

/// A busy machine is no outage: for tests that count what the service allows.
pub(crate) fn patient(envoy: &mut Bootstrap) {
    limit_filter(envoy)["timeout"] = json!("10s");
}
