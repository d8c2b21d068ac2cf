//! EnvoyPatchPolicies of Envoy Gateway: a patch of a resource that Envoy Gateway does not make changes nothing.

use super::objects::{ENVOY_GATEWAY, GATEWAY_API, Object, Objects};
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;

/// Patches that find nothing. Envoy Gateway says so in the status of the policy alone.
pub(super) fn check(objects: &Objects<'_>, report: &mut Report) {
    for policy in objects.of_kind(ENVOY_GATEWAY, "EnvoyPatchPolicy") {
        for patch in policy.node.list("spec.jsonPatches") {
            if let Some(expected) = names_nothing(&patch, policy, objects) {
                let name = patch.text("name");
                let found = format!("name: {name} is no resource of this Gateway");
                let cure = format!("name: {}", expected.join(", or "));
                let finding = Finding::error(Rule::PatchWithoutEffect, &patch, found, cure);
                report.add(policy.place(finding));
            }
        }
    }
}

/// The headers that the patches with an effect remove at the route configuration.
pub(super) fn removed<'a>(objects: &Objects<'a>) -> Vec<&'a str> {
    let policies = objects.of_kind(ENVOY_GATEWAY, "EnvoyPatchPolicy");
    let patches = policies.flat_map(|policy| {
        let patches = policy.node.list("spec.jsonPatches").into_iter();
        patches.filter(|patch| names_nothing(patch, policy, objects).is_none())
    });
    let removing = patches.filter(|patch| {
        let path = patch.text("operation.path");
        path.ends_with("/request_headers_to_remove")
    });
    removing
        .flat_map(|patch| patch.texts("operation.value"))
        .collect()
}

/// The names that a patch could have, if the one that it has is none of them. Nothing is said of a Gateway that the files do
/// not have.
fn names_nothing(
    patch: &Node<'_>,
    policy: &Object<'_>,
    objects: &Objects<'_>,
) -> Option<Vec<String>> {
    let kind = patch.text("type").rsplit('.').next();
    let kind = kind.filter(|it| ["Listener", "RouteConfiguration"].contains(it))?;
    let operation = |field: &str| !patch.text(field).is_empty();
    let is_whole = !operation("operation.path") && !operation("operation.jsonPath");
    if patch.text("operation.op") == "add" && is_whole {
        // It adds a resource of its own.
        return None;
    }
    let gateways = targets(policy, objects);
    let name = patch.text("name");
    let is_known = gateways.iter().any(|it| is_resource(name, kind, it));
    (!is_known && !gateways.is_empty()).then(|| gateways.iter().flat_map(names).collect())
}

/// The Gateways whose Envoy a policy patches. With `mergeGateways` it is attached to their class.
fn targets<'o, 'a>(policy: &Object<'_>, objects: &'o Objects<'a>) -> Vec<&'o Object<'a>> {
    let targets = policy.targets();
    let gateways = objects.of_kind(GATEWAY_API, "Gateway").filter(|gateway| {
        let class = gateway.node.text("spec.gatewayClassName");
        let is_named = targets.contains(&("Gateway", gateway.name));
        (is_named && gateway.namespace == policy.namespace)
            || targets.contains(&("GatewayClass", class))
    });
    gateways.collect()
}

/// `NAMESPACE/GATEWAY/LISTENER` of each listener.
fn names(gateway: &&Object<'_>) -> Vec<String> {
    let prefix = format!("{}/{}", gateway.namespace, gateway.name);
    let listeners = gateway.node.list("spec.listeners");
    let names = listeners.iter().map(|it| it.text("name"));
    names.map(|name| format!("{prefix}/{name}")).collect()
}

/// Whether Envoy Gateway makes a resource of this name: for one of the Gateway's listeners, for one of a ListenerSet
/// (`NAMESPACE/GATEWAY/NAMESPACE/SET/LISTENER`), or for a port, where its runtime flag `XDSNameSchemeV2` is on.
fn is_resource(name: &str, kind: &str, gateway: &Object<'_>) -> bool {
    let own = match kind {
        "Listener" => name.strip_suffix("-quic").unwrap_or(name),
        _ => name,
    };
    let known = names(&gateway);
    if known.iter().any(|it| it == name || it == own) {
        return true;
    }
    let prefix = format!("{}/{}/", gateway.namespace, gateway.name);
    let rest = own.strip_prefix(&prefix);
    if rest.is_some_and(|rest| rest.split('/').count() == 3) {
        return true;
    }
    let protocols: &[&str] = match kind {
        "Listener" => &["tcp", "udp"],
        _ => &["http"],
    };
    let port = name
        .split_once('-')
        .filter(|(protocol, _)| protocols.contains(protocol));
    let listeners = gateway.node.list("spec.listeners");
    let mut ports = listeners.iter().filter_map(|it| it.number("port"));
    port.is_some_and(|(_, port)| ports.any(|it| it.to_string() == port))
}
