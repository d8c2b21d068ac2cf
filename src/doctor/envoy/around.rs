//! What stands around the filter in a proxy: other ways to the same cluster, other filters, the admin interface.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::config::Configuration;
use crate::decide::ValidationSource;

use super::headers;
use super::manager::{Chain, Filter, Manager, Ours, Plugin};
use super::proxy::Proxy;
use super::rbac::Request;
use super::version;
use crate::doctor::finding::{Finding, Report, Severity};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;
use crate::doctor::users;
use crate::request::MARK;
use crate::rules::TokenBinding;

/// Filters and settings of a connection manager beside our filter.
pub(super) struct Beside<'a, 'p> {
    pub(super) proxy: &'p Proxy<'a>,
    pub(super) manager: &'p Manager<'a>,
    pub(super) ours: &'p Ours<'a>,
    /// None where the filter's configuration is not known.
    pub(super) configuration: Option<&'p Configuration>,
}

impl<'a> Beside<'a, '_> {
    /// What is wrong beside our filter.
    pub(super) fn check(&self, report: &mut Report) {
        self.check_plugin(report);
        self.check_forwarding(report);
        self.check_attributes(report);
        self.check_order(report);
        self.check_upgrades(report);
        self.check_mcp(report);
        self.check_users(report);
    }

    fn check_users(&self, report: &mut Report) {
        let (Some(configuration), Some(plugin)) = (self.configuration, &self.ours.plugin) else {
            return;
        };
        let at = &plugin.node;
        if users::takes_unmapped_ids(configuration, &plugin.json()) {
            let finding = Finding::warning(Rule::UnmappedUser, at, users::FOUND, users::CURE);
            self.add(report, finding);
        }
    }

    fn add(&self, report: &mut Report, finding: Finding) {
        report.add(self.manager.chain.place(finding));
    }

    fn check_plugin(&self, report: &mut Report) {
        if let Some(finding) = self.ours.plugin.as_ref().and_then(fail_open) {
            self.add(report, finding);
        }
    }

    /// X-Forwarded-Client-Cert must not go on as a client wrote it.
    fn check_forwarding(&self, report: &mut Report) {
        let manager = &self.manager.node;
        let field = "forward_client_cert_details";
        let modes = [
            ("FORWARD_ONLY", 1),
            ("APPEND_FORWARD", 2),
            ("ALWAYS_FORWARD_ONLY", 4),
        ];
        let mode = modes
            .iter()
            .find(|(name, number)| manager.is(field, name, *number));
        let speaks = self
            .configuration
            .is_some_and(|configuration| !configuration.filter.policy.forwarded_by.is_empty());
        let Some((mode, _)) = mode else { return };
        let name = "x-forwarded-client-cert";
        let is_removed = headers::is_removed_early(manager, name) || self.is_removed_behind(name);
        if is_removed || speaks {
            return;
        }
        let at = manager.get(field);
        self.add(
            report,
            Finding::error(
                Rule::ForwardedClientCert,
                at.as_ref().unwrap_or(manager),
                format!("{mode} passes on what a client wrote"),
                "forward_client_cert_details: SANITIZE_SET",
            ),
        );
    }

    /// Whether a header is removed behind our filter, on every way.
    fn is_removed_behind(&self, name: &str) -> bool {
        let by_routes = self.manager.routes.as_ref();
        let behind = self.manager.filters.iter().skip(self.ours.place + 1);
        let behind = behind.filter_map(|filter| filter.config.as_ref());
        let mut mutations = behind
            .filter(|config| config.kind() == "HeaderMutation")
            .flat_map(|config| config.fields().list("mutations.request_mutations"));
        by_routes.is_some_and(|routes| headers::is_removed_by(routes, name))
            || mutations.any(|mutation| headers::removes(&mutation, name))
    }

    /// Whether this Envoy can show the filter what it asks for.
    fn check_attributes(&self, report: &mut Report) {
        let (Some(version), Some(configuration)) = (self.proxy.version, self.configuration) else {
            return;
        };
        let manager = &self.manager.node;
        let validation = configuration.filter.policy.validation;
        let by_tls = self.manager.chain.tls().is_some();
        if by_tls && validation == ValidationSource::Required && !version.reports_validation() {
            self.add(report, Finding::warning(
                Rule::CertificateNotShown,
                manager,
                format!("Envoy {version} does not say whether it validated a certificate, and the filter asks for that"),
                "\"certificate\": { \"validation\": \"listener\" }",
            ));
        }
        let field = "forward_client_cert_details";
        let writes = manager.is(field, "SANITIZE_SET", 3) || manager.is(field, "APPEND_FORWARD", 2);
        let shows = writes && manager.is_true("set_current_client_cert_details.cert");
        if by_tls && !version.shows_certificates() && !shows {
            self.add(report, Finding::warning(
                Rule::CertificateNotShown,
                manager,
                format!("Envoy {version} shows a certificate in X-Forwarded-Client-Cert alone, and this one does not write it there"),
                "forward_client_cert_details: SANITIZE_SET\nset_current_client_cert_details: { cert: true }",
            ));
        }
    }

    fn check_order(&self, report: &mut Report) {
        let (front, behind) = self.manager.filters.split_at(self.ours.place);
        for filter in front.iter().filter(|it| it.kind() == "RateLimit") {
            let found = "the rate limit service is asked in front of the filter";
            let cure = "put envoy.filters.http.ratelimit behind mtls_identity";
            let finding = Finding::warning(Rule::RateLimitInFront, &filter.node, found, cure);
            self.add(report, finding);
        }
        self.check_tokens(front, behind, report);
    }

    /// A token must be verified before the filter can ask whose it is.
    fn check_tokens(&self, front: &[Filter<'a>], behind: &[Filter<'a>], report: &mut Report) {
        let binds = self.configuration.is_some_and(|configuration| {
            configuration.filter.policy.tokens.binding != TokenBinding::Off
        });
        let is_jwt = |filter: &&Filter<'a>| filter.kind() == "JwtAuthentication";
        let in_front = front.iter().find(is_jwt);
        let (at, found) = match (behind.iter().find(is_jwt), &self.ours.plugin) {
            (Some(jwt), _) if in_front.is_none() => {
                (&jwt.node, "jwt_authn stands behind the filter")
            }
            (None, Some(plugin)) if binds && in_front.is_none() => (
                &plugin.node,
                "certificate.bound, and no jwt_authn in front of the filter",
            ),
            _ => return,
        };
        let severity = match binds {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let cure = "put envoy.filters.http.jwt_authn in front of mtls_identity";
        self.add(
            report,
            Finding::new(severity, Rule::JwtBehind, at, found, cure),
        );
    }

    /// CVE-2026-73548 needs an upgrade that is no WebSocket.
    fn check_upgrades(&self, report: &mut Report) {
        let Some(version) = self
            .proxy
            .version
            .filter(|version| version::smuggles(*version))
        else {
            return;
        };
        let of_routes = self.manager.forwarding_routes();
        let of_routes = of_routes
            .iter()
            .flat_map(|(_, route)| route.list("route.upgrade_configs"));
        let upgrades = self
            .manager
            .node
            .list("upgrade_configs")
            .into_iter()
            .chain(of_routes);
        for upgrade in upgrades {
            let kind = upgrade.text("upgrade_type");
            let is_safe = ["websocket", "connect"]
                .iter()
                .any(|it| kind.eq_ignore_ascii_case(it));
            if !is_safe && upgrade.get("enabled").is_none_or(|it| *it.value != false) {
                self.add(
                    report,
                    Finding::error(
                        Rule::UpgradeSmuggling,
                        &upgrade,
                        format!("Envoy {version} passes on upgrades to {kind:?}"),
                        "take this upgrade out, or run 1.36.10, 1.37.6, 1.38.4, 1.39.1 or later",
                    ),
                );
            }
        }
    }

    fn check_mcp(&self, report: &mut Report) {
        let (Some(configuration), Some(plugin)) = (self.configuration, &self.ours.plugin) else {
            return;
        };
        let mcp = &configuration.filter.mcp;
        if mcp.paths.is_empty() {
            return;
        }
        if !plugin.node.is_true("allow_on_headers_stop_iteration") {
            self.add(
                report,
                Finding::warning(
                    Rule::McpNotHandedOver,
                    &plugin.node,
                    "`mcp.paths` without allow_on_headers_stop_iteration",
                    "allow_on_headers_stop_iteration: true",
                ),
            );
        }
        self.check_buffers(u64::try_from(mcp.max_body).unwrap_or(u64::MAX), report);
    }

    /// Envoy holds a body no longer than its buffers are.
    fn check_buffers(&self, longest: u64, report: &mut Report) {
        const DEFAULT: u64 = 1024 * 1024;
        let listener = &self.manager.chain.listener;
        let limit = listener.number("per_connection_buffer_limit_bytes");
        let limit = limit.unwrap_or(DEFAULT);
        let buffers = [
            "per_request_buffer_limit_bytes",
            "request_body_buffer_limit",
        ];
        let routes = self.manager.forwarding_routes();
        let is_raised = |(host, route): &(Node<'a>, Node<'a>)| {
            let limits = buffers
                .iter()
                .flat_map(|it| [route.number(it), host.number(it)]);
            limits.flatten().any(|limit| limit >= longest)
        };
        let is_raised_everywhere = !routes.is_empty() && routes.iter().all(is_raised);
        if limit < longest && !is_raised_everywhere {
            let found =
                format!("Envoy holds {limit} bytes of a request, and `mcp.max_body` is {longest}");
            let cure = format!("per_connection_buffer_limit_bytes: {longest}");
            self.add(
                report,
                Finding::warning(Rule::McpBuffers, listener, found, cure),
            );
        }
    }
}

/// `FAIL_OPEN`.
pub(super) fn fail_open(plugin: &Plugin<'_>) -> Option<Finding> {
    let found = "a filter that fails lets requests pass";
    let cure = "failure_policy: FAIL_RELOAD";
    let finding = || Finding::error(Rule::FailOpen, &plugin.node, found, cure);
    plugin.fails_open().then(finding)
}

/// The clusters that a chain leads to, and the fixed addresses behind them.
fn targets<'a>(chain: &Chain<'a>, managers: &[Manager<'a>], proxy: &Proxy<'a>) -> BTreeSet<String> {
    let mut clusters = Vec::new();
    for filter in chain.network_filters() {
        if filter.kind() == "TcpProxy" {
            clusters.extend(clusters_of(&filter.fields()));
        }
    }
    for manager in managers {
        for (_, route) in manager.forwarding_routes() {
            clusters.extend(route.get("route").iter().flat_map(clusters_of));
        }
    }
    let addresses = clusters
        .iter()
        .filter_map(|name| proxy.clusters.get(name.as_str()));
    let addresses: Vec<_> = addresses.flat_map(addresses_of).collect();
    let blind = |name: &String| !name.is_empty() && name != "BlackHoleCluster";
    clusters
        .into_iter()
        .filter(blind)
        .chain(addresses)
        .collect()
}

/// Of a RouteAction or a TcpProxy.
fn clusters_of(action: &Node<'_>) -> Vec<String> {
    let weighted = action.list("weighted_clusters.clusters").into_iter();
    let names = weighted.map(|it| it.text("name").to_owned());
    names.chain([action.text("cluster").to_owned()]).collect()
}

fn addresses_of(cluster: &Node<'_>) -> Vec<String> {
    let endpoints = cluster.list("load_assignment.endpoints").into_iter();
    let endpoints = endpoints.flat_map(|it| it.list("lb_endpoints"));
    let addresses = endpoints.filter_map(|it| it.get("endpoint.address.socket_address"));
    addresses
        .filter_map(|it| {
            Some(format!(
                "{}:{}",
                it.text("address"),
                it.number("port_value")?
            ))
        })
        .collect()
}

/// Chains by which somebody reaches what is behind the filter without passing it.
pub(super) fn check_other_ways(
    proxy: &Proxy<'_>,
    chains: &[(Chain<'_>, Vec<Manager<'_>>)],
    report: &mut Report,
) {
    let has_ours = |managers: &[Manager<'_>]| managers.iter().any(|it| !it.ours().is_empty());
    let guarded = chains.iter().filter(|(_, managers)| has_ours(managers));
    let behind: BTreeSet<_> = guarded
        .flat_map(|(chain, managers)| targets(chain, managers, proxy))
        .collect();
    for (chain, managers) in chains {
        if has_ours(managers) || is_closed(chain, managers) {
            continue;
        }
        let mut shared = targets(chain, managers, proxy)
            .into_iter()
            .filter(|it| behind.contains(it));
        if let Some(target) = shared.next() {
            let found = format!(
                "this chain leads to {target:?}, as the one with the filter does, and has no filter"
            );
            let cure = "give it the filter and its lines, or take it out";
            let finding = Finding::error(Rule::AroundTheFilter, &chain.node, found, cure);
            report.add(chain.place(finding));
        }
    }
}

/// Whether a policy of the network refuses everybody on this chain, or a guard every request whose mark was removed.
fn is_closed(chain: &Chain<'_>, managers: &[Manager<'_>]) -> bool {
    let anybody = Request { without: &[] };
    let networks = chain.network_filters();
    let mut policies = networks.iter().filter(|it| it.kind() == "RBAC");
    if policies.any(|policy| anybody.is_refused_by(&policy.fields())) {
        return true;
    }
    let nobody = Request { without: &[MARK] };
    !managers.is_empty()
        && managers.iter().all(|manager| {
            let configs = manager.filters.iter().filter_map(|it| it.config.as_ref());
            let mut guards = configs.filter(|it| it.kind() == "RBAC");
            headers::is_removed_early(&manager.node, MARK)
                && guards.any(|guard| nobody.is_refused_by(&guard.fields()))
        })
}

/// Whether the admin interface can be reached over the network.
pub(super) fn check_admin(proxy: &Proxy<'_>, report: &mut Report) {
    let Some(bootstrap) = &proxy.bootstrap else {
        return;
    };
    let Some(address) = bootstrap.get("admin.address.socket_address") else {
        return;
    };
    let text = address.text("address");
    let is_loopback = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback(),
        Ok(IpAddr::V6(address)) => address.to_canonical().is_loopback(),
        Err(_) => text == "localhost",
    };
    if !is_loopback {
        report.add(Finding::error(
            Rule::AdminExposed,
            &address,
            format!("the admin interface listens on {text}"),
            "admin: { address: { socket_address: { address: 127.0.0.1, port_value: 9901 } } }",
        ));
    }
}
