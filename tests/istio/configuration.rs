//! What the filter is told in each manifest.

use std::collections::BTreeMap;
use std::fs;

use mtls_identity::config::Configuration;
use serde_json::{Value, json};

use crate::manifests::{Manifests, OVERLAYS, Plugin, documents, repository};

fn plugins() -> Vec<(&'static str, Plugin)> {
    let of = |overlay| Manifests::of(overlay).plugins().into_iter();
    let overlays = OVERLAYS.into_iter();
    overlays
        .flat_map(|overlay| of(overlay).map(move |plugin| (overlay, plugin)))
        .collect()
}

#[test]
fn the_filter_itself_loads_every_configuration() {
    let plugins = plugins();
    assert_eq!(plugins.len(), 10, "one in each gateway, one behind it");
    for (overlay, plugin) in plugins {
        let text = plugin.configuration().to_string();
        if let Err(error) = Configuration::parse(text.as_bytes()) {
            panic!("{overlay}, {}: {error}", plugin.qualified_name());
        }
    }
}

#[test]
fn no_plugin_fails_open_and_each_runs_in_front_of_istios_own_policies() {
    for (overlay, plugin) in plugins() {
        let wasm = plugin.wasm();
        assert_eq!(wasm["failStrategy"], "FAIL_RELOAD", "{overlay}");
        assert_eq!(wasm["pluginName"], "mtls_identity", "{overlay}");
        assert_eq!(plugin.0["spec"]["phase"], "AUTHN", "{overlay}");
    }
}

#[test]
fn an_image_is_taken_by_its_digest_which_until_it_is_set_is_that_of_no_image() {
    for (overlay, plugin) in plugins() {
        let wasm = plugin.wasm();
        assert_eq!(wasm["sha256"], "0".repeat(64), "{overlay}");
        assert!(wasm["url"].as_str().unwrap().starts_with("oci://"));
    }
}

/// All that the two kinds say in common.
fn meaning(plugin: &Plugin) -> Value {
    let mut spec = plugin.0["spec"].clone();
    let spec = spec.as_object_mut().unwrap();
    let wasm = spec.remove("wasm");
    let wasm = wasm.iter().flat_map(|wasm| wasm.as_object().unwrap());
    let wasm: Vec<_> = wasm
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    spec.extend(wasm);
    spec.clone().into()
}

#[test]
fn a_traffic_extension_says_what_its_wasm_plugin_says() {
    for overlay in ["gateway", "sidecar", "waypoint"] {
        let older = Manifests::of(overlay);
        let newer = OVERLAYS.iter().find(|name| {
            name.strip_prefix("traffic-extension/")
                .is_some_and(|name| name == overlay)
        });
        let newer = Manifests::of(newer.unwrap());
        let of = |manifests: &Manifests| {
            let plugins = manifests.plugins().into_iter();
            plugins
                .map(|plugin| (plugin.qualified_name(), meaning(&plugin)))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(&older), of(&newer), "{overlay}");
        assert_eq!(older.of_kind("TrafficExtension").count(), 0);
        assert_eq!(newer.of_kind("WasmPlugin").count(), 0);
        let rest = |manifests: &Manifests| {
            let is_plugin = |object: &&Value| {
                ["WasmPlugin", "TrafficExtension"].contains(&object["kind"].as_str().unwrap())
            };
            let objects = manifests.all().iter().filter(|object| !is_plugin(object));
            objects.cloned().collect::<Vec<_>>()
        };
        assert_eq!(rest(&older), rest(&newer), "{overlay}");
    }
}

/// The variables of the MCP gateway's container that are written out.
fn environment(manifests: &Manifests) -> BTreeMap<String, String> {
    let container = &manifests.workload("mcp-gateway").pod["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    variables
        .filter_map(|variable| Some((text(&variable["name"])?, text(&variable["value"])?)))
        .collect()
}

#[test]
fn the_mcp_gateway_looks_for_its_user_where_the_filter_writes_it() {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        // Without `headers.user` it is this one.
        for plugin in manifests.plugins() {
            assert_eq!(plugin.configuration()["headers"]["user"], Value::Null);
        }
        let header = &environment(&manifests)["PROXY_USER_HEADER"];
        assert!(header.eq_ignore_ascii_case("x-ssl-client-s-dn-cn"));
    }
}

/// Of `settings.env`, which the tests of ContextForge run with, and what only a mesh needs.
#[test]
fn the_mcp_gateway_has_the_shipped_settings() {
    let file = repository().join("envoy/contextforge/settings.env");
    let file = fs::read_to_string(file).unwrap();
    let lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut expected: BTreeMap<_, _> = lines.map(|line| line.split_once('=').unwrap()).collect();
    let more = r#"["/health","/mcp","/servers","/rpc"]"#;
    expected.insert("CSRF_EXEMPT_PATHS", more);
    // It is a Pod, serves `/ws` as well, and has an address and a Service by which it could call itself.
    let own = [
        "DATABASE_URL",
        "HOST",
        "MCPGATEWAY_WS_RELAY_ENABLED",
        "PORT",
        "SSRF_BLOCKED_HOSTS",
        "SSRF_BLOCKED_NETWORKS",
    ];
    for overlay in OVERLAYS {
        let mut environment = environment(&Manifests::of(overlay));
        for name in own {
            assert!(environment.remove(name).is_some(), "{overlay}: {name}");
        }
        let environment: BTreeMap<_, _> = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(environment, expected, "{overlay}");
    }
}

/// It would write a registered server's own headers, the user header as well, to itself.
#[test]
fn the_mcp_gateway_calls_neither_itself_nor_private_networks() {
    for overlay in OVERLAYS {
        let gateway = Manifests::of(overlay).workload("mcp-gateway");
        let container = &gateway.pod["spec"]["containers"][0];
        let variables = container["env"].as_array().unwrap();
        let value = |name: &str| {
            let mut variables = variables.iter();
            let variable = variables.find(|variable| variable["name"] == name);
            variable.unwrap()["value"].as_str().unwrap()
        };
        assert_eq!(value("SSRF_ALLOW_LOCALHOST"), "false");
        assert_eq!(value("SSRF_ALLOW_PRIVATE_NETWORKS"), "false");
        let list = |name| -> Vec<String> { serde_json::from_str(value(name)).unwrap() };
        assert_eq!(list("SSRF_ALLOWED_NETWORKS"), [""; 0]);
        let blocked = list("SSRF_BLOCKED_NETWORKS");
        assert!(blocked.contains(&"$(POD_IP)/32".to_owned()));
        assert!(blocked.contains(&"169.254.0.0/16".to_owned()));
        let names = list("SSRF_BLOCKED_HOSTS");
        assert!(names.contains(&"mcp-gateway.mcp-system.svc.cluster.local".to_owned()));
        // Kubernetes puts in a variable that stands further up.
        let place = |name: &str| {
            variables
                .iter()
                .position(|variable| variable["name"] == name)
        };
        assert!(place("POD_IP") < place("SSRF_BLOCKED_NETWORKS"));
        for probe in ["readinessProbe", "livenessProbe"] {
            assert!(container[probe]["tcpSocket"].is_object(), "{probe}");
        }
    }
}

/// The MCP gateway asks for no CSRF token where MCP clients POST, and a browser shows its certificate for any page.
#[test]
fn a_page_of_another_site_gets_nothing_from_an_ingress() {
    let rule = json!({
        "name": "no-other-site",
        "action": "deny",
        "headers": {"sec-fetch-site": ["cross-site", "same-site"]},
    });
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        let ingress = manifests.plugin(&manifests.workload("mcp-ingress"));
        let first = ingress.unwrap().configuration()["authorization"]["rules"][0].clone();
        assert_eq!(first, rule, "{overlay}");
    }
    let component = fs::read_to_string(repository().join("istio/mcp/filter/filter.yaml")).unwrap();
    let filter = documents(&component).remove(0);
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    let mut texts = patches.iter().filter_map(|patch| {
        patch["patch"]["value"]["typed_config"]["config"]["configuration"]["value"].as_str()
    });
    let configuration: Value = serde_json::from_str(texts.next().unwrap()).unwrap();
    assert_eq!(configuration["authorization"]["rules"][0], rule);
}

/// The name of a workload that no rule of the map turned into an agent's.
#[test]
fn where_agents_come_a_raw_spiffe_id_is_nobody() {
    for (overlay, plugin) in plugins() {
        let configuration = plugin.configuration();
        let is_mapped = configuration["identity"]["map"].is_array();
        let rules = configuration["authorization"]["rules"].as_array().unwrap();
        let first = &rules[0];
        assert_eq!(first["action"], "deny", "{overlay}");
        let denied = json!(["spiffe://*"]);
        assert_eq!(first["identities"] == denied, is_mapped, "{overlay}");
    }
}
