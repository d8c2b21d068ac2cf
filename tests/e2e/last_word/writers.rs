//! Whoever can write a header behind the filter, and what they write.

use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::FORGED;

use super::overwrite;

/// A path whose route goes to a weighted cluster.
pub(super) const WEIGHTED: &str = "/weighted";
/// A path whose answer Envoy itself follows to `/landed`.
pub(super) const REDIRECTED: &str = "/redirected";

/// Every owned name that the filter sets or that a gateway reads, each also with `_`.
const WRITTEN: [&str; 7] = [
    "x-ssl-client-s-dn-cn",
    "x-ssl-client-verify",
    "x-authenticated-user",
    "x-user-organization",
    "client-cert",
    "client-cert-chain",
    "x-forwarded-client-cert",
];

fn written() -> Vec<String> {
    let spellings = |name: &str| [name.to_owned(), name.replace('-', "_")];
    WRITTEN.into_iter().flat_map(spellings).collect()
}

/// Mutations that give each owned name a forged value.
fn forged() -> Vec<Value> {
    let names = written();
    names.iter().map(|name| overwrite(name, FORGED)).collect()
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Writer {
    Route,
    VirtualHost,
    WeightedCluster,
    Redirect,
    HeaderMutation,
    Lua,
}

impl Writer {
    pub(super) const ALL: [Self; 6] = [
        Self::Route,
        Self::VirtualHost,
        Self::WeightedCluster,
        Self::Redirect,
        Self::HeaderMutation,
        Self::Lua,
    ];

    /// A path on which it writes.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::WeightedCluster => WEIGHTED,
            Self::Redirect => REDIRECTED,
            Self::Route | Self::VirtualHost | Self::HeaderMutation | Self::Lua => "/",
        }
    }

    pub(super) fn write(self, envoy: &mut Bootstrap) {
        match self {
            Self::Route => shipped_routes(envoy).iter_mut().for_each(add_forged),
            Self::VirtualHost => add_forged(&mut envoy.route_config()["virtual_hosts"][0]),
            Self::WeightedCluster => weighted(envoy),
            Self::Redirect => redirected(envoy),
            Self::HeaderMutation => behind(envoy, "header_mutation", header_mutation()),
            Self::Lua => behind(envoy, "lua", lua()),
        }
    }
}

fn shipped_routes(envoy: &mut Bootstrap) -> &mut Vec<Value> {
    let hosts = &mut envoy.route_config()["virtual_hosts"];
    hosts[0]["routes"].as_array_mut().unwrap()
}

fn add_forged(place: &mut Value) {
    let added = place["request_headers_to_add"].as_array().cloned();
    let added = added.unwrap_or_default().into_iter().chain(forged());
    place["request_headers_to_add"] = added.collect();
}

fn weighted(envoy: &mut Bootstrap) {
    let cluster = json!({"name": "gateway", "weight": 1, "request_headers_to_add": forged()});
    let route = json!({
        "match": {"path": WEIGHTED},
        "route": {"weighted_clusters": {"clusters": [cluster]}},
    });
    shipped_routes(envoy).insert(0, route);
}

/// An upstream that answers with a redirect, which Envoy follows by itself with the headers that it has by then.
fn redirected(envoy: &mut Bootstrap) {
    let socket = json!({"pipe": {"path": envoy.file("redirect.sock", "")}});
    std::fs::remove_file(socket["pipe"]["path"].as_str().unwrap()).unwrap();
    let resources = &mut envoy.value()["static_resources"];
    resources["listeners"].as_array_mut().unwrap().push(json!({
        "name": "redirect",
        "address": socket,
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "redirect",
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
                }],
                "route_config": {"virtual_hosts": [{
                    "name": "redirect",
                    "domains": ["*"],
                    "routes": [{
                        "match": {"prefix": "/"},
                        "redirect": {"path_redirect": "/landed", "response_code": "FOUND"},
                    }],
                }]},
            },
        }]}],
    }));
    let endpoint = json!({"lb_endpoints": [{"endpoint": {"address": socket}}]});
    resources["clusters"].as_array_mut().unwrap().push(json!({
        "name": "redirect",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "redirect", "endpoints": [endpoint]},
    }));
    let route = json!({
        "match": {"path": REDIRECTED},
        "route": {"cluster": "redirect", "internal_redirect_policy": {"allow_cross_scheme_redirect": true}},
        "request_headers_to_add": forged(),
    });
    let landed = json!({
        "match": {"path": "/landed"},
        "route": {"cluster": "gateway"},
        "request_headers_to_add": forged(),
    });
    shipped_routes(envoy).splice(0..0, [route, landed]);
}

/// Puts a filter right before the router.
fn behind(envoy: &mut Bootstrap, name: &str, configuration: Value) {
    let filters = envoy.http_filters();
    let router = filters.len() - 1;
    filters.insert(router, json!({"name": name, "typed_config": configuration}));
}

fn header_mutation() -> Value {
    let mutations: Vec<_> = forged()
        .into_iter()
        .map(|mutation| json!({"append": mutation}))
        .collect();
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
        "mutations": {"request_mutations": mutations},
    })
}

fn lua() -> Value {
    let adds = written().into_iter().map(|name| {
        // A second value beside the filter's.
        format!("handle:headers():add(\"{name}\", \"{FORGED}\")\n")
    });
    let code = format!(
        "function envoy_on_request(handle)\n{}end\n",
        adds.collect::<String>()
    );
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": code},
    })
}
