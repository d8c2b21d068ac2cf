//! Objects of Kubernetes, and which of them mean which others.

use std::collections::BTreeMap;

use crate::doctor::finding::Finding;
use crate::doctor::node::{Document, Node};

/// The API group of the Gateway API.
pub(super) const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The API group of Envoy Gateway.
pub(super) const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io";
/// The API group of Istio's Gateways, routes and EnvoyFilters.
pub(super) const NETWORKING: &str = "networking.istio.io";

/// Labels of Pods, or the labels that a selector asks for.
pub(super) type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    pub(super) node: Node<'a>,
    pub(super) kind: &'a str,
    /// The API group: `networking.istio.io`.
    pub(super) group: &'a str,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
}

impl<'a> Object<'a> {
    fn of(node: Node<'a>) -> Self {
        let version = node.text("apiVersion");
        Self {
            kind: node.text("kind"),
            group: version.split_once('/').map_or("", |(group, _)| group),
            namespace: match node.text("metadata.namespace") {
                "" => "default",
                namespace => namespace,
            },
            name: node.text("metadata.name"),
            node,
        }
    }

    /// The same finding, with this object as its place.
    pub(super) fn place(&self, finding: Finding) -> Finding {
        let Self {
            kind,
            namespace,
            name,
            ..
        } = self;
        Finding {
            listener: Some(format!("{kind} {namespace}/{name}")),
            ..finding
        }
    }

    /// The labels that its selector asks for; none if it has no selector.
    pub(super) fn selector(&self) -> Option<Labels<'a>> {
        let places = [
            "spec.selector.matchLabels",
            "spec.workloadSelector.labels",
            "spec.workloadSelector.matchLabels",
        ];
        places
            .iter()
            .find_map(|it| self.node.get(it))
            .map(|it| labels(&it))
    }

    /// What its `targetRef` and `targetRefs` name, as kind and name.
    pub(super) fn targets(&self) -> Vec<(&'a str, &'a str)> {
        let one = self.node.get("spec.targetRef");
        let all = one.into_iter().chain(self.node.list("spec.targetRefs"));
        all.map(|it| (it.text("kind"), it.text("name"))).collect()
    }

    /// Whether a target is only a part of what it names: one listener, one rule.
    pub(super) fn targets_a_section(&self) -> bool {
        let one = self.node.get("spec.targetRef");
        let mut all = one.into_iter().chain(self.node.list("spec.targetRefs"));
        all.any(|it| it.get("sectionName").is_some())
    }

    /// The labels of the Pods of a Deployment and the like, or of a Pod.
    pub(super) fn pod_labels(&self) -> Option<Labels<'a>> {
        let place = match self.kind {
            "Pod" => "metadata.labels",
            "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" => {
                "spec.template.metadata.labels"
            }
            _ => return None,
        };
        Some(labels(&self.node.get(place)?))
    }
}

/// The members of an object that are text.
pub(super) fn labels<'a>(node: &Node<'a>) -> Labels<'a> {
    let members = node.members().into_iter();
    members
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .collect()
}

/// Whether Pods with these labels are selected.
pub(super) fn selects(selector: &Labels<'_>, labels: &Labels<'_>) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
}

/// All objects of all files.
#[derive(Debug)]
pub(super) struct Objects<'a>(Vec<Object<'a>>);

impl<'a> Objects<'a> {
    /// The objects of these documents, those of lists as well.
    pub(super) fn of(documents: &[&'a Document]) -> Self {
        let mut objects = Vec::new();
        for document in documents {
            let root = Node::root(document);
            match root.text("kind").ends_with("List") && root.get("items").is_some() {
                true => objects.extend(root.list("items").into_iter().map(Object::of)),
                false => objects.push(Object::of(root)),
            }
        }
        Self(objects)
    }

    pub(super) fn all(&self) -> &[Object<'a>] {
        &self.0
    }

    /// The objects of this API group and kind.
    pub(super) fn of_kind(&self, group: &str, kind: &str) -> impl Iterator<Item = &Object<'a>> {
        let objects = self.0.iter();
        objects.filter(move |it| it.kind == kind && it.group == group)
    }

    /// The labels of Pods of this namespace that a selector fits; those that the selector itself asks for where the files
    /// have no such Pods.
    pub(super) fn labels_of(&self, namespace: &str, selector: &Labels<'a>) -> Labels<'a> {
        let pods = self.0.iter().filter(|it| it.namespace == namespace);
        let mut labels = pods.filter_map(Object::pod_labels);
        let found = labels.find(|labels| selects(selector, labels));
        found.unwrap_or_else(|| selector.clone())
    }
}
