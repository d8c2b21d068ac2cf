//! What the files say of one Envoy: its listeners, routes, clusters and secrets, wherever they stand.

use std::collections::BTreeMap;

use super::version::Version;
use crate::doctor::node::{Document, Node};

/// One Envoy.
#[derive(Debug, Default)]
pub(super) struct Proxy<'a> {
    /// The version; a dump says it.
    pub(super) version: Option<Version>,
    /// Where a finding about the whole proxy belongs.
    pub(super) bootstrap: Option<Node<'a>>,
    /// The listeners.
    pub(super) listeners: Vec<Node<'a>>,
    /// Filters that are named in a listener and come by ECDS, by name.
    pub(super) extensions: BTreeMap<&'a str, Node<'a>>,
    /// Route configurations by name.
    pub(super) routes: BTreeMap<&'a str, Node<'a>>,
    /// Clusters by name.
    pub(super) clusters: BTreeMap<&'a str, Node<'a>>,
    /// Secrets by name.
    pub(super) secrets: BTreeMap<&'a str, Node<'a>>,
}

impl<'a> Proxy<'a> {
    /// The proxies of these documents: one for each dump and for each bootstrap. Files with single resources belong to the
    /// bootstraps; without one they are a proxy by themselves.
    pub(super) fn of(documents: &[&'a Document]) -> Vec<Self> {
        let mut proxies = Vec::new();
        let mut loose = Self::default();
        let mut has_loose = false;
        for document in documents {
            let root = Node::root(document);
            let mut proxy = Self::default();
            if root.get("configs").is_some() {
                proxy.add_dump(&root);
                proxies.push((true, proxy));
            } else if is_bootstrap(&root) {
                proxy.add_bootstrap(&root);
                proxies.push((false, proxy));
            } else {
                has_loose |= loose.add_resources(&root);
            }
        }
        if has_loose && proxies.iter().all(|(is_dump, _)| *is_dump) {
            proxies.push((false, Self::default()));
        }
        let complete = |(is_dump, mut proxy): (bool, Self)| {
            if !is_dump {
                proxy.join(&loose);
            }
            proxy
        };
        proxies.into_iter().map(complete).collect()
    }

    fn join(&mut self, other: &Self) {
        self.listeners.extend(other.listeners.iter().cloned());
        self.extensions.extend(other.extensions.clone());
        self.routes.extend(other.routes.clone());
        self.clusters.extend(other.clusters.clone());
        self.secrets.extend(other.secrets.clone());
    }

    fn add_bootstrap(&mut self, bootstrap: &Node<'a>) {
        self.listeners
            .extend(bootstrap.list("static_resources.listeners"));
        self.add_what_a_dump_repeats(bootstrap);
    }

    /// All of a bootstrap but its listeners.
    fn add_what_a_dump_repeats(&mut self, bootstrap: &Node<'a>) {
        let version = bootstrap.get("node.user_agent_build_version.version");
        self.version = version
            .and_then(|it| Version::of_node(&it))
            .or(self.version);
        self.bootstrap = Some(bootstrap.clone());
        for cluster in bootstrap.list("static_resources.clusters") {
            self.add_cluster(&cluster);
        }
        for secret in bootstrap.list("static_resources.secrets") {
            self.secrets.insert(secret.text("name"), secret);
        }
    }

    /// Envoy's `/config_dump`, also as `istioctl proxy-config all` prints it.
    fn add_dump(&mut self, dump: &Node<'a>) {
        let parts = dump.list("configs");
        for part in &parts {
            self.add_listeners(part);
            self.add_routes(part);
            self.add_others(part);
        }
        for part in &parts {
            if let Some(bootstrap) = part.get("bootstrap") {
                self.add_what_a_dump_repeats(&bootstrap);
                if self.listeners.is_empty() {
                    self.listeners
                        .extend(bootstrap.list("static_resources.listeners"));
                }
            }
        }
    }

    fn add_listeners(&mut self, part: &Node<'a>) {
        let fixed = part.list("static_listeners").into_iter();
        self.listeners
            .extend(fixed.filter_map(|entry| entry.get("listener")));
        // A dump of single resources has the entries where a whole one has their lists.
        let entries = part.list("dynamic_listeners").into_iter();
        let entries = entries.chain([part.clone()]);
        self.listeners
            .extend(entries.filter_map(|entry| entry.get("active_state.listener")));
    }

    fn add_routes(&mut self, part: &Node<'a>) {
        let lists = ["static_route_configs", "dynamic_route_configs"];
        let entries = lists.iter().flat_map(|list| part.list(list));
        for routes in entries.filter_map(|entry| entry.get("route_config")) {
            self.routes.insert(routes.text("name"), routes);
        }
        for filter in part.list("ecds_filters") {
            if let Some(filter) = filter.get("ecds_filter") {
                self.add_extension(&filter);
            }
        }
    }

    fn add_others(&mut self, part: &Node<'a>) {
        let lists = ["static_clusters", "dynamic_active_clusters"];
        let entries = lists.iter().flat_map(|list| part.list(list));
        for cluster in entries.filter_map(|entry| entry.get("cluster")) {
            self.add_cluster(&cluster);
        }
        let lists = ["static_secrets", "dynamic_active_secrets"];
        for entry in lists.iter().flat_map(|list| part.list(list)) {
            if let Some(secret) = entry.get("secret") {
                self.secrets.insert(entry.text("name"), secret);
            }
        }
    }

    /// A file of LDS, RDS, CDS, SDS or ECDS, or a list of listeners as `istioctl proxy-config listener` prints it. Returns
    /// whether there was any.
    fn add_resources(&mut self, root: &Node<'a>) -> bool {
        let mut any = false;
        for resource in root.list("resources").into_iter().chain(root.entries()) {
            any = true;
            match resource.kind() {
                "Listener" => self.listeners.push(resource),
                "TypedExtensionConfig" => self.add_extension(&resource),
                "RouteConfiguration" => {
                    self.routes.insert(resource.text("name"), resource);
                }
                "Cluster" => self.add_cluster(&resource),
                "Secret" => {
                    self.secrets.insert(resource.text("name"), resource);
                }
                _ if resource.get("filter_chains").is_some() => self.listeners.push(resource),
                _ => any = false,
            }
        }
        any
    }

    fn add_extension(&mut self, extension: &Node<'a>) {
        if let Some(config) = extension.typed_config() {
            self.extensions.insert(extension.text("name"), config);
        }
    }

    fn add_cluster(&mut self, cluster: &Node<'a>) {
        self.clusters.insert(cluster.text("name"), cluster.clone());
    }
}

fn is_bootstrap(root: &Node<'_>) -> bool {
    let keys = ["static_resources", "dynamic_resources", "admin"];
    root.get("api_version").is_none() && keys.iter().any(|key| root.get(key).is_some())
}
