//! The Gateway API and Envoy Gateway: client validation, the guard, policies that displace ours.

use super::istio::validation;
use super::objects::{ENVOY_GATEWAY, GATEWAY_API, Object, Objects};
use super::plugin::Plugin;
use crate::decide::{MissingIdentity, ValidationSource};
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;
use crate::request::MARK;

/// What is wrong with the objects of the Gateway API and of Envoy Gateway.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    for gateway in objects.of_kind(GATEWAY_API, "Gateway") {
        check_frontend(gateway, plugins, report);
        if plugin_of(gateway.namespace, gateway.name, plugins).is_some() {
            check_shared(gateway, report);
            check_frontend_beside_policy(gateway, objects, report);
        }
    }
    for policy in objects.of_kind(ENVOY_GATEWAY, "ClientTrafficPolicy") {
        check_client_validation(policy, plugins, report);
        check_underscores(policy, plugins, report);
    }
    for policy in objects.of_kind(ENVOY_GATEWAY, "SecurityPolicy") {
        check_guard(policy, report);
    }
    for kind in [
        "SecurityPolicy",
        "EnvoyExtensionPolicy",
        "ClientTrafficPolicy",
    ] {
        for policy in objects.of_kind(ENVOY_GATEWAY, kind) {
            check_place(policy, objects, plugins, report);
        }
    }
}

/// The plugin that a Gateway of the Gateway API runs.
fn plugin_of<'p, 'a>(
    namespace: &str,
    gateway: &str,
    plugins: &'p [Plugin<'a>],
) -> Option<&'p Plugin<'a>> {
    plugins.iter().find(|plugin| {
        let own = &plugin.object;
        let label = plugin
            .labels
            .as_ref()
            .and_then(|it| it.get("gateway.networking.k8s.io/gateway-name"));
        own.namespace == namespace
            && (own.targets().contains(&("Gateway", gateway)) || label == Some(&gateway))
    })
}

/// `AllowInsecureFallback` lets certificates in that nobody verified. What a port has takes the place of the default, whole.
fn check_frontend(gateway: &Object<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let Some(frontend) = gateway.node.get("spec.tls.frontend") else {
        return;
    };
    let plugin = plugin_of(gateway.namespace, gateway.name, plugins);
    let configuration = plugin.and_then(|plugin| plugin.configuration.as_ref());
    let default = frontend.get("default.validation");
    let ports = frontend.list("perPort");
    let of_ports = ports.iter().filter_map(|port| {
        let number = port.number("port").unwrap_or_default();
        Some((port.get("tls.validation")?, format!(" on port {number}")))
    });
    let places = default.clone().map(|it| (it, String::new())).into_iter();
    for (at, place) in places.chain(of_ports) {
        if at.text("mode") == "AllowInsecureFallback" {
            let found = format!(
                "mode: AllowInsecureFallback{place}, {}",
                validation(configuration)
            );
            let finding = Finding::error(Rule::AcceptUntrusted, &at, found, "mode: AllowValidOnly");
            report.add(gateway.place(finding));
        }
    }
    let is_strict =
        configuration.is_some_and(|it| it.filter.policy.missing == MissingIdentity::Deny);
    let unasked = ports.iter().filter(|it| it.get("tls.validation").is_none());
    for port in unasked.filter(|_| is_strict && default.is_some()) {
        let number = port.number("port").unwrap_or_default();
        let found = format!("port {number} has no validation, and so asks for no certificate");
        let cure = "take this entry of perPort out, or give it the validation of the default";
        let finding = Finding::warning(Rule::CertificateOptional, port, found, cure);
        report.add(gateway.place(finding));
    }
}

/// Nobody else may add listeners or routes to a Gateway with the filter.
fn check_shared(gateway: &Object<'_>, report: &mut Report) {
    let from = |at: &Node<'_>| at.text("namespaces.from").to_owned();
    let listeners = gateway.node.get("spec.allowedListeners");
    let listeners = listeners.map(|at| (from(&at), at, "allowedListeners"));
    let routes = gateway.node.list("spec.listeners").into_iter();
    let routes = routes.filter_map(|it| it.get("allowedRoutes"));
    let routes = routes.map(|at| (from(&at), at, "allowedRoutes"));
    for (from, at, name) in listeners.into_iter().chain(routes) {
        let is_shared = match name {
            "allowedListeners" => !matches!(from.as_str(), "" | "None"),
            _ => from == "All",
        };
        if is_shared {
            let found = format!("{name}: from {from}");
            let cure = match name {
                "allowedListeners" => "take allowedListeners out",
                _ => "allowedRoutes: { namespaces: { from: Same } }",
            };
            report.add(gateway.place(Finding::error(Rule::SharedGateway, &at, found, cure)));
        }
    }
}

/// Envoy Gateway takes the one or the other: the Gateway's own word counts when the policy is gone, and lets the guard's
/// `cel` be true.
fn check_frontend_beside_policy(gateway: &Object<'_>, objects: &Objects<'_>, report: &mut Report) {
    let mut policies = objects.of_kind(ENVOY_GATEWAY, "ClientTrafficPolicy");
    let is_ours = |policy: &Object<'_>| {
        policy.namespace == gateway.namespace
            && policy.targets().contains(&("Gateway", gateway.name))
            && policy.node.get("spec.tls.clientValidation").is_some()
    };
    if let Some(at) = gateway.node.get("spec.tls.frontend")
        && policies.any(is_ours)
    {
        let found = "tls.frontend, and a ClientTrafficPolicy with clientValidation";
        let cure = "take tls.frontend out";
        let finding = Finding::error(Rule::FrontendBesidePolicy, &at, found, cure);
        report.add(gateway.place(finding));
    }
}

fn check_client_validation(policy: &Object<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let targets = policy.targets();
    let mut gateways = targets.iter().filter(|(kind, _)| *kind == "Gateway");
    let plugin = gateways.find_map(|(_, name)| plugin_of(policy.namespace, name, plugins));
    let configuration = plugin.and_then(|plugin| plugin.configuration.as_ref());
    if let Some(at) = policy.node.get("spec.tls.clientValidation") {
        let mode = at.text("mode");
        if ["Request", "RequireAny"].contains(&mode) {
            let found = format!("mode: {mode}, {}", validation(configuration));
            let finding =
                Finding::error(Rule::AcceptUntrusted, &at, found, "mode: RequireAndVerify");
            report.add(policy.place(finding));
        }
    }
    let required =
        configuration.map(|it| it.filter.policy.validation) == Some(ValidationSource::Required);
    if let Some(at) = policy
        .node
        .get("spec.tls.session.resumption")
        .filter(|_| required)
    {
        let found = "sessions are resumed";
        let finding = Finding::warning(
            Rule::SessionResumption,
            &at,
            found,
            "take session.resumption out",
        );
        report.add(policy.place(finding));
    }
}

/// Envoy Gateway refuses header names with an underscore unless it is told otherwise.
fn check_underscores(policy: &Object<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let targets = policy.targets();
    let mut gateways = targets.iter().filter(|(kind, _)| *kind == "Gateway");
    let is_ours = gateways.any(|(_, name)| plugin_of(policy.namespace, name, plugins).is_some());
    let headers = policy.node.get("spec.headers");
    let allows = |it: &Node<'_>| it.text("withUnderscoresAction") == "Allow";
    if let Some(at) = headers.filter(|it| is_ours && allows(it)) {
        let found = "withUnderscoresAction: Allow";
        let cure = "withUnderscoresAction: DropHeader";
        let finding = Finding::warning(Rule::UnderscoresAllowed, &at, found, cure);
        report.add(policy.place(finding));
    }
}

/// A guard that allows by the mark alone opens when ClientTrafficPolicy and filter are gone.
fn check_guard(policy: &Object<'_>, report: &mut Report) {
    for rule in policy.node.list("spec.authorization.rules") {
        let headers = rule.list("principal.headers");
        let asks_for_mark = headers
            .iter()
            .any(|it| it.text("name").eq_ignore_ascii_case(MARK));
        let asks_envoy = rule.text("cel").contains("peer_certificate_valid");
        if rule.text("action") == "Allow" && asks_for_mark && !asks_envoy {
            let found =
                "the guard asks for the mark alone, and not whether Envoy validated a certificate";
            let finding = Finding::error(
                Rule::GuardByHeaderAlone,
                &rule,
                found,
                "cel: connection.peer_certificate_valid",
            );
            report.add(policy.place(finding));
        }
    }
}

/// A policy that is closer to a request than the Gateway's takes its place, whole.
fn check_place(
    policy: &Object<'_>,
    objects: &Objects<'_>,
    plugins: &[Plugin<'_>],
    report: &mut Report,
) {
    let targets = policy.targets();
    let routes = targets.iter().filter(|(kind, _)| kind.ends_with("Route"));
    let displaced = routes.filter(|(kind, name)| {
        let mut found = objects.of_kind(GATEWAY_API, kind);
        let route = found.find(|it| it.name == *name && it.namespace == policy.namespace);
        route.is_some_and(|route| is_behind_a_filter(route, plugins))
    });
    let displaced: Vec<_> = displaced
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    let mut gateways = targets.iter().filter(|(kind, _)| *kind == "Gateway");
    let is_section = policy.targets_a_section()
        && gateways.any(|(_, name)| plugin_of(policy.namespace, name, plugins).is_some());
    let found = match displaced.as_slice() {
        [] if is_section => {
            "it is for one listener, and takes the place of the Gateway's there".to_owned()
        }
        [] => return,
        names => format!(
            "on {} it takes the place of the Gateway's",
            names.join(", ")
        ),
    };
    if keeps_ours(policy) {
        return;
    }
    let cure = "take it out, or set mergeType and leave wasm and authorization out; and admission policies: envoy/DOCTOR.md";
    let finding = Finding::error(Rule::PolicyDisplaced, &policy.node, found, cure);
    report.add(policy.place(finding));
}

/// Whether a policy is merged into the Gateway's and names nothing of what is ours.
fn keeps_ours(policy: &Object<'_>) -> bool {
    let ours = [
        "spec.wasm",
        "spec.authorization",
        "spec.headers",
        "spec.tls",
    ];
    let names_ours = ours.iter().any(|it| policy.node.get(it).is_some());
    policy.node.get("spec.mergeType").is_some() && !names_ours
}

fn is_behind_a_filter(route: &Object<'_>, plugins: &[Plugin<'_>]) -> bool {
    let parents = route.node.list("spec.parentRefs");
    let namespace = |parent: &Node<'_>| match parent.text("namespace") {
        "" => route.namespace.to_owned(),
        namespace => namespace.to_owned(),
    };
    parents
        .iter()
        .any(|it| plugin_of(&namespace(it), it.text("name"), plugins).is_some())
}
