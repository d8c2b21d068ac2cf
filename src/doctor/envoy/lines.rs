//! The three lines around the filter: the early removal, the guard, the last word. And what writes between them.

use std::collections::BTreeSet;

use super::headers;
use super::manager::Manager;
use super::rbac::Request;
use crate::doctor::finding::{Finding, Report, Severity};
use crate::doctor::node::Node;
use crate::doctor::owned::{Owned, list};
use crate::doctor::rule::Rule;
use crate::request::MARK;

/// The names of filter state that are the filter's begin so.
const STATE: &str = "wasm.mtls_identity.";

/// The lines of one connection manager.
pub(super) struct Lines<'a, 'p> {
    pub(super) manager: &'p Manager<'a>,
    /// The place of our filter in the list of filters.
    pub(super) place: usize,
    pub(super) owned: &'p Owned,
}

impl<'a> Lines<'a, '_> {
    /// What is wrong with the lines.
    pub(super) fn check(&self, report: &mut Report) {
        self.check_early_removal(report);
        self.check_guard(report);
        let covered = self.check_last_word(report);
        self.check_writers(&covered, report);
        self.check_tunnels(report);
        self.check_switches(report);
    }

    fn add(&self, report: &mut Report, finding: Finding) {
        report.add(self.manager.chain.place(finding));
    }

    fn check_early_removal(&self, report: &mut Report) {
        let manager = &self.manager.node;
        let at = manager.get("early_header_mutation_extensions");
        let at = at.as_ref().unwrap_or(manager);
        let left = self.owned.forbidden();
        let left: BTreeSet<_> = left
            .filter(|name| !headers::is_removed_early(manager, name))
            .collect();
        if !left.is_empty() {
            let found = format!(
                "a client's {} is not removed before the filters",
                list(&left)
            );
            self.add(
                report,
                Finding::error(Rule::EarlyRemoval, at, found, removal_of(&left)),
            );
        }
        for (name, mutation) in headers::written_early(manager) {
            if self.owned.has(name) {
                let found = format!("{name} is written before the filters");
                let cure = format!("take the append of {name} out");
                self.add(
                    report,
                    Finding::error(Rule::EarlyRemoval, &mutation, found, cure),
                );
            }
        }
        let options = "common_http_protocol_options.headers_with_underscores_action";
        let is_closed =
            manager.is(options, "DROP_HEADER", 2) || manager.is(options, "REJECT_REQUEST", 1);
        if !is_closed {
            self.add(report, Finding::warning(
                Rule::UnderscoresAllowed,
                manager,
                "headers_with_underscores_action allows header names with `_`",
                "common_http_protocol_options: { headers_with_underscores_action: DROP_HEADER }",
            ));
        }
    }

    /// On each route that leads on, a filter behind ours must refuse what has no mark.
    fn check_guard(&self, report: &mut Report) {
        let filters = &self.manager.node;
        let at = filters.get("http_filters");
        let at = at.as_ref().unwrap_or(filters);
        let routes = self.manager.forwarding_routes();
        let open = match routes.is_empty() {
            true => (!self.is_guarded(None)).then(|| at.clone()),
            false => routes
                .iter()
                .find(|(host, route)| !self.is_guarded(Some((host, route))))
                .map(|(_, route)| route.clone()),
        };
        let Some(open) = open else { return };
        let at = if routes
            .iter()
            .any(|(host, route)| self.is_guarded(Some((host, route))))
        {
            &open
        } else {
            at
        };
        let found = match self.guard_in_front() {
            Some(name) => format!(
                "the guard {name:?} stands in front of the filter, where there is no mark yet"
            ),
            None => format!("no RBAC filter behind the filter refuses a request without {MARK}"),
        };
        let cure = format!(
            "- name: mtls_identity_guard\n  typed_config:\n    \"@type\": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC\n    \
             rules: {{ action: ALLOW, policies: {{ passed: {{ permissions: [{{ header: {{ name: {MARK}, present_match: true }} }}], \
             principals: [{{ any: true }}] }} }} }}"
        );
        self.add(report, Finding::error(Rule::Guard, at, found, cure));
    }

    /// Whether a request without what the filter sets is refused behind it.
    fn is_guarded(&self, route: Option<(&Node<'a>, &Node<'a>)>) -> bool {
        let behind = self.manager.filters.iter().skip(self.place + 1);
        let mut guards = behind.filter(|filter| filter.kind() == "RBAC");
        guards.any(|guard| self.refuses(guard.name, guard.config.as_ref(), route))
    }

    fn refuses(
        &self,
        name: &str,
        config: Option<&Node<'a>>,
        route: Option<(&Node<'a>, &Node<'a>)>,
    ) -> bool {
        let without: Vec<_> = self.owned.set.iter().map(String::as_str).collect();
        let request = Request { without: &without };
        let own = || config.is_some_and(|config| request.is_refused_by(&config.fields()));
        let Some((host, route)) = route else {
            return own();
        };
        match self.manager.per_route(host, route, name) {
            Some(special) if special.kind() == "RBACPerRoute" => special
                .fields()
                .get("rbac")
                .is_some_and(|rbac| request.is_refused_by(&rbac)),
            Some(special) if special.is_true("disabled") => false,
            Some(_) | None => own(),
        }
    }

    fn guard_in_front(&self) -> Option<&'a str> {
        let mut front = self.manager.filters.iter().take(self.place);
        let is_guard = |config: &Node<'a>| config.mentions(MARK);
        let found =
            front.find(|it| it.kind() == "RBAC" && it.config.as_ref().is_some_and(is_guard));
        found.map(|filter| filter.name)
    }

    /// Returns the names that the route configuration removes, whatever stands before it.
    fn check_last_word(&self, report: &mut Report) -> BTreeSet<String> {
        let Some(routes) = &self.manager.routes else {
            return BTreeSet::new();
        };
        if routes.is_true("most_specific_header_mutations_wins") {
            self.add(
                report,
                Finding::error(
                    Rule::LastWord,
                    routes,
                    "most_specific_header_mutations_wins gives the last word to the routes",
                    "take most_specific_header_mutations_wins out",
                ),
            );
            return BTreeSet::new();
        }
        let names = self.owned.set.iter().chain(&self.owned.removed);
        let spellings = names.flat_map(|name| [name.clone(), name.replace('-', "_")]);
        let (covered, left): (BTreeSet<_>, BTreeSet<_>) =
            spellings.partition(|name| headers::is_removed_by(routes, name));
        if !left.is_empty() {
            let left: BTreeSet<_> = left.iter().map(String::as_str).collect();
            let found = format!("the route configuration does not remove {}", list(&left));
            let cure = format!("request_headers_to_remove: [{}]", list(&left));
            self.add(report, Finding::error(Rule::LastWord, routes, found, cure));
        }
        self.check_states(routes, report);
        covered
    }

    /// Each header that the filter sets is written once more, from where the filter left it.
    fn check_states(&self, routes: &Node<'a>, report: &mut Report) {
        let added = headers::added(routes);
        let of = |name: &str| {
            let named = added
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.map(|(_, entry)| entry).collect::<Vec<_>>()
        };
        for name in &self.owned.set {
            if of(name).is_empty() && headers::is_removed_by(routes, name) {
                let found =
                    format!("{name} is removed, and not written once more: it never arrives");
                self.add(
                    report,
                    Finding::warning(Rule::LastWord, routes, found, word_of(name)),
                );
            }
        }
        for (name, entry) in &added {
            let is_state =
                entry.text("header.value") == headers::state_of(&name.to_ascii_lowercase());
            if self.owned.has(name) && !is_state {
                let found = format!(
                    "the route configuration writes {name} from something else than the filter's state"
                );
                let severity = match entry
                    .text("header.value")
                    .starts_with("%FILTER_STATE(wasm.mtls_identity.")
                {
                    true => Severity::Warning,
                    false => Severity::Error,
                };
                let finding = Finding::new(severity, Rule::LastWord, entry, found, word_of(name));
                self.add(report, finding);
            }
        }
    }

    /// Filters behind ours, and routes, that write an owned header.
    fn check_writers(&self, covered: &BTreeSet<String>, report: &mut Report) {
        let behind = self.manager.filters.iter().skip(self.place + 1);
        let behind = behind.filter_map(|filter| filter.config.as_ref());
        let mut written: Vec<_> = behind
            .filter(|config| config.kind() == "HeaderMutation")
            .flat_map(headers::written_by_filter)
            .collect();
        for level in self.levels() {
            written.extend(headers::added(&level));
            let special = level.get("typed_per_filter_config");
            let special = special.map(|it| it.members()).unwrap_or_default();
            let special = special.into_iter().map(|(_, config)| config);
            let special = special.filter(|config| config.kind() == "HeaderMutationPerRoute");
            written.extend(special.flat_map(|config| headers::written_by_filter(&config)));
        }
        self.check_states_written(report);
        self.check_copies(report);
        for (name, at) in written {
            if self.owned.has(name) {
                self.add_writer(
                    name,
                    &at,
                    covered.contains(&name.to_ascii_lowercase()),
                    report,
                );
            }
        }
    }

    /// What mirrors requests, and writes an owned header into the copies.
    fn check_copies(&self, report: &mut Report) {
        let levels = self.levels().into_iter().chain(self.manager.routes.clone());
        for (name, at) in levels.flat_map(|level| headers::written_in_copies(&level)) {
            if self.owned.has(name) {
                self.add_writer(name, &at, false, report);
            }
        }
    }

    /// A route that makes a tunnel of a POST. (The filter refuses CONNECT.)
    fn check_tunnels(&self, report: &mut Report) {
        let routes = self.manager.forwarding_routes();
        let upgrades = routes
            .iter()
            .flat_map(|(_, route)| route.list("route.upgrade_configs"));
        for upgrade in upgrades.filter(|it| it.is_true("connect_config.allow_post")) {
            let found =
                "this route makes a tunnel of a POST, in which the client writes every byte";
            let cure = "take connect_config out";
            let finding = Finding::error(Rule::AroundTheFilter, &upgrade, found, cure);
            self.add(report, finding);
        }
    }

    /// Filters that write the filter's own state, from which the last word is taken.
    fn check_states_written(&self, report: &mut Report) {
        let filters = self.manager.filters.iter();
        let configs = filters.filter_map(|filter| filter.config.as_ref());
        let written = configs.flat_map(|config| config.fields().list("on_request_headers"));
        for state in written {
            let key = state.text("object_key");
            if key.starts_with(STATE) {
                let found =
                    format!("the filter state {key} is written, and the last word takes it");
                let cure = format!("take {key} out");
                let finding = Finding::error(Rule::OwnedHeaderWritten, &state, found, cure);
                self.add(report, finding);
            }
        }
    }

    fn add_writer(&self, name: &str, at: &Node<'a>, is_covered: bool, report: &mut Report) {
        let cure = format!("take {name} out of what this writes");
        let finding = Finding::header_written(name, at, is_covered, cure);
        self.add(report, finding);
    }

    /// Virtual hosts, routes and weighted clusters.
    fn levels(&self) -> Vec<Node<'a>> {
        let mut levels = Vec::new();
        let routes = self.manager.routes.iter();
        for host in routes.flat_map(|routes| routes.list("virtual_hosts")) {
            for route in host.list("routes") {
                levels.extend(route.list("route.weighted_clusters.clusters"));
                levels.push(route);
            }
            levels.push(host);
        }
        levels
    }

    /// Routes on which the filter does not run.
    fn check_switches(&self, report: &mut Report) {
        let Some(ours) = self.manager.filters.get(self.place) else {
            return;
        };
        let routes = self.manager.forwarding_routes();
        let off = routes
            .iter()
            .find(|(host, route)| !self.manager.is_on(ours, host, route));
        let is_off =
            routes.is_empty() && ours.node.is_true("disabled") && self.manager.routes.is_some();
        let (at, is_guarded) = match off {
            Some((host, route)) => (route, self.is_guarded(Some((host, route)))),
            None if is_off => (&ours.node, self.is_guarded(None)),
            None => return,
        };
        let severity = match is_guarded {
            true => Severity::Warning,
            false => Severity::Error,
        };
        let found = "the filter is disabled here";
        let cure = format!("take `disabled: true` of {} out", ours.name);
        let finding = Finding::new(severity, Rule::FilterOff, at, found, cure);
        self.add(report, finding);
    }
}

fn removal_of(names: &BTreeSet<&str>) -> String {
    let lines = names
        .iter()
        .map(|name| match name.starts_with("x-ssl-client-") {
            true => "- remove_on_match: { key_matcher: { prefix: x-ssl-client- } }".to_owned(),
            false => format!("- remove: {name}"),
        });
    let lines: BTreeSet<_> = lines.collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn word_of(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let state = headers::state_of(&name);
    format!(
        "- header: {{ key: {name}, value: \"{state}\" }}\n  append_action: OVERWRITE_IF_EXISTS_OR_ADD"
    )
}
