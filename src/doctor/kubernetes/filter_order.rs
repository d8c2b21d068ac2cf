//! EnvoyProxies of Envoy Gateway: the order of the filters, and who shares an Envoy.

use super::objects::{ENVOY_GATEWAY, GATEWAY_API, Object, Objects};
use super::plugin::Plugin;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;
use crate::rules::TokenBinding;

/// What the name of each filter begins with.
const PREFIX: &str = "envoy.filters.http.";

/// The order of Envoy Gateway 1.9, as `filterOrder` names the filters.
const DEFAULT_ORDER: [&str; 26] = [
    "custom_response",
    "health_check",
    "fault",
    "cors",
    "csrf",
    "header_mutation",
    "ext_authz",
    "api_key_auth",
    "basic_auth",
    "oauth2",
    "jwt_authn",
    "stateful_session",
    "buffer",
    "lua",
    "ext_proc",
    WASM,
    "dynamic_modules",
    "geoip",
    GUARD,
    "local_ratelimit",
    RATE_LIMIT,
    "bandwidth_limit",
    "grpc_web",
    "grpc_stats",
    "credential_injector",
    "compressor",
];

const WASM: &str = "wasm";
const GUARD: &str = "rbac";
const RATE_LIMIT: &str = "ratelimit";
const TOKENS: &str = "jwt_authn";

/// What is wrong with the EnvoyProxies of Gateways that have the filter.
pub(super) fn check(objects: &Objects<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let plugins: Vec<_> = plugins
        .iter()
        .filter(|it| it.object.kind == "EnvoyExtensionPolicy")
        .collect();
    for proxy in objects.of_kind(ENVOY_GATEWAY, "EnvoyProxy") {
        let mut ours = plugins.iter().filter(|it| runs(it, proxy, objects));
        if let Some(first) = ours.next() {
            check_merged(proxy, report);
            let binds = |plugin: &Plugin<'_>| {
                let configuration = plugin.configuration.as_ref();
                configuration.is_some_and(|it| it.filter.policy.tokens.binding != TokenBinding::Off)
            };
            check_order(proxy, binds(first) || ours.any(|it| binds(it)), report);
        }
    }
}

/// Whether an EnvoyProxy is that of a plugin's Gateway. Where the objects do not say it, it is taken for one.
fn runs(plugin: &Plugin<'_>, proxy: &Object<'_>, objects: &Objects<'_>) -> bool {
    let targets = plugin.object.targets();
    let gateways = objects.of_kind(GATEWAY_API, "Gateway").filter(|gateway| {
        gateway.namespace == plugin.object.namespace && targets.contains(&("Gateway", gateway.name))
    });
    let gateways: Vec<_> = gateways.collect();
    gateways.is_empty() || gateways.iter().any(|it| refers_to(it, proxy, objects))
}

fn refers_to(gateway: &Object<'_>, proxy: &Object<'_>, objects: &Objects<'_>) -> bool {
    let own = gateway.node.get("spec.infrastructure.parametersRef");
    let of_class = || {
        let name = gateway.node.text("spec.gatewayClassName");
        let mut classes = objects.of_kind(GATEWAY_API, "GatewayClass");
        classes.find(|it| it.name == name)
    };
    match (own, of_class()) {
        (None, None) => true,
        (own, class) => {
            let is_own = own.is_some_and(|it| {
                it.text("name") == proxy.name && proxy.namespace == gateway.namespace
            });
            let of_class = class.and_then(|it| it.node.get("spec.parametersRef"));
            is_own
                || of_class.is_some_and(|it| {
                    it.text("name") == proxy.name && it.text("namespace") == proxy.namespace
                })
        }
    }
}

fn check_merged(proxy: &Object<'_>, report: &mut Report) {
    let spec = proxy.node.get("spec");
    if spec.is_some_and(|it| it.is_true("mergeGateways")) {
        let found = "mergeGateways: true: other Gateways have listeners in this Envoy";
        let cure = "mergeGateways: false";
        let finding = Finding::error(Rule::SharedGateway, &proxy.node, found, cure);
        report.add(proxy.place(finding));
    }
}

/// `filterOrder` moves filters, one after another.
fn check_order(proxy: &Object<'_>, binds_tokens: bool, report: &mut Report) {
    let Some(at) = proxy.node.get("spec.filterOrder") else {
        return;
    };
    let moves = at.entries();
    let mut add = |finding| report.add(proxy.place(finding));
    let cure = |name: &str, place: &str| {
        format!("filterOrder: [{{ name: {PREFIX}{name}, {place}: {PREFIX}{WASM} }}], as the last")
    };
    if may_stand_before(&moves, GUARD, WASM) {
        let found =
            "the guard (rbac) stands in front of the filter (wasm), where there is no mark yet";
        add(Finding::error(
            Rule::Guard,
            &at,
            found,
            cure(GUARD, "after"),
        ));
    }
    if binds_tokens && may_stand_before(&moves, WASM, TOKENS) {
        let found = "certificate.bound, and jwt_authn stands behind the filter";
        add(Finding::error(
            Rule::JwtBehind,
            &at,
            found,
            cure(TOKENS, "before"),
        ));
    }
    if may_stand_before(&moves, RATE_LIMIT, WASM) {
        let found = "ratelimit stands in front of the filter, where there is no user yet";
        let cure = cure(RATE_LIMIT, "after");
        add(Finding::warning(Rule::RateLimitInFront, &at, found, cure));
    }
}

/// Whether a filter can stand before another one. Envoy Gateway passes over a move whose filters a listener does not have,
/// and which those are depends on the routes. So the moves are done with all filters, and with these two alone.
fn may_stand_before(moves: &[Node<'_>], first: &str, second: &str) -> bool {
    let both = DEFAULT_ORDER.iter().copied();
    let both: Vec<_> = both.filter(|it| [first, second].contains(it)).collect();
    [DEFAULT_ORDER.to_vec(), both].into_iter().any(|filters| {
        let filters = moved(filters, moves);
        let place = |name: &str| filters.iter().position(|it| *it == name);
        place(first) < place(second)
    })
}

/// The filters after all moves.
fn moved<'a>(mut filters: Vec<&'a str>, moves: &[Node<'a>]) -> Vec<&'a str> {
    for step in moves {
        let named = |field: &str| step.text(field).strip_prefix(PREFIX);
        let (other, offset) = match (named("before"), named("after")) {
            (Some(other), _) => (other, 0),
            (None, Some(other)) => (other, 1),
            (None, None) => continue,
        };
        let name = named("name").filter(|name| *name != other);
        let from = filters.iter().position(|it| Some(*it) == name);
        let Some(from) = from.filter(|_| filters.contains(&other)) else {
            continue;
        };
        let filter = filters.remove(from);
        let to = filters.iter().position(|it| *it == other);
        filters.insert(to.map_or(from, |to| to + offset), filter);
    }
    filters
}
