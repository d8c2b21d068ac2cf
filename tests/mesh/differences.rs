//! Where a world is not a mesh of Istio's own images. There is nothing else of this kind: programs, arguments,
//! environment and volumes of istiod and of each proxy are read from what `istioctl` and the injector write.
//!
//! All of it is because Envoy's own build lacks Istio's extensions, or because there are no nodes.

use serde_json::{Value, json};

/// Settings of the installation. No telemetry, which is an extension of Istio's, and no look at the cloud.
pub(crate) const SETTINGS: [&str; 2] = [
    "values.telemetry.enabled=false",
    "meshConfig.defaultConfig.proxyMetadata.CLOUD_PLATFORM=none",
];

/// In ambient mode nobody runs on nodes: there is no ztunnel and no CNI.
pub(crate) const AMBIENT_SETTINGS: [&str; 2] = [
    "components.cni.enabled=false",
    "components.ztunnel.enabled=false",
];

/// Laid over istiod's environment: two filters that are Istio's own.
pub(crate) const ISTIOD: [(&str, &str); 2] = [
    ("PILOT_ENABLE_ALPN_FILTER", "false"),
    ("PILOT_ENABLE_METADATA_EXCHANGE", "false"),
];

/// In the bootstrap's template: the bootstrap extension of Istio is left out.
pub(crate) const BOOTSTRAP: (&str, &str) = ("if .metadata_discovery", "if false");

/// Laid over a waypoint's environment: for a newer one istiod writes `istio.hashable_string`.
pub(crate) const WAYPOINT: (&str, &str) = ("ISTIO_META_ISTIO_VERSION", "1.29.1");

/// Each request between proxies has a connection of its own, so that it meets the filters of now. An older connection
/// keeps those it began with, for as long as Envoy drains it.
pub(crate) fn one_request_a_connection() -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "one-request-a-connection", "namespace": "istio-system"},
        "spec": {
            "host": "*.svc.cluster.local",
            "trafficPolicy": {"connectionPool": {"http": {"maxRequestsPerConnection": 1}}},
        },
    })
}

/// Takes two filters that are Istio's own out of a waypoint.
pub(crate) fn waypoint_without_extensions(namespace: &str, name: &str) -> Value {
    let removal = |filter: &str| {
        json!({
            "applyTo": "HTTP_FILTER",
            "match": {
                "context": "SIDECAR_INBOUND",
                "listener": {"filterChain": {"filter": {
                    "name": "envoy.filters.network.http_connection_manager",
                    "subFilter": {"name": filter},
                }}},
            },
            "patch": {"operation": "REMOVE"},
        })
    };
    let filters = [
        "waypoint_downstream_peer_metadata",
        "waypoint_upstream_peer_metadata",
    ];
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "without-istio-extensions", "namespace": namespace},
        "spec": {
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name}],
            "configPatches": filters.map(removal),
        },
    })
}
