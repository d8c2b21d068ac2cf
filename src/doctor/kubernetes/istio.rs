//! Objects of Istio around one plugin: its phase, the Gateway's TLS, patches that do nothing.

use super::objects::{GATEWAY_API, NETWORKING, Object, Objects};
use super::plugin::Plugin;
use crate::config::Configuration;
use crate::decide::{MissingIdentity, ValidationSource};
use crate::doctor::finding::{Finding, Report};
use crate::doctor::rule::Rule;
use crate::doctor::users;
use crate::rules::TokenBinding;

/// What is wrong around the plugins.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    for plugin in plugins {
        check_phase(plugin, report);
        if let Some(configuration) = &plugin.configuration {
            check_unmapped(plugin, configuration, report);
            check_tokens(plugin, configuration, report);
        }
        let gateways = objects.of_kind(NETWORKING, "Gateway");
        for gateway in gateways.filter(|gateway| is_served_by(gateway, plugin)) {
            check_servers(gateway, plugin, report);
        }
    }
    for filter in objects.of_kind(NETWORKING, "EnvoyFilter") {
        check_patches(filter, objects, report);
    }
}

/// AUTHN and AUTHZ stand in front of Istio's policies.
fn check_phase(plugin: &Plugin<'_>, report: &mut Report) {
    let phase = plugin.object.node.text("spec.phase");
    let has_phase = ["WasmPlugin", "TrafficExtension"].contains(&plugin.object.kind);
    if has_phase && !["AUTHN", "AUTHZ"].contains(&phase) {
        let found = "the plugin is not in phase AUTHN, and so behind the guard";
        let at = &plugin.object.node;
        plugin.add(
            report,
            Finding::warning(Rule::PluginPhase, at, found, "phase: AUTHN"),
        );
    }
}

/// What is in phase AUTHN runs before `jwt_authn`.
fn check_tokens(plugin: &Plugin<'_>, configuration: &Configuration, report: &mut Report) {
    let binds = configuration.filter.policy.tokens.binding != TokenBinding::Off;
    if binds && plugin.object.node.text("spec.phase") == "AUTHN" {
        let found = "certificate.bound in phase AUTHN, which runs before jwt_authn";
        let at = &plugin.object.node;
        plugin.add(
            report,
            Finding::error(Rule::JwtBehind, at, found, "phase: AUTHZ"),
        );
    }
}

/// Whether a SPIFFE ID can be a user as it is.
fn check_unmapped(plugin: &Plugin<'_>, configuration: &Configuration, report: &mut Report) {
    if users::takes_unmapped_ids(configuration, &plugin.json) {
        let at = &plugin.wasm;
        let finding = Finding::warning(Rule::UnmappedUser, at, users::FOUND, users::CURE);
        plugin.add(report, finding);
    }
}

/// Whether the proxies of a plugin serve a Gateway of the same namespace.
fn is_served_by(gateway: &Object<'_>, plugin: &Plugin<'_>) -> bool {
    let selector = gateway.node.get("spec.selector");
    let selector = selector
        .map(|it| super::objects::labels(&it))
        .unwrap_or_default();
    let labels = plugin.labels.as_ref();
    gateway.namespace == plugin.object.namespace
        && !plugin.is_in_a_sidecar()
        && labels.is_some_and(|labels| super::objects::selects(&selector, labels))
}

fn check_servers(gateway: &Object<'_>, plugin: &Plugin<'_>, report: &mut Report) {
    for server in gateway.node.list("spec.servers") {
        let Some(tls) = server.get("tls") else {
            continue;
        };
        if tls.is_true("insecureSkipVerify") {
            let found = format!(
                "insecureSkipVerify, {}",
                validation(plugin.configuration.as_ref())
            );
            let cure = "take insecureSkipVerify out; mode: MUTUAL";
            report.add(gateway.place(Finding::error(Rule::AcceptUntrusted, &tls, found, cure)));
        }
        let mode = tls.text("mode");
        let is_strict = plugin.configuration.as_ref().is_some_and(|configuration| {
            configuration.filter.policy.missing == MissingIdentity::Deny
        });
        if ["SIMPLE", "OPTIONAL_MUTUAL"].contains(&mode) && is_strict {
            let found =
                format!("mode: {mode} asks for no certificate, or takes none for an answer");
            let finding = Finding::warning(Rule::CertificateOptional, &tls, found, "mode: MUTUAL");
            report.add(gateway.place(finding));
        }
    }
}

/// What a filter with this configuration makes of a certificate that nobody verified.
pub(super) fn validation(configuration: Option<&Configuration>) -> &'static str {
    match configuration.map(|it| it.filter.policy.validation) {
        Some(ValidationSource::Listener) => "and the filter has `validation: listener`",
        Some(ValidationSource::Required) => "and the filter alone stands against it",
        None => "and the filter is not in these files",
    }
}

/// Istio takes no notice of some patches, and says nothing.
fn check_patches(filter: &Object<'_>, objects: &Objects<'_>, report: &mut Report) {
    for patch in filter.node.list("spec.configPatches") {
        let is_for_waypoint = patch.text("match.context") == "WAYPOINT";
        let kind = patch.text("applyTo");
        let is_for_routes = ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"].contains(&kind);
        let found = if is_for_waypoint {
            "istiod does nothing with context: WAYPOINT"
        } else if is_for_routes && targets_waypoint(filter, objects) {
            "in a waypoint istiod drops patches of routes where the Service has a VirtualService"
        } else {
            continue;
        };
        let cure = "context: SIDECAR_INBOUND, listener: { name: main_internal }, and route_config in the connection manager: istio/waypoint/identity-headers.yaml";
        let finding = Finding::error(Rule::PatchWithoutEffect, &patch, found, cure);
        report.add(filter.place(finding));
    }
}

fn targets_waypoint(filter: &Object<'_>, objects: &Objects<'_>) -> bool {
    let targets = filter.targets();
    let mut gateways = objects.of_kind(GATEWAY_API, "Gateway");
    gateways.any(|gateway| {
        gateway.namespace == filter.namespace
            && gateway.node.text("spec.gatewayClassName") == "istio-waypoint"
            && targets.contains(&("Gateway", gateway.name))
    })
}
