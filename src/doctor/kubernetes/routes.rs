//! Routes that write an owned header: VirtualService, HTTPRoute, GRPCRoute, HTTPRouteFilter.

use std::collections::BTreeSet;

use super::objects::{ENVOY_GATEWAY, GATEWAY_API, NETWORKING, Object, Objects};
use super::patch_policy;
use super::plugin::Plugin;
use crate::config::Configuration;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::owned::{Owned, folded};

/// Owned headers that a route writes. Without a filter in the files those of the default configuration are owned.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let default = Configuration::parse(b"{}").ok();
    let mut owned: Vec<_> = plugins.iter().filter_map(Plugin::owned).collect();
    if owned.is_empty() {
        owned.extend(default.as_ref().map(Owned::new));
    }
    let covered = covered(objects);
    for object in objects.all() {
        for (name, at) in written(object) {
            let is_owned = owned.iter().any(|it| it.has(name)) || is_forwarded_certificate(name);
            if is_owned {
                let is_covered = covered.contains(&name.to_ascii_lowercase());
                let cure = format!("take {name} out of this route");
                let finding = Finding::header_written(name, &at, is_covered, cure);
                report.add(object.place(finding));
            }
        }
    }
}

/// What a sidecar behind an ingress believes.
fn is_forwarded_certificate(name: &str) -> bool {
    folded(name) == "x-forwarded-client-cert"
}

/// The headers that an object writes into requests.
fn written<'a>(object: &Object<'a>) -> Vec<(&'a str, Node<'a>)> {
    match (object.group, object.kind) {
        (NETWORKING, "VirtualService") => by_virtual_service(&object.node),
        (GATEWAY_API, "HTTPRoute" | "GRPCRoute") => by_route(&object.node),
        (ENVOY_GATEWAY, "HTTPRouteFilter") => by_route_filter(&object.node),
        _ => Vec::new(),
    }
}

fn by_virtual_service<'a>(object: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let mut levels = object.list("spec.http");
    let destinations = levels.iter().flat_map(|it| it.list("route"));
    levels.extend(destinations.collect::<Vec<_>>());
    let places = ["headers.request.set", "headers.request.add"];
    let maps = levels
        .iter()
        .flat_map(|level| places.iter().filter_map(|it| level.get(it)));
    maps.flat_map(|map| map.members()).collect()
}

fn by_route<'a>(object: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let rules = object.list("spec.rules");
    let backends = rules.iter().flat_map(|it| it.list("backendRefs"));
    let levels = rules.iter().cloned().chain(backends);
    let filters = levels.flat_map(|level| level.list("filters"));
    let places = ["requestHeaderModifier.set", "requestHeaderModifier.add"];
    let entries = filters.flat_map(|filter| {
        places
            .iter()
            .flat_map(|it| filter.list(it))
            .collect::<Vec<_>>()
    });
    entries.map(|entry| (entry.text("name"), entry)).collect()
}

fn by_route_filter<'a>(object: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let header = object.get("spec.credentialInjection.header");
    let header = header.and_then(|at| Some((at.as_str()?, at)));
    header.into_iter().collect()
}

/// The names that a last word of these files removes: an EnvoyFilter's, or an EnvoyPatchPolicy's.
fn covered(objects: &Objects<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for filter in objects.of_kind(NETWORKING, "EnvoyFilter") {
        for patch in filter.node.list("spec.configPatches") {
            let value = patch.get("patch.value");
            let places = [
                "request_headers_to_remove",
                "typed_config.route_config.request_headers_to_remove",
            ];
            let removed = value
                .iter()
                .flat_map(|it| places.iter().flat_map(|place| it.texts(place)));
            names.extend(removed.map(str::to_ascii_lowercase));
        }
    }
    let patched = patch_policy::removed(objects);
    names.extend(patched.into_iter().map(str::to_ascii_lowercase));
    names
}
