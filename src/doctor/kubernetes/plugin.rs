//! Our filter in an object of Kubernetes: a WasmPlugin, a TrafficExtension, an EnvoyExtensionPolicy.

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
        let place = match object.kind {
            "EnvoyExtensionPolicy" => "config",
            _ => "pluginConfig",
        };
        let config = wasm.get(place);
        let json = config
            .as_ref()
            .map_or_else(|| "{}".to_owned(), |it| it.value.to_string());
        let loaded = load(config.as_ref().unwrap_or(&wasm), &json);
        let configuration = loaded.map_err(|findings| {
            report.extend(findings.into_iter().map(|it| object.place(it)));
        });
        let selector = object.selector();
        Self {
            labels: selector.map(|it| objects.labels_of(object.namespace, &it)),
            object: object.clone(),
            wasm,
            configuration: configuration.ok(),
        }
    }

    fn check(&self, report: &mut Report) {
        let fails_open =
            self.wasm.text("failStrategy") == "FAIL_OPEN" || self.wasm.is_true("failOpen");
        if fails_open {
            let cure = match self.object.kind {
                "EnvoyExtensionPolicy" => "failOpen: false",
                _ => "failStrategy: FAIL_RELOAD",
            };
            let found = "a filter that fails lets requests pass";
            self.add(
                report,
                Finding::error(Rule::FailOpen, &self.wasm, found, cure),
            );
        }
        let image = self
            .wasm
            .get("code.image")
            .unwrap_or_else(|| self.wasm.clone());
        let digest = image.text("sha256");
        let url = image.text("url");
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
        matches.iter().any(|it| it.text("mode") == "SERVER")
    }
}

fn modules<'a>(object: &Object<'a>) -> Vec<Node<'a>> {
    let node = &object.node;
    match object.kind {
        "WasmPlugin" => node.get("spec").into_iter().collect(),
        "TrafficExtension" => node.get("spec.wasm").into_iter().collect(),
        "EnvoyExtensionPolicy" => node.list("spec.wasm"),
        _ => Vec::new(),
    }
}

fn is_ours(wasm: &Node<'_>) -> bool {
    wasm.mentions("mtls_identity") || wasm.mentions("mtls-identity")
}
