//! The manifests of `istio/`, as kubectl renders them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use serde::Deserialize;
use serde_json::{Value, json};

/// Each is one `kubectl apply -k istio/…`.
pub(crate) const OVERLAYS: [&str; 6] = [
    "gateway",
    "sidecar",
    "waypoint",
    "traffic-extension/gateway",
    "traffic-extension/sidecar",
    "traffic-extension/waypoint",
];

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a program prints; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.current_dir(repository()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The order of the overlays, which an overlay of somebody's own must ask for once more.
pub(crate) fn order() -> Value {
    json!({
        "order": "legacy",
        "legacySortOptions": {"orderFirst": ["Namespace"], "orderLast": ["Gateway", "Deployment"]},
    })
}

/// The documents of a YAML file.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null())
        .collect()
}

/// What `kubectl kustomize` makes of this folder of the repository, with these components.
pub(crate) fn kustomized(resource: &str, components: &[String]) -> Vec<Value> {
    let target = repository().join("target");
    fs::create_dir_all(&target).unwrap();
    let folder = tempfile::tempdir_in(&target).unwrap();
    let at = |name: &str| format!("../../{name}");
    let components: Vec<_> = components.iter().map(|name| at(name)).collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [at(resource)],
        "components": components,
        "sortOptions": order(),
    });
    let file = folder.path().join("kustomization.yaml");
    fs::write(file, kustomization.to_string()).unwrap();
    let script = repository().join("tests/istio/kubectl.sh");
    let kubectl = output(&mut Command::new(script));
    let mut kustomize = Command::new(kubectl.trim());
    documents(&output(kustomize.arg("kustomize").arg(folder.path())))
}

/// All objects of one overlay.
#[derive(Clone, Debug)]
pub(crate) struct Manifests(Vec<Value>);

impl From<Vec<Value>> for Manifests {
    fn from(objects: Vec<Value>) -> Self {
        Self(objects)
    }
}

impl Manifests {
    /// As shipped. Rendered once per test process.
    pub(crate) fn of(overlay: &'static str) -> Self {
        Self::with(overlay, &[])
    }

    /// As an operator has it who adds these components in an overlay of their own.
    pub(crate) fn with(overlay: &'static str, components: &'static [&'static str]) -> Self {
        type Rendered = BTreeMap<(&'static str, &'static [&'static str]), Manifests>;
        static RENDERED: Mutex<Rendered> = Mutex::new(BTreeMap::new());
        let mut rendered = RENDERED.lock().unwrap_or_else(|poison| poison.into_inner());
        let manifests = rendered
            .entry((overlay, components))
            .or_insert_with(|| Self::render(overlay, components));
        manifests.clone()
    }

    fn render(overlay: &str, components: &[&str]) -> Self {
        let at = |name: &&str| format!("istio/{name}");
        let components: Vec<_> = components.iter().map(at).collect();
        Self(kustomized(&at(&overlay), &components))
    }

    pub(crate) fn all(&self) -> &[Value] {
        &self.0
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    /// The objects of this kind that are attached to this workload.
    pub(crate) fn attached(&self, kind: &str, workload: &Workload) -> Vec<&Value> {
        let attached = self
            .of_kind(kind)
            .filter(|object| workload.is_meant_by(object));
        attached.collect()
    }

    pub(crate) fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.of_kind(kind).find(|object| {
            let metadata = &object["metadata"];
            metadata["name"] == name && metadata["namespace"] == namespace
        })
    }

    /// The proxies: of each Deployment, and of each waypoint.
    pub(crate) fn workloads(&self) -> Vec<Workload> {
        let deployments = self.of_kind("Deployment").map(Workload::of_deployment);
        let waypoints = self.of_kind("Gateway").filter_map(Workload::of_waypoint);
        deployments.chain(waypoints).collect()
    }

    #[track_caller]
    pub(crate) fn workload(&self, name: &str) -> Workload {
        let mut workloads = self.workloads().into_iter();
        workloads.find(|workload| workload.name == name).unwrap()
    }

    /// The filter wherever it is configured, in both forms.
    pub(crate) fn plugins(&self) -> Vec<Plugin> {
        let kinds = ["WasmPlugin", "TrafficExtension"];
        let objects = kinds.iter().flat_map(|kind| self.of_kind(kind));
        objects.map(|object| Plugin(object.clone())).collect()
    }

    /// The filter in the proxy of this workload.
    pub(crate) fn plugin(&self, workload: &Workload) -> Option<Plugin> {
        let mut plugins = self.plugins().into_iter();
        plugins.find(|plugin| workload.is_meant_by(&plugin.0))
    }
}

/// Pods with one ServiceAccount and one kind of proxy.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) service_account: String,
    /// The template of its Pods; null for a waypoint, whose Deployment Istio writes.
    pub(crate) pod: Value,
}

impl Workload {
    fn of_deployment(deployment: &Value) -> Self {
        let pod = deployment["spec"]["template"].clone();
        let account = pod["spec"]["serviceAccountName"].as_str().unwrap();
        Self {
            service_account: account.to_owned(),
            ..Self::named(deployment, pod)
        }
    }

    fn of_waypoint(gateway: &Value) -> Option<Self> {
        let is_waypoint = gateway["spec"]["gatewayClassName"] == "istio-waypoint";
        is_waypoint.then(|| Self::named(gateway, Value::Null))
    }

    fn named(object: &Value, pod: Value) -> Self {
        let [namespace, name] = ["namespace", "name"]
            .map(|field| object["metadata"][field].as_str().unwrap().to_owned());
        Self {
            namespace,
            service_account: name.clone(),
            name,
            pod,
        }
    }

    /// What Istio calls it: a SPIFFE ID without its scheme.
    pub(crate) fn principal(&self) -> String {
        let Self {
            namespace,
            service_account,
            ..
        } = self;
        format!("cluster.local/ns/{namespace}/sa/{service_account}")
    }

    pub(crate) fn spiffe_id(&self) -> String {
        format!("spiffe://{}", self.principal())
    }

    /// Whether an object of Istio selects it, or targets it.
    pub(crate) fn is_meant_by(&self, object: &Value) -> bool {
        let spec = &object["spec"];
        let labels = [
            &spec["selector"]["matchLabels"],
            &spec["workloadSelector"]["labels"],
        ];
        let selected = labels.into_iter().any(|labels| self.has_labels(labels));
        let mut targets = spec["targetRefs"].as_array().into_iter().flatten();
        let targeted = targets.any(|target| self.pod.is_null() && target["name"] == *self.name);
        object["metadata"]["namespace"] == *self.namespace && (selected || targeted)
    }

    /// Not for null: an object without a selector would mean all of its namespace.
    pub(crate) fn has_labels(&self, wanted: &Value) -> bool {
        let labels = &self.pod["metadata"]["labels"];
        wanted
            .as_object()
            .is_some_and(|wanted| wanted.iter().all(|(key, value)| labels[key] == *value))
    }

    /// The ProxyConfig in its annotation; null if there is none.
    pub(crate) fn proxy_config(&self) -> Value {
        let annotation = &self.pod["metadata"]["annotations"]["proxy.istio.io/config"];
        let text = annotation.as_str().unwrap_or("null");
        serde_yaml_ng::from_str(text).unwrap()
    }
}

/// A WasmPlugin or a TrafficExtension.
#[derive(Clone, Debug)]
pub(crate) struct Plugin(pub(crate) Value);

impl Plugin {
    /// The part that the two kinds have in common.
    pub(crate) fn wasm(&self) -> &Value {
        match self.0["kind"].as_str() {
            Some("TrafficExtension") => &self.0["spec"]["wasm"],
            _ => &self.0["spec"],
        }
    }

    /// What the filter gets.
    pub(crate) fn configuration(&self) -> &Value {
        &self.wasm()["pluginConfig"]
    }

    /// `namespace.name`, as Istio names the plugin.
    pub(crate) fn qualified_name(&self) -> String {
        let metadata = &self.0["metadata"];
        let [namespace, name] =
            ["namespace", "name"].map(|field| metadata[field].as_str().unwrap());
        format!("{namespace}.{name}")
    }
}

/// The values of an array of strings; none where there is nothing.
pub(crate) fn strings(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.map(|value| value.as_str().unwrap()).collect()
}
