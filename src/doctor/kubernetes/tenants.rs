//! What others of the same cluster may write: Gateways that take our Pods, policies that allow.

use super::objects::{Labels, NETWORKING, Object, Objects, labels, selects};
use super::plugin::Plugin;
use crate::doctor::finding::{Finding, Report, Severity};
use crate::doctor::rule::Rule;

const SECURITY: &str = "security.istio.io";

/// Gateways of other namespaces, and policies that add up.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    for plugin in plugins.iter().filter(|it| !it.is_in_a_sidecar()) {
        for gateway in objects.of_kind(NETWORKING, "Gateway") {
            check_gateway(gateway, plugin, report);
        }
    }
    let policies: Vec<_> = objects.of_kind(SECURITY, "AuthorizationPolicy").collect();
    let mut checked: Vec<(&str, Labels<'_>)> = Vec::new();
    for policy in &policies {
        let Some(selector) = policy
            .selector()
            .filter(|_| allows_a_proxy(policy, plugins))
        else {
            continue;
        };
        let pods = objects.labels_of(policy.namespace, &selector);
        let workload = (policy.namespace, pods);
        if !checked.contains(&workload) {
            check_workload(policy, &workload.1, &policies, plugins, report);
            checked.push(workload);
        }
    }
}

/// A Gateway selects Pods of all namespaces; one without a selector all of them.
fn check_gateway(gateway: &Object<'_>, plugin: &Plugin<'_>, report: &mut Report) {
    let Some(pods) = plugin
        .labels
        .as_ref()
        .filter(|_| gateway.namespace != plugin.object.namespace)
    else {
        return;
    };
    let selector = gateway.node.get("spec.selector");
    let selector = selector.map(|it| labels(&it)).unwrap_or_default();
    if selects(&selector, pods) {
        let found = format!("its selector takes the Pods of {}", plugin.object.namespace);
        let cure = format!(
            "kubectl -n {} delete gateways.networking.istio.io {}; and the component istio/admission",
            gateway.namespace, gateway.name
        );
        let finding = Finding::error(Rule::ForeignGateway, &gateway.node, found, cure);
        report.add(gateway.place(finding));
    }
}

fn is(policy: &Object<'_>, action: &str) -> bool {
    let own = match policy.node.text("spec.action") {
        "" => "ALLOW",
        own => own,
    };
    own == action
}

/// Whether a policy lets in a proxy that has the filter: what stands behind it believes that proxy's headers.
fn allows_a_proxy(policy: &Object<'_>, plugins: &[Plugin<'_>]) -> bool {
    let rules = policy.node.list("spec.rules");
    let sources = rules.iter().flat_map(|it| it.list("from"));
    let principals = sources.flat_map(|it| it.texts("source.principals"));
    let is_of = |principal: &str, plugin: &Plugin<'_>| {
        principal.contains(&format!("/ns/{}/sa/", plugin.object.namespace))
    };
    let mut principals = principals;
    is(policy, "ALLOW")
        && principals.any(|it| {
            plugins
                .iter()
                .any(|plugin| !plugin.is_in_a_sidecar() && is_of(it, plugin))
        })
}

/// Whether a policy is about Pods of a namespace. One of Istio's root namespace is about all.
fn is_about(policy: &Object<'_>, namespace: &str, pods: &Labels<'_>) -> bool {
    let is_here = policy.namespace == namespace || policy.namespace == "istio-system";
    let selector = policy.selector().unwrap_or_default();
    is_here && policy.targets().is_empty() && selects(&selector, pods)
}

fn check_workload(
    policy: &Object<'_>,
    pods: &Labels<'_>,
    policies: &[&Object<'_>],
    plugins: &[Plugin<'_>],
    report: &mut Report,
) {
    let namespace = policy.namespace;
    let has_filter = |plugin: &Plugin<'_>| {
        plugin.object.namespace == namespace && plugin.labels.as_ref() == Some(pods)
    };
    let about = policies.iter().filter(|it| is_about(it, namespace, pods));
    let (denying, others): (Vec<&&Object<'_>>, Vec<_>) = about.partition(|it| is(it, "DENY"));
    if plugins.iter().any(has_filter) || denying.iter().any(|it| names_callers(it)) {
        return;
    }
    let allowing: Vec<_> = others.into_iter().filter(|it| is(it, "ALLOW")).collect();
    let (severity, found) = match allowing.len() {
        0 | 1 => (
            Severity::Warning,
            "one more policy of action ALLOW would open these Pods to others".to_owned(),
        ),
        number => (
            Severity::Error,
            format!("{number} policies of action ALLOW, and no DENY for all others"),
        ),
    };
    let cure = "action: DENY, rules: [{ from: [{ source: { notPrincipals: […] } }] }]: istio/gateway/callers.yaml";
    let second = allowing.iter().find(|it| it.name != policy.name);
    let at = second.map_or(policy, |it| **it);
    report.add(at.place(Finding::new(
        severity,
        Rule::SecondAllow,
        &at.node,
        found,
        cure,
    )));
}

/// Whether a policy that denies says who may call, by denying all others.
fn names_callers(policy: &Object<'_>) -> bool {
    let rules = policy.node.list("spec.rules");
    rules.iter().any(|rule| {
        let from = rule.list("from");
        from.iter()
            .any(|it| !it.texts("source.notPrincipals").is_empty())
            && rule.get("to").is_none()
            && rule.get("when").is_none()
    })
}
