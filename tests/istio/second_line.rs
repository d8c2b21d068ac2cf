//! The second line of each proxy with the filter: what it removes, and what it asks for.

use std::collections::BTreeMap;

use mtls_identity::config::Configuration;
use serde_json::{Value, json};

use crate::manifests::{Manifests, OVERLAYS, Plugin, Workload, strings};

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

fn guarded(overlay: &'static str) -> Vec<(Manifests, Workload, Plugin)> {
    let manifests = Manifests::of(overlay);
    let workloads = manifests.workloads().into_iter();
    let guarded = workloads.filter_map(|workload| {
        let plugin = manifests.plugin(&workload)?;
        Some((manifests.clone(), workload, plugin))
    });
    guarded.collect()
}

/// The mutations in front of all filters.
fn removals(manifests: &Manifests, workload: &Workload) -> Vec<Value> {
    let filters = manifests.attached("EnvoyFilter", workload).into_iter();
    let patches = filters.flat_map(|filter| filter["spec"]["configPatches"].as_array().unwrap());
    patches
        .filter(|patch| patch["applyTo"] == "NETWORK_FILTER")
        .flat_map(|patch| {
            let manager = &patch["patch"]["value"]["typed_config"];
            let early = &manager["early_header_mutation_extensions"][0]["typed_config"];
            early["mutations"].as_array().unwrap().clone()
        })
        .collect()
}

/// What the route configuration of a proxy removes, and what it adds from which value.
fn last_word(
    manifests: &Manifests,
    workload: &Workload,
) -> (Vec<String>, BTreeMap<String, String>) {
    let filters = manifests.attached("EnvoyFilter", workload).into_iter();
    let patches = filters.flat_map(|filter| filter["spec"]["configPatches"].as_array().unwrap());
    let (mut removed, mut added) = (Vec::new(), BTreeMap::new());
    for patch in patches {
        let value = &patch["patch"]["value"];
        let routes = match patch["applyTo"].as_str() {
            Some("ROUTE_CONFIGURATION") => value,
            _ => &value["typed_config"]["route_config"],
        };
        let names = strings(&routes["request_headers_to_remove"]);
        removed.extend(names.into_iter().map(str::to_owned));
        for entry in routes["request_headers_to_add"]
            .as_array()
            .into_iter()
            .flatten()
        {
            assert_eq!(entry["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD");
            let [key, value] = ["key", "value"].map(|part| entry["header"][part].as_str().unwrap());
            added.insert(key.to_owned(), value.to_owned());
        }
    }
    (removed, added)
}

/// Whoever writes routes writes headers behind every filter.
#[test]
fn what_the_filter_sets_is_removed_and_written_once_more_at_the_routes() {
    for (manifests, workload, plugin) in OVERLAYS.iter().flat_map(|overlay| guarded(overlay)) {
        let (removed, added) = last_word(&manifests, &workload);
        let set = plugin.configuration()["headers"]["set"]
            .as_object()
            .unwrap();
        let mut set: Vec<_> = set.keys().map(String::as_str).collect();
        set.push("x-ssl-client-s-dn-cn");
        let states = set.iter().map(|name| {
            let state = format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%");
            ((*name).to_owned(), state)
        });
        assert_eq!(added, states.collect(), "{}", workload.name);
        set.extend([
            "x-authenticated-user",
            "x-user-organization",
            "client-cert",
            "client-cert-chain",
        ]);
        for name in set
            .iter()
            .flat_map(|name| [(*name).to_owned(), name.replace('-', "_")])
        {
            assert!(removed.contains(&name), "{}: {name}", workload.name);
        }
    }
}

/// A context that istiod looks at: one that it knows and does nothing with would go unnoticed.
#[test]
fn every_patch_is_for_a_context_that_istiod_looks_at() {
    for (manifests, workload, _) in OVERLAYS.iter().flat_map(|overlay| guarded(overlay)) {
        for filter in manifests.attached("EnvoyFilter", &workload) {
            for patch in filter["spec"]["configPatches"].as_array().unwrap() {
                let context = &patch["match"]["context"];
                let expected = match workload.name.as_str() {
                    "mcp-ingress" => "GATEWAY",
                    _ => "SIDECAR_INBOUND",
                };
                assert_eq!(*context, expected, "{patch}");
                if workload.pod.is_null() {
                    assert_eq!(patch["match"]["listener"]["name"], "main_internal");
                }
            }
        }
    }
}

fn removes(mutations: &[Value], name: &str) -> bool {
    mutations.iter().any(|mutation| {
        let prefix = mutation["remove_on_match"]["key_matcher"]["prefix"].as_str();
        mutation["remove"] == name || prefix.is_some_and(|prefix| name.starts_with(prefix))
    })
}

#[test]
fn what_the_filter_owns_is_removed_in_front_of_it() {
    for (manifests, workload, plugin) in OVERLAYS.iter().flat_map(|overlay| guarded(overlay)) {
        let mutations = removals(&manifests, &workload);
        let headers = &plugin.configuration()["headers"];
        let mut owned = strings(&headers["strip"]);
        owned.extend(
            headers["set"]
                .as_object()
                .unwrap()
                .keys()
                .map(String::as_str),
        );
        owned.extend(headers["user"].as_str());
        owned.extend([
            "x-ssl-client-s-dn-cn",
            "x-ssl-client-anything",
            "x-authenticated-user",
            "x-user-organization",
            "client-cert",
            "client-cert-chain",
        ]);
        let text = plugin.configuration().to_string();
        let configuration = Configuration::parse(text.as_bytes()).unwrap();
        for name in owned {
            assert!(
                configuration.filter.headers.is_owned(name.as_bytes()),
                "{name}"
            );
            assert!(removes(&mutations, name), "{}: {name}", workload.name);
        }
    }
}

/// A filter reads it, and so nothing in front of that filter may take it away.
#[test]
fn the_forwarded_certificate_reaches_the_filter_of_the_sidecar_and_goes_no_further() {
    let manifests = Manifests::of("sidecar");
    let gateway = manifests.workload("mcp-gateway");
    let mutations = removals(&manifests, &gateway);
    assert!(!removes(&mutations, "x-forwarded-client-cert"));
    for overlay in OVERLAYS.iter().filter(|name| !name.ends_with("waypoint")) {
        let manifests = Manifests::of(overlay);
        let filter = manifests.object("EnvoyFilter", "mcp-system", "forwarded-certificate");
        let patch = &filter.unwrap()["spec"]["configPatches"][0];
        assert_eq!(patch["applyTo"], "HTTP_FILTER");
        assert_eq!(patch["patch"]["operation"], "INSERT_BEFORE");
        let place = &patch["match"]["listener"]["filterChain"]["filter"];
        // Without the second name it would be in front of everything.
        assert_eq!(
            place,
            &json!({"name": MANAGER, "subFilter": {"name": "envoy.filters.http.router"}})
        );
    }
    let waypoint = Manifests::of("waypoint");
    let routes = waypoint.object("VirtualService", "mcp-ingress", "mcp-gateway");
    let removed = &routes.unwrap()["spec"]["http"][0]["headers"]["request"]["remove"];
    assert_eq!(strings(removed), ["x-forwarded-client-cert"]);
}

#[test]
fn every_proxy_with_the_filter_denies_what_comes_without_its_mark() {
    let mut guards = 0;
    for (manifests, workload, plugin) in OVERLAYS.iter().flat_map(|overlay| guarded(overlay)) {
        let set = plugin.configuration()["headers"]["set"]
            .as_object()
            .unwrap();
        let mark = set.iter().find(|(_, value)| **value == "verify").unwrap().0;
        let expected = json!([{"when": [{
            "key": format!("request.headers[{mark}]"),
            "notValues": ["*"],
        }]}]);
        let policies = manifests.attached("AuthorizationPolicy", &workload);
        let guard = policies
            .iter()
            .find(|policy| policy["spec"]["rules"] == expected);
        // An ALLOW could be outdone by any other policy that allows.
        assert_eq!(
            guard.unwrap()["spec"]["action"],
            "DENY",
            "{}",
            workload.name
        );
        guards += 1;
    }
    assert_eq!(guards, 10);
}

#[test]
fn names_with_underscores_are_dropped_and_escaped_slashes_refused() {
    for (manifests, workload, _) in OVERLAYS.iter().flat_map(|overlay| guarded(overlay)) {
        let filters = manifests.attached("EnvoyFilter", &workload).into_iter();
        let mut patches = filters.flat_map(|filter| filter["spec"]["configPatches"].as_array());
        let patch = patches.find_map(|patches| {
            let mut patches = patches.iter();
            patches.find(|patch| patch["applyTo"] == "NETWORK_FILTER")
        });
        let manager = &patch.unwrap()["patch"]["value"]["typed_config"];
        assert_eq!(
            manager["common_http_protocol_options"]["headers_with_underscores_action"],
            "DROP_HEADER"
        );
        assert_eq!(
            manager["path_with_escaped_slashes_action"],
            "REJECT_REQUEST"
        );
    }
}
