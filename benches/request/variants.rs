//! The Envoys that are compared: one listener with mTLS, one direct response, and between them the filters of
//! a row of `filters.yaml`.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Mapping;

use crate::harness::artifacts;
use crate::harness::certs::{Authority, Credentials};
use crate::upstream;

/// How many users of `$PINS` have a pin.
const PINNED: usize = 10_000;

/// A row of the table.
pub(crate) struct Variant {
    pub(crate) name: String,
    filters: Vec<Value>,
    access_log: Option<Value>,
    upstream: bool,
    last_word: bool,
    /// A POST with a message, which a server in this process takes.
    pub(crate) post: Option<SocketAddr>,
    /// The dearest request in place of the usual one.
    pub(crate) is_dearest: bool,
}

/// The rows of `filters.yaml` in their order, for a client with these credentials.
pub(crate) fn all(client: &Credentials) -> Vec<Variant> {
    let text = std::env::var("FILTERS").map_or_else(
        |_| include_str!("filters.yaml").to_owned(),
        |f| std::fs::read_to_string(f).unwrap(),
    );
    let text = text.replace("$SHA256", &client.sha256());
    let text = text.replace("$PINS", &pins(&client.sha256()));
    let text = text.replace("$RULES", &rules());
    let rows: Mapping = serde_yaml_ng::from_str(&text).unwrap();
    let row = |(name, row)| {
        variant(
            serde_yaml_ng::from_value(name).unwrap(),
            &serde_json::to_value(row).unwrap(),
        )
    };
    rows.into_iter().map(row).collect()
}

/// A thousand rules on what a client writes, of which none matches, and one that lets everybody pass.
fn rules() -> String {
    let rule = |number: usize| {
        let (name, condition) = match number % 3 {
            0 => ("paths", json!([format!("/servers/{number}/*")])),
            1 => (
                "headers",
                json!({"cookie": [format!("role=admin{number}*")]}),
            ),
            _ => ("headers", json!({"x-role": [format!("admin{number}*")]})),
        };
        json!({"name": format!("rule {number}"), "action": "deny", name: condition})
    };
    let all = json!({"name": "staff", "action": "allow", "identities": ["*@example.com"]});
    let rules: Vec<_> = (0..1000).map(rule).chain([all]).collect();
    Value::from(rules).to_string()
}

fn pins(sha256: &str) -> String {
    let others = (0..PINNED).map(|user| {
        (
            format!("user{user}@example.com"),
            json!([format!("sha256:{user:064x}")]),
        )
    });
    let pins: Map<String, Value> = others
        .chain([(
            "alice@example.com".to_owned(),
            json!([format!("sha256:{sha256}")]),
        )])
        .collect();
    Value::from(pins).to_string()
}

fn variant(name: String, row: &Value) -> Variant {
    let filters = match (row.get("plugin"), row.get("filters")) {
        (Some(plugin), _) => vec![wasm(&plugin.to_string(), &module(row))],
        (None, Some(filters)) => filters.as_array().unwrap().clone(),
        (None, None) => Vec::new(),
    };
    Variant {
        name,
        filters,
        access_log: row.get("access_log").map(access_log),
        upstream: row.get("upstream").is_some(),
        last_word: row.get("last_word").is_some(),
        post: row.get("post").map(|_| upstream::start()),
        is_dearest: row.get("dearest").is_some(),
    }
}

/// In place of the direct response another listener of the same Envoy, which gives it.
fn send_on(envoy: &mut Value, socket: &Path) {
    let socket = json!({"pipe": {"path": socket}});
    let resources = &mut envoy["static_resources"];
    let mut upstream = resources["listeners"][0].clone();
    upstream["name"] = json!("upstream");
    upstream["address"] = socket.clone();
    let chain = &mut upstream["filter_chains"][0];
    chain.as_object_mut().unwrap().remove("transport_socket");
    let hcm = &mut resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    hcm["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
    resources["listeners"]
        .as_array_mut()
        .unwrap()
        .push(upstream);
    let endpoint = json!({"lb_endpoints": [{"endpoint": {"address": socket}}]});
    resources["clusters"] = json!([{
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [endpoint]},
    }]);
}

/// In place of the direct response a server, which reads the whole request.
fn send_to(envoy: &mut Value, server: SocketAddr) {
    let resources = &mut envoy["static_resources"];
    let hcm = &mut resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    hcm["route_config"]["virtual_hosts"][0]["routes"] =
        json!([{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}]);
    let address = json!({"socket_address": {"address": server.ip(), "port_value": server.port()}});
    let endpoint = json!({"lb_endpoints": [{"endpoint": {"address": address}}]});
    resources["clusters"] = json!([{
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [endpoint]},
    }]);
}

/// The last word as it is shipped.
fn last_word() -> Map<String, Value> {
    let shipped = include_str!("../../envoy/envoy.yaml");
    let shipped: Value = serde_yaml_ng::from_str(shipped).unwrap();
    let hcm = &shipped["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    let routes = &hcm["typed_config"]["route_config"];
    let keys = ["request_headers_to_remove", "request_headers_to_add"];
    keys.map(|key| (key.to_owned(), routes[key].clone()))
        .into_iter()
        .collect()
}

/// The row's own, else `WASM` in the environment, else the filter as the sources are now.
fn module(row: &Value) -> String {
    let own = row.get("wasm").and_then(Value::as_str).map(str::to_owned);
    let other = || std::env::var("WASM").ok();
    let built = || artifacts::wasm().display().to_string();
    own.or_else(other).unwrap_or_else(built)
}

fn wasm(configuration: &str, module: &str) -> Value {
    let string = "type.googleapis.com/google.protobuf.StringValue";
    json!({
        "name": "mtls_identity",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "mtls_identity",
                "root_id": "mtls_identity",
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": true,
                "vm_config": {
                    "vm_id": "mtls_identity",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": module}},
                },
                "configuration": {"@type": string, "value": configuration},
            },
        },
    })
}

fn access_log(format: &Value) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "/dev/null",
            "log_format": format,
        },
    })
}

impl Variant {
    /// Writes the configuration of its Envoy into this folder; returns its path.
    pub(crate) fn write(&self, directory: &Path, authority: &Authority) -> std::path::PathBuf {
        let server = authority.server();
        let file = |name: &str, content: &str| {
            let path = directory.join(name);
            std::fs::write(&path, content).unwrap();
            json!({"filename": path})
        };
        let tls = json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "disable_stateless_session_resumption": true,
            "disable_stateful_session_resumption": true,
            "common_tls_context": {
                "tls_certificates": [{
                    "certificate_chain": file("server.crt", &server.pem()),
                    "private_key": file("server.key", &server.key_pem()),
                }],
                "validation_context": {"trusted_ca": file("ca.crt", &authority.pem())},
            },
        });
        let mut value: Value = serde_yaml_ng::from_str(include_str!("envoy.yaml")).unwrap();
        if self.upstream {
            send_on(&mut value, &directory.join("upstream.sock"));
        }
        if let Some(server) = self.post {
            send_to(&mut value, server);
        }
        let chain = &mut value["static_resources"]["listeners"][0]["filter_chains"][0];
        chain["transport_socket"]["typed_config"] = tls;
        let hcm = &mut chain["filters"][0]["typed_config"];
        if self.last_word {
            let routes = hcm["route_config"].as_object_mut().unwrap();
            routes.extend(last_word());
        }
        hcm["access_log"] = self.access_log.iter().cloned().collect();
        let filters = hcm["http_filters"].as_array_mut().unwrap();
        filters.splice(0..0, self.filters.iter().cloned());
        let path = directory.join("envoy.json");
        std::fs::write(&path, value.to_string()).unwrap();
        path
    }
}
