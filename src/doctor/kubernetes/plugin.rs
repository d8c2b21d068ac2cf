//! Our filter in an object of Kubernetes: a WasmPlugin, a TrafficExtension, an EnvoyExtensionPolicy, an EnvoyFilter.

use serde_json::Value;

use super::objects::{Labels, Object, Objects};
use crate::config::Configuration;
use crate::doctor::envoy::load;
use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::owned::Owned;
use crate::doctor::rule::Rule;

/// The digest that the shipped files have until an image is pushed.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The filter, and the workload that it is for.
#[derive(Debug)]
pub(super) struct Plugin<'a> {
    pub(super) object: Object<'a>,
    /// The fields of the module: url, digest, configuration.
    pub(super) wasm: Node<'a>,
    /// None where the filter refuses its configuration.
    pub(super) configuration: Option<Configuration>,
    /// Its configuration as it is written; null where it is no JSON.
    pub(super) json: Value,
    /// The labels of its Pods; none where it is attached to a Gateway of the Gateway API.
    pub(super) labels: Option<Labels<'a>>,
}

impl<'a> Plugin<'a> {
    /// All that are ours. What is wrong with each is reported.
    pub(super) fn of(objects: &Objects<'a>, report: &mut Report) -> Vec<Self> {
        let mut plugins = Vec::new();
        for object in objects.all() {
            let ours = modules(object).into_iter().filter(is_ours);
            for wasm in ours {
                let plugin = Self::read(object, wasm, objects, report);
                plugin.check(report);
                plugins.push(plugin);
            }
        }
        plugins
    }

    fn read(
        object: &Object<'a>,
        wasm: Node<'a>,
        objects: &Objects<'a>,
        report: &mut Report,
    ) -> Self {
        let config = config_of(object, &wasm);
        let json = config.as_ref().map_or_else(|| "{}".to_owned(), json_of);
        let loaded = load(config.as_ref().unwrap_or(&wasm), &json);
        let configuration = loaded.map_err(|findings| {
            report.extend(findings.into_iter().map(|it| object.place(it)));
        });
        let selector = object.selector();
        Self {
            labels: selector.map(|it| objects.labels_of(object.namespace, &it)),
            object: object.clone(),
            wasm,
            json: serde_json::from_str(&json).unwrap_or_default(),
            configuration: configuration.ok(),
        }
    }

    fn check(&self, report: &mut Report) {
        let fails_open = self.wasm.text("failStrategy") == "FAIL_OPEN"
            || self.wasm.is_true("failOpen")
            || self.wasm.is("failure_policy", "FAIL_OPEN", 3);
        if fails_open {
            let cure = match self.object.kind {
                "EnvoyExtensionPolicy" => "failOpen: false",
                "EnvoyFilter" => "failure_policy: FAIL_RELOAD",
                _ => "failStrategy: FAIL_RELOAD",
            };
            let found = "a filter that fails lets requests pass";
            let finding = Finding::error(Rule::FailOpen, &self.wasm, found, cure);
            self.add(report, finding);
        }
        let places = ["code.image", "vm_config.code.remote"];
        let image = places.iter().find_map(|it| self.wasm.get(it));
        let image = image.unwrap_or_else(|| self.wasm.clone());
        let digest = image.text("sha256");
        let url = match image.text("url") {
            "" => image.text("http_uri.uri"),
            url => url,
        };
        let found = match digest {
            NO_DIGEST => "the digest is all zeros, that of no image",
            "" if !url.contains('@') && !url.starts_with("file:") => "the module has no digest",
            _ => return,
        };
        let cure = "istio/image.sh REGISTRY/mtls-identity:TAG prints url and sha256";
        self.add(
            report,
            Finding::warning(Rule::ModuleDigest, &image, found, cure),
        );
    }

    /// Reports a finding, with this object as its place.
    pub(super) fn add(&self, report: &mut Report, finding: Finding) {
        report.add(self.object.place(finding));
    }

    /// The names that it owns.
    pub(super) fn owned(&self) -> Option<Owned> {
        self.configuration.as_ref().map(Owned::new)
    }

    /// Whether an object with a selector or targets is about the proxies of this plugin. One that has neither is about all
    /// Pods of its namespace.
    pub(super) fn is_meant_by(&self, object: &Object<'a>) -> bool {
        if object.namespace != self.object.namespace {
            return false;
        }
        let targets = object.targets();
        if !targets.is_empty() {
            return self.object.targets().iter().any(|it| targets.contains(it));
        }
        match (object.selector(), &self.labels) {
            (Some(selector), Some(labels)) => super::objects::selects(&selector, labels),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// Whether it runs on what comes into a Pod beside it, and so in a sidecar.
    pub(super) fn is_in_a_sidecar(&self) -> bool {
        let matches = self.object.node.list("spec.match");
        let patches = self.object.node.list("spec.configPatches");
        matches.iter().any(|it| it.text("mode") == "SERVER")
            || patches
                .iter()
                .any(|it| it.text("match.context") == "SIDECAR_INBOUND")
    }
}

fn modules<'a>(object: &Object<'a>) -> Vec<Node<'a>> {
    let node = &object.node;
    match object.kind {
        "WasmPlugin" => node.get("spec").into_iter().collect(),
        "TrafficExtension" => node.get("spec.wasm").into_iter().collect(),
        "EnvoyExtensionPolicy" => node.list("spec.wasm"),
        "EnvoyFilter" => {
            let patches = node.list("spec.configPatches").into_iter();
            let configs = patches.filter_map(|it| it.get("patch.value.typed_config"));
            let wasm = configs.filter(|config| config.kind() == "Wasm");
            wasm.filter_map(|config| config.fields().get("config"))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Where the filter's configuration stands.
fn config_of<'a>(object: &Object<'a>, wasm: &Node<'a>) -> Option<Node<'a>> {
    wasm.get(match object.kind {
        "EnvoyExtensionPolicy" => "config",
        "EnvoyFilter" => "configuration.value",
        _ => "pluginConfig",
    })
}

/// An object as JSON; a string as the JSON that it is.
fn json_of(config: &Node<'_>) -> String {
    match config.as_str() {
        Some(text) => text.to_owned(),
        None => config.value.to_string(),
    }
}

fn is_ours(wasm: &Node<'_>) -> bool {
    wasm.mentions("mtls_identity") || wasm.mentions("mtls-identity")
}
