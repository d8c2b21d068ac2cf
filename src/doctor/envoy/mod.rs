//! What Envoy itself is told: bootstraps, dumps, discovery files.

mod around;
mod headers;
mod lines;
mod manager;
mod proxy;
mod rbac;
mod tls;
mod version;

pub(super) use headers::{fits_expression, is_added_from_state, is_removed_by, is_removed_early};
pub(super) use manager::load;

use crate::certificate::Timestamp;
use crate::config::Configuration;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Document;
use crate::doctor::owned::Owned;
use crate::doctor::rule::Rule;

use around::Beside;
use lines::Lines;
use manager::{Chain, Manager, Ours, Plugin};
use proxy::Proxy;
use tls::Tls;

/// Examines every Envoy of these documents.
pub(super) fn examine(documents: &[&Document], now: Timestamp, report: &mut Report) {
    for proxy in Proxy::of(documents) {
        examine_proxy(&proxy, now, report);
    }
}

fn examine_proxy(proxy: &Proxy<'_>, now: Timestamp, report: &mut Report) {
    let chains = Chain::of(proxy).into_iter().map(|chain| {
        let managers = Manager::of(&chain, proxy);
        (chain, managers)
    });
    let chains: Vec<_> = chains.collect();
    let mut filters = 0;
    let mut plugins = Vec::new();
    for manager in chains.iter().flat_map(|(_, managers)| managers) {
        for ours in manager.ours() {
            filters += 1;
            examine_filter(proxy, manager, &ours, now, report);
            let chain = &manager.chain;
            plugins.extend(ours.plugin.map(|plugin| (chain, plugin)));
        }
    }
    check_names(&plugins, report);
    if chains.is_empty() {
        filters += examine_extensions(proxy, report);
    }
    report.filters += filters;
    around::check_other_ways(proxy, &chains, report);
    around::check_admin(proxy, report);
    if filters > 0 {
        version::check(proxy.version, proxy.bootstrap.as_ref(), report);
    } else if let Some((chain, _)) = chains.first() {
        let found = "no connection manager has the filter";
        let cure = "http_filters: see mtls_identity in envoy/envoy.yaml";
        report.add(Finding::warning(
            Rule::FilterMissing,
            &chain.listener,
            found,
            cure,
        ));
    }
}

/// Of the configurations of one VM each needs a name of its own, by which the filter tells whose open requests it ends.
fn check_names(plugins: &[(&Chain<'_>, Plugin<'_>)], report: &mut Report) {
    for (number, (chain, plugin)) in plugins.iter().enumerate() {
        let mut earlier = plugins.iter().take(number);
        if earlier.any(|(_, other)| plugin.is_taken_for(other)) {
            let found =
                "another configuration with other `revoked` has the same name, root_id and VM";
            let cure = "root_id: a_name_of_its_own";
            let finding = Finding::warning(Rule::PluginNameShared, &plugin.node, found, cure);
            report.add(chain.place(finding));
        }
    }
}

/// Files of ECDS without the listener: the filter's own configuration is all that they show.
fn examine_extensions(proxy: &Proxy<'_>, report: &mut Report) -> usize {
    let plugins = proxy.extensions.values().filter_map(Plugin::of_wasm);
    let plugins: Vec<_> = plugins.collect();
    for plugin in &plugins {
        report.cannot_see("the listener that the filter belongs to");
        report.extend(plugin.load().err().unwrap_or_default());
        report.extend(around::fail_open(plugin));
    }
    plugins.len()
}

fn examine_filter(
    proxy: &Proxy<'_>,
    manager: &Manager<'_>,
    ours: &Ours<'_>,
    now: Timestamp,
    report: &mut Report,
) {
    let chain = &manager.chain;
    manager.say_unseen(report);
    let loaded = ours.plugin.as_ref().map(|plugin| plugin.load());
    let configuration = match loaded {
        Some(Ok(configuration)) => Some(configuration),
        Some(Err(findings)) => {
            report.extend(findings.into_iter().map(|it| chain.place(it)));
            None
        }
        None => None,
    };
    let configuration = configuration.as_ref();
    Tls {
        chain,
        proxy,
        configuration,
        now,
    }
    .check(report);
    Beside {
        proxy,
        manager,
        ours,
        configuration,
    }
    .check(report);
    // The names of a configuration that is not known, or refused, are those of the default one.
    let default = Configuration::parse(b"{}").ok();
    if let Some(configuration) = configuration.or(default.as_ref()) {
        let owned = Owned::new(configuration);
        let place = ours.place;
        Lines {
            manager,
            place,
            owned: &owned,
        }
        .check(report);
    }
}
