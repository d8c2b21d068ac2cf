//! The connection managers of a proxy: the chain that each stands in, its filters, our filter among them, its routes.

use serde_json::Value;

use super::proxy::Proxy;
use crate::config::Configuration;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;

/// A filter chain.
#[derive(Clone, Debug)]
pub(super) struct Chain<'a> {
    pub(super) listener: Node<'a>,
    pub(super) node: Node<'a>,
    /// Its name, or its number in the listener.
    pub(super) name: String,
}

/// A connection manager.
#[derive(Clone, Debug)]
pub(super) struct Manager<'a> {
    pub(super) chain: Chain<'a>,
    /// The fields of the HttpConnectionManager.
    pub(super) node: Node<'a>,
    pub(super) filters: Vec<Filter<'a>>,
    /// The route configuration; none where the files do not have it.
    pub(super) routes: Option<Node<'a>>,
}

/// An HTTP filter.
#[derive(Clone, Debug)]
pub(super) struct Filter<'a> {
    pub(super) name: &'a str,
    /// The entry in the list of filters.
    pub(super) node: Node<'a>,
    /// What it is configured with; none where the files do not have it.
    pub(super) config: Option<Node<'a>>,
}

/// Our filter in a connection manager.
#[derive(Debug)]
pub(super) struct Ours<'a> {
    /// Its place in the list of filters.
    pub(super) place: usize,
    /// Its configuration; none where the files do not have it.
    pub(super) plugin: Option<Plugin<'a>>,
}

impl<'a> Chain<'a> {
    /// All filter chains of a proxy.
    pub(super) fn of(proxy: &Proxy<'a>) -> Vec<Self> {
        let listeners = proxy.listeners.iter();
        listeners.flat_map(Self::of_listener).collect()
    }

    fn of_listener(listener: &Node<'a>) -> Vec<Self> {
        let numbered = listener.list("filter_chains").into_iter().enumerate();
        let named = |(number, node): (usize, Node<'a>)| Self {
            listener: listener.clone(),
            name: match node.text("name") {
                "" => number.to_string(),
                name => name.to_owned(),
            },
            node,
        };
        let default = listener.get("default_filter_chain").map(|node| Self {
            listener: listener.clone(),
            name: "default".to_owned(),
            node,
        });
        numbered.map(named).chain(default).collect()
    }

    /// The DownstreamTlsContext; that of QUIC as well.
    pub(super) fn tls(&self) -> Option<Node<'a>> {
        let config = self.node.get("transport_socket")?.typed_config()?;
        match config.kind() {
            "DownstreamTlsContext" => Some(config.fields()),
            "QuicDownstreamTransport" => config.fields().get("downstream_tls_context"),
            // Plain TCP first, and TLS when the client says so.
            "StartTlsConfig" => config.fields().get("tls_socket_config"),
            _ => None,
        }
    }

    /// Whether only this Envoy itself connects here.
    pub(super) fn is_internal(&self) -> bool {
        self.listener.get("internal_listener").is_some()
    }

    /// The network filters, each with its message.
    pub(super) fn network_filters(&self) -> Vec<Node<'a>> {
        let filters = self.node.list("filters").into_iter();
        filters.filter_map(|filter| filter.typed_config()).collect()
    }

    /// The same finding, with the listener and the chain.
    pub(super) fn place(&self, finding: Finding) -> Finding {
        let name = self.listener.text("name");
        Finding {
            listener: Some(name.to_owned()),
            chain: Some(self.name.clone()),
            ..finding
        }
    }
}

impl<'a> Manager<'a> {
    /// The connection managers of a chain.
    pub(super) fn of(chain: &Chain<'a>, proxy: &Proxy<'a>) -> Vec<Self> {
        let managers = chain.network_filters().into_iter();
        let managers = managers.filter(|config| config.kind() == "HttpConnectionManager");
        managers
            .map(|config| Self::read(chain, &config.fields(), proxy))
            .collect()
    }

    fn read(chain: &Chain<'a>, node: &Node<'a>, proxy: &Proxy<'a>) -> Self {
        let inline = node.get("route_config");
        let named = || {
            proxy
                .routes
                .get(node.text("rds.route_config_name"))
                .cloned()
        };
        let filters = node.list("http_filters").into_iter();
        Self {
            chain: chain.clone(),
            node: node.clone(),
            filters: filters.map(|node| Filter::read(node, proxy)).collect(),
            routes: inline.or_else(named),
        }
    }

    /// Our filter, as often as it is there.
    pub(super) fn ours(&self) -> Vec<Ours<'a>> {
        let filters = self.filters.iter().enumerate();
        filters
            .filter_map(|(place, filter)| {
                let plugin = filter.config.as_ref().and_then(Plugin::of_wasm);
                let is_ours =
                    plugin.is_some() || (filter.config.is_none() && filter.has_our_name());
                is_ours.then_some(Ours { place, plugin })
            })
            .collect()
    }

    /// The routes that lead to a cluster, each with its virtual host.
    pub(super) fn forwarding_routes(&self) -> Vec<(Node<'a>, Node<'a>)> {
        let hosts = self.routes.iter().flat_map(|it| it.list("virtual_hosts"));
        let of_host = |host: Node<'a>| {
            let routes = host.list("routes").into_iter();
            let routes = routes.filter(|route| route.get("route").is_some());
            routes
                .map(|route| (host.clone(), route))
                .collect::<Vec<_>>()
        };
        hosts.flat_map(of_host).collect()
    }

    /// What a route has for a filter of this name: the closest of route, virtual host and route configuration.
    pub(super) fn per_route(
        &self,
        host: &Node<'a>,
        route: &Node<'a>,
        filter: &str,
    ) -> Option<Node<'a>> {
        let levels = [Some(route), Some(host), self.routes.as_ref()];
        let of_level = |level: &Node<'a>| level.get("typed_per_filter_config")?.key(filter);
        levels.into_iter().flatten().find_map(of_level)
    }

    /// Whether a request on this route passes a filter. A filter that is `disabled` can be switched on by a route.
    pub(super) fn is_on(&self, filter: &Filter<'a>, host: &Node<'a>, route: &Node<'a>) -> bool {
        match self.per_route(host, route, filter.name) {
            Some(config) if config.kind() == "FilterConfig" => !config.is_true("disabled"),
            Some(_) => true,
            None => !filter.node.is_true("disabled"),
        }
    }

    /// Says what of this connection manager the files do not show.
    pub(super) fn say_unseen(&self, report: &mut Report) {
        let listener = self.chain.listener.text("name");
        if self.routes.is_none() {
            let name = self.node.text("rds.route_config_name");
            report.cannot_see(format!(
                "the route configuration {name:?} of listener {listener:?}: the last word and what routes write"
            ));
        }
        for filter in &self.filters {
            if filter.config.is_none() {
                let name = filter.name;
                report.cannot_see(format!(
                    "the configuration of the filter {name:?} of listener {listener:?}"
                ));
            }
        }
    }
}

impl<'a> Filter<'a> {
    fn read(node: Node<'a>, proxy: &Proxy<'a>) -> Self {
        let name = node.text("name");
        let discovered = || {
            let discovery = node.get("config_discovery")?;
            let sent = proxy.extensions.get(name).cloned();
            sent.or_else(|| discovery.get("default_config"))
        };
        let config = node.typed_config().or_else(discovered);
        Self { name, node, config }
    }

    /// The name of its message; empty where the files do not have it.
    pub(super) fn kind(&self) -> &'a str {
        self.config.as_ref().map(Node::kind).unwrap_or_default()
    }

    fn has_our_name(&self) -> bool {
        ["mtls_identity", "mtls-identity"]
            .iter()
            .any(|ours| self.name.contains(ours) && !self.name.contains("guard"))
    }
}

/// The PluginConfig of the filter.
#[derive(Clone, Debug)]
pub(super) struct Plugin<'a> {
    pub(super) node: Node<'a>,
}

impl<'a> Plugin<'a> {
    /// The plugin in the configuration of a wasm filter, if it is this one.
    pub(super) fn of_wasm(config: &Node<'a>) -> Option<Self> {
        if config.kind() != "Wasm" {
            return None;
        }
        let node = config.fields().get("config")?;
        let is_ours = node.mentions("mtls_identity") || node.mentions("mtls-identity");
        is_ours.then_some(Self { node })
    }

    /// The configuration as the filter loads it.
    ///
    /// # Errors
    /// A finding for each thing that is wrong.
    pub(super) fn load(&self) -> Result<Configuration, Vec<Finding>> {
        let at = self.node.get("configuration");
        let Some(at) = at else {
            return load(&self.node, "");
        };
        match at.get("value").map(|value| value.value) {
            Some(Value::String(text)) => load(&at, text),
            None if at.kind() == "StringValue" => load(&at, ""),
            Some(_) | None => Err(vec![Finding::error(
                Rule::FilterConfiguration,
                &at,
                format!("found {}, expected JSON in a StringValue", at.kind()),
                "configuration: { \"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{}' }",
            )]),
        }
    }

    /// Whether the filter takes this plugin for the other one, which revokes others.
    pub(super) fn is_taken_for(&self, other: &Self) -> bool {
        let name = |it: &Self| ["name", "root_id"].map(|field| it.node.text(field));
        let machine = |it: &Self| it.node.get("vm_config").map(|node| node.value);
        let revoked = |it: &Self| {
            let json = it.json();
            let list = json.get("revoked").and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        // One plugin stands in every chain of a mesh's listener: equal text is not parsed for each pair.
        name(self) == name(other)
            && machine(self) == machine(other)
            && self.text() != other.text()
            && revoked(self) != revoked(other)
    }

    /// Whether a crash of the filter lets requests pass.
    pub(super) fn fails_open(&self) -> bool {
        self.node.is("failure_policy", "FAIL_OPEN", 3) || self.node.is_true("fail_open")
    }

    /// The configuration as it is written; null where it is no JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    fn text(&self) -> &'a str {
        self.node.text("configuration.value")
    }
}

/// What the loader makes of a configuration that stands here.
pub(in crate::doctor) fn load(at: &Node<'_>, json: &str) -> Result<Configuration, Vec<Finding>> {
    let loaded = Configuration::parse_reporting_all(json.as_bytes());
    loaded.map_err(|errors| {
        let finding = |error| {
            let cure = "mtls-identity check FILE says the line";
            Finding::error(Rule::FilterConfiguration, at, error, cure)
        };
        errors.iter().map(finding).collect()
    })
}
