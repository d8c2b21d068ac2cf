//! What istiod makes of the manifests: the connection manager of a proxy, with its filters and their order.

use serde_json::{Value, json};

use super::manifests::{Manifests, Workload};
use super::policies::{self, PeerOf};
use super::release::Release;

pub(super) const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const TYPES: &str = "type.googleapis.com/envoy.extensions.filters";
const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/// The kinds of proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ingress,
    Sidecar,
    Waypoint,
}

/// One workload of an overlay, on one release of Istio.
#[derive(Clone, Debug)]
pub(super) struct Istiod {
    pub(super) manifests: Manifests,
    pub(super) workload: Workload,
    pub(super) kind: Kind,
    pub(super) release: Release,
}

impl Istiod {
    /// The HttpConnectionManager. The filter is in a file of ECDS, and what passes goes to this cluster.
    pub(super) fn manager(&self, ecds: &str, cluster: &str) -> Value {
        let mut manager = json!({
            "@type": format!("{TYPES}.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": "http",
            "codec_type": "AUTO",
            "server_name": "istio-envoy",
            "normalize_path": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "use_remote_address": self.kind == Kind::Ingress,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "stream_idle_timeout": "0s",
            "route_config": self.routes(cluster),
            "http_filters": self.filters(ecds),
        });
        merge(&mut manager, &self.forwarding());
        for patch in self.patches() {
            apply(&mut manager, &patch);
        }
        manager
    }

    /// What the patches say of the listener and of its filter chain.
    pub(super) fn patch_listener(&self, listener: &mut Value) {
        for patch in self.patches() {
            let value = &patch["patch"]["value"];
            match patch["applyTo"].as_str() {
                Some("LISTENER") => merge(listener, value),
                Some("FILTER_CHAIN") => {
                    let socket = &mut listener["filter_chains"][0]["transport_socket"];
                    merge(socket, &value["transport_socket"]);
                }
                _ => {}
            }
        }
    }

    fn peer(&self) -> PeerOf {
        match self.kind {
            Kind::Waypoint => PeerOf::Tunnel,
            Kind::Ingress | Kind::Sidecar => PeerOf::Tls,
        }
    }

    /// What becomes of X-Forwarded-Client-Cert. A waypoint says nothing, so Envoy removes it.
    fn forwarding(&self) -> Value {
        let config = self.workload.proxy_config();
        match self.kind {
            Kind::Waypoint => json!({}),
            Kind::Ingress => json!({
                "forward_client_cert_details": config["gatewayTopology"]["forwardClientCertDetails"],
                "set_current_client_cert_details":
                    {"subject": true, "cert": true, "dns": true, "uri": true},
            }),
            Kind::Sidecar => json!({
                "forward_client_cert_details": config["proxyHeaders"]["forwardedClientCert"],
                "set_current_client_cert_details":
                    config["proxyHeaders"]["setCurrentClientCertDetails"],
            }),
        }
    }

    fn routes(&self, cluster: &str) -> Value {
        let routes = self.manifests.of_kind("VirtualService").last().unwrap();
        let removed = &routes["spec"]["http"][0]["headers"]["request"]["remove"];
        let removed = match self.kind {
            Kind::Ingress if removed.is_array() => removed.clone(),
            Kind::Ingress | Kind::Sidecar | Kind::Waypoint => json!([]),
        };
        json!({"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{
                "match": {"prefix": "/"},
                "route": {"cluster": cluster, "timeout": "0s"},
                "request_headers_to_remove": removed,
            }],
        }]})
    }

    /// Phase AUTHN, then Istio's own policies, then the router.
    fn filters(&self, ecds: &str) -> Vec<Value> {
        let plugin = self.manifests.plugin(&self.workload);
        let discovered = plugin.map(|plugin| {
            json!({
                "name": self.release.resource_name(&plugin),
                "config_discovery": {
                    "config_source": {
                        "path_config_source": {"path": ecds},
                        "initial_fetch_timeout": "0s",
                        "resource_api_version": "V3",
                    },
                    "type_urls": [WASM, RBAC],
                },
            })
        });
        let mut filters: Vec<_> = discovered.into_iter().collect();
        let policies = policies::filters(&self.manifests, &self.workload, self.peer());
        filters.extend(policies);
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": format!("{TYPES}.http.router.v3.Router")},
        }));
        filters
    }

    /// The plugin as ECDS has it, after the agent has put its file there.
    pub(super) fn resource(&self, module: &str) -> Value {
        let plugin = self.manifests.plugin(&self.workload).unwrap();
        let wasm = plugin.wasm();
        let policy = match wasm["failStrategy"].as_str() {
            Some("FAIL_RELOAD") => "FAIL_RELOAD",
            other => panic!("{other:?}"),
        };
        let configuration = json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": plugin.configuration().to_string(),
        });
        json!({
            "@type": WASM,
            "config": {
                "name": plugin.qualified_name(),
                "root_id": wasm["pluginName"],
                "failure_policy": policy,
                "configuration": configuration,
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                    "environment_variables":
                        {"key_values": {"ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "1"}},
                },
            },
        })
    }

    /// This as the only resource of ECDS, under the plugin's name.
    pub(super) fn discovery(&self, typed_config: &Value) -> Value {
        let plugin = self.manifests.plugin(&self.workload).unwrap();
        json!({"resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": self.release.resource_name(&plugin),
            "typed_config": typed_config,
        }]})
    }

    /// The patches of all EnvoyFilters of this workload.
    fn patches(&self) -> Vec<Value> {
        let filters = self.manifests.attached("EnvoyFilter", &self.workload);
        let patches = filters.into_iter().flat_map(|filter| {
            let patches = filter["spec"]["configPatches"].as_array();
            patches.unwrap().clone()
        });
        patches
            .inspect(|patch| assert_eq!(patch["match"]["context"], self.context()))
            .collect()
    }

    fn context(&self) -> &'static str {
        match self.kind {
            Kind::Ingress => "GATEWAY",
            // istiod does nothing with a patch for WAYPOINT.
            Kind::Sidecar | Kind::Waypoint => "SIDECAR_INBOUND",
        }
    }
}

/// One patch of an EnvoyFilter. Anything that is not known here fails the test.
fn apply(manager: &mut Value, patch: &Value) {
    let value = &patch["patch"]["value"];
    let place = &patch["match"]["listener"]["filterChain"]["filter"];
    match [&patch["applyTo"], &patch["patch"]["operation"]].map(|part| part.as_str().unwrap()) {
        ["ROUTE_CONFIGURATION", "MERGE"] => merge(&mut manager["route_config"], value),
        // See `patch_listener`.
        ["LISTENER" | "FILTER_CHAIN", "MERGE"] => {}
        ["NETWORK_FILTER", "MERGE"] => {
            assert_eq!(place["name"], MANAGER);
            merge(manager, &value["typed_config"]);
        }
        ["HTTP_FILTER", "INSERT_BEFORE"] => {
            assert_eq!(place["name"], MANAGER);
            let filters = manager["http_filters"].as_array_mut().unwrap();
            let wanted = &place["subFilter"]["name"];
            let index = match wanted.is_null() {
                true => Some(0),
                false => filters.iter().position(|filter| filter["name"] == *wanted),
            };
            filters.insert(index.unwrap(), value.clone());
        }
        other => panic!("{other:?}"),
    }
}

/// As protobuf merges messages: lists are joined.
fn merge(base: &mut Value, wanted: &Value) {
    match (base, wanted) {
        (Value::Object(base), Value::Object(wanted)) => {
            for (key, value) in wanted {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(base), Value::Array(wanted)) => base.extend(wanted.iter().cloned()),
        (base, wanted) => *base = wanted.clone(),
    }
}
