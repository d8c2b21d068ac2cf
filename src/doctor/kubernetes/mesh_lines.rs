//! The three lines around a plugin, as the objects beside it draw them.
//!
//! A file with a plugin alone says nothing of its lines. So they are asked for only where the files have objects that draw
//! lines in the plugin's namespace.

use std::collections::BTreeSet;

use super::objects::{ENVOY_GATEWAY, NETWORKING, Object, Objects};
use super::plugin::Plugin;
use crate::doctor::envoy::{is_added_from_state, is_removed_by, is_removed_early};
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::owned::{Owned, list};
use crate::doctor::rule::Rule;
use crate::request::MARK;

const SECURITY: &str = "security.istio.io";

/// The condition of Istio by which a policy asks for the mark.
const MARK_CONDITION: &str = "request.headers[x-ssl-client-verify]";

/// The lines of each plugin.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    for plugin in plugins {
        let Some(owned) = plugin.owned() else {
            continue;
        };
        let beside = |group: &str, kind: &str| {
            let found = objects
                .of_kind(group, kind)
                .filter(|it| plugin.is_meant_by(it));
            found.cloned().collect::<Vec<_>>()
        };
        match plugin.object.kind {
            "EnvoyExtensionPolicy" => {
                let traffic = beside(ENVOY_GATEWAY, "ClientTrafficPolicy");
                let security = beside(ENVOY_GATEWAY, "SecurityPolicy");
                if !traffic.is_empty() || !security.is_empty() {
                    check_traffic_policies(plugin, &owned, &traffic, report);
                    check_security_policies(plugin, &security, report);
                }
            }
            _ => {
                let filters = beside(NETWORKING, "EnvoyFilter");
                let policies = beside(SECURITY, "AuthorizationPolicy");
                if !filters.is_empty() || !policies.is_empty() {
                    check_filters(plugin, &owned, &filters, report);
                    check_policies(plugin, &policies, report);
                }
            }
        }
    }
}

/// The values of the patches that take effect.
fn patches<'a>(filters: &[Object<'a>], kinds: &[&str]) -> Vec<Node<'a>> {
    let patches = filters
        .iter()
        .flat_map(|it| it.node.list("spec.configPatches"));
    let working = patches.filter(|it| it.text("match.context") != "WAYPOINT");
    let of_kind = working.filter(|it| kinds.contains(&it.text("applyTo")));
    of_kind.filter_map(|it| it.get("patch.value")).collect()
}

fn check_filters(plugin: &Plugin<'_>, owned: &Owned, filters: &[Object<'_>], report: &mut Report) {
    let managers = patches(filters, &["NETWORK_FILTER"]);
    let managers: Vec<_> = managers.iter().filter_map(Node::typed_config).collect();
    let left: BTreeSet<_> = owned
        .forbidden()
        .filter(|name| !managers.iter().any(|it| is_removed_early(it, name)))
        .collect();
    if !left.is_empty() {
        let found = format!(
            "no EnvoyFilter beside this plugin removes a client's {}",
            list(&left)
        );
        let cure = "an EnvoyFilter as istio/ingress/identity-headers.yaml, with these names";
        plugin.add(
            report,
            Finding::error(Rule::EarlyRemoval, &plugin.object.node, found, cure),
        );
    }
    let mut levels = patches(filters, &["ROUTE_CONFIGURATION"]);
    levels.extend(managers.iter().filter_map(|it| it.get("route_config")));
    let spellings = owned
        .set
        .iter()
        .flat_map(|it| [it.clone(), it.replace('-', "_")]);
    let left: BTreeSet<_> = spellings
        .filter(|name| !levels.iter().any(|it| is_removed_by(it, name)))
        .collect();
    let unwritten = owned
        .set
        .iter()
        .filter(|name| !levels.iter().any(|it| is_added_from_state(it, name)));
    let left: BTreeSet<_> = left.iter().chain(unwritten).map(String::as_str).collect();
    if !left.is_empty() {
        let found = format!(
            "no EnvoyFilter beside this plugin has the last word on {}",
            list(&left)
        );
        let cure = "an EnvoyFilter as istio/ingress/last-word.yaml, with these names";
        plugin.add(
            report,
            Finding::error(Rule::LastWord, &plugin.object.node, found, cure),
        );
    }
}

/// A policy that denies what comes without the mark.
fn check_policies(plugin: &Plugin<'_>, policies: &[Object<'_>], report: &mut Report) {
    let is_guard = |policy: &Object<'_>| {
        let rules = policy.node.list("spec.rules");
        policy.node.text("spec.action") == "DENY" && rules.iter().any(denies_without_mark)
    };
    if !policies.iter().any(is_guard) {
        let found = "no AuthorizationPolicy beside this plugin denies requests without the mark";
        let cure = "an AuthorizationPolicy as istio/ingress/guard.yaml";
        plugin.add(
            report,
            Finding::error(Rule::Guard, &plugin.object.node, found, cure),
        );
    }
}

fn denies_without_mark(rule: &Node<'_>) -> bool {
    let conditions = rule.list("when");
    let is_for_all = rule.get("from").is_none() && rule.get("to").is_none();
    let asks = |condition: &Node<'_>| {
        condition.text("key").eq_ignore_ascii_case(MARK_CONDITION)
            && condition.texts("notValues").contains(&"*")
    };
    is_for_all && conditions.len() == 1 && conditions.iter().any(asks)
}

fn check_traffic_policies(
    plugin: &Plugin<'_>,
    owned: &Owned,
    policies: &[Object<'_>],
    report: &mut Report,
) {
    let early = policies
        .iter()
        .filter_map(|it| it.node.get("spec.headers.earlyRequestHeaders"));
    let early: Vec<_> = early.collect();
    let is_removed = |name: &str| early.iter().any(|it| removes(it, name));
    let left: BTreeSet<_> = owned.forbidden().filter(|name| !is_removed(name)).collect();
    if !left.is_empty() {
        let found = format!(
            "no ClientTrafficPolicy beside this filter removes a client's {}",
            list(&left)
        );
        let cure = format!(
            "headers: {{ earlyRequestHeaders: {{ remove: [{}] }} }}",
            list(&left)
        );
        plugin.add(
            report,
            Finding::error(Rule::EarlyRemoval, &plugin.object.node, found, cure),
        );
    }
}

/// Whether `earlyRequestHeaders` removes a header.
fn removes(early: &Node<'_>, name: &str) -> bool {
    let exact = early
        .texts("remove")
        .iter()
        .any(|it| it.eq_ignore_ascii_case(name));
    let mut matches = early.list("removeOnMatch").into_iter();
    exact
        || matches.any(|it| {
            let value = it.text("value").to_ascii_lowercase();
            match it.text("type") {
                "Prefix" => !value.is_empty() && name.starts_with(&value),
                "Suffix" => !value.is_empty() && name.ends_with(&value),
                "RegularExpression" => {
                    crate::doctor::envoy::fits_expression(it.text("value"), name)
                }
                _ => name == value,
            }
        })
}

fn check_security_policies(plugin: &Plugin<'_>, policies: &[Object<'_>], report: &mut Report) {
    let is_guard = |policy: &Object<'_>| {
        let rules = policy.node.list("spec.authorization.rules");
        let allowing: Vec<_> = rules
            .iter()
            .filter(|it| it.text("action") == "Allow")
            .collect();
        let asks = |rule: &&&Node<'_>| {
            let headers = rule.list("principal.headers");
            headers
                .iter()
                .any(|it| it.text("name").eq_ignore_ascii_case(MARK))
                || rule.text("cel").contains("peer_certificate_valid")
        };
        let denies = policy.node.text("spec.authorization.defaultAction") == "Deny";
        denies && !allowing.is_empty() && allowing.iter().all(|rule| asks(&rule))
    };
    if !policies.iter().any(is_guard) {
        let found = "no SecurityPolicy beside this filter refuses requests without the mark";
        let cure = "authorization: { defaultAction: Deny, rules: [{ action: Allow, cel: connection.peer_certificate_valid, principal: { headers: [{ name: x-ssl-client-verify, values: [SUCCESS] }] } }] }";
        plugin.add(
            report,
            Finding::error(Rule::Guard, &plugin.object.node, found, cure),
        );
    }
}
