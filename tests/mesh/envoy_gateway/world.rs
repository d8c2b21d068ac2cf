//! The cluster with Envoy Gateway in it, and a registry with the filter's image.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{Cluster, Endpoint, SLOW, status};
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::manifests::{documents, strings};
use crate::network::{HUB, Launch, Network, succeed};
use crate::registry::{self, Registry};
use crate::tools;

/// The namespace of Envoy Gateway and of all Envoys.
pub(super) const SYSTEM: &str = "envoy-gateway-system";
/// The user of Envoy Gateway, and of Envoy.
pub(super) const USER: u32 = 65532;

/// Everything but the manifests and the Envoys. It ends when dropped.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    gateway: Mutex<Option<Process>>,
    pub(crate) registry: Registry,
    /// Ends what the processes above have started.
    pub(crate) network: Network,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        // First, so that the time it takes does not count as time to start.
        tools::programs();
        tools::image();
        let folder = tempfile::tempdir().unwrap();
        // Programs run here that are not root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let network = Network::new(folder.path());
        network.resolve(HUB, &[registry::NAME.to_owned()]);
        let service = format!("envoy-gateway.{SYSTEM}");
        let endings = ["", ".svc", ".svc.cluster.local", ".svc.cluster.local."];
        network.resolve(HUB, &endings.map(|ending| format!("{service}{ending}")));
        let world = Self {
            cluster: Cluster::start(&network, folder.path()).await,
            gateway: Mutex::default(),
            registry: Registry::new(folder.path()),
            network,
            folder,
        };
        let chart = tools::programs().join("envoy-gateway/chart.yaml");
        let chart = documents(&fs::read_to_string(chart).unwrap());
        world.cluster.install(SYSTEM, chart);
        world.make_certificates();
        let service = world
            .cluster
            .get(&format!("service envoy-gateway -n {SYSTEM}"));
        let ports = ports(&service);
        world
            .cluster
            .endpoints(SYSTEM, "envoy-gateway", &Endpoint::hub(), &ports);
        world.start_gateway().await;
        world.registry.start(&world.network).await;
        world
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Who writes as this ServiceAccount, so that the chart's own rights are tried.
    fn environment_of(&self, account: &str) -> BTreeMap<String, String> {
        let create = ["create", "token", account, "-n", SYSTEM, "--duration=24h"];
        let token = self.cluster.kubectl(&create);
        let user = json!({"token": token.trim()});
        let config = self
            .cluster
            .write_kubeconfig(&format!("{account}.conf"), &user);
        [
            ("ENVOY_GATEWAY_NAMESPACE", SYSTEM),
            ("KUBERNETES_CLUSTER_DOMAIN", "cluster.local"),
            ("KUBECONFIG", config.to_str().unwrap()),
            ("HOME", "/tmp"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// What the Job of the chart does.
    fn make_certificates(&self) {
        let program = tools::programs().join("envoy-gateway/envoy-gateway");
        let mut command = self.network.hub().command(program);
        command.arg("certgen");
        command.envs(self.environment_of("eg-gateway-helm-certgen"));
        succeed(&mut command);
    }

    /// With the arguments and the volumes of its Deployment.
    pub(crate) async fn start_gateway(&self) {
        let deployment = self
            .cluster
            .get(&format!("deployment envoy-gateway -n {SYSTEM}"));
        let pod = &deployment["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        let folder = self.folder().join("envoy-gateway");
        let _ = fs::remove_dir_all(&folder);
        let mut command = vec!["/programs/envoy-gateway".to_owned()];
        command.extend(strings(&container["args"]).into_iter().map(str::to_owned));
        let mut mounts = vec![(tools::programs().join("envoy-gateway"), "/programs".into())];
        mounts.extend(self.volumes(pod, container, &folder).await);
        let launch = Launch {
            command,
            environment: self.environment_of("envoy-gateway"),
            user: Some(USER),
            mounts,
            root: Some(self.folder().join("roots/envoy-gateway")),
            ..Launch::default()
        };
        let hub = self.network.hub();
        let process = self.network.spawn("envoy-gateway", hub, launch).await;
        *self.gateway.lock().unwrap() = Some(process);
        eventually("Envoy Gateway is ready", SLOW, async || {
            (status(hub, "http://127.0.0.1:8081/readyz") == 200).then_some(())
        })
        .await;
    }

    pub(crate) fn stop_gateway(&self) {
        drop(self.gateway.lock().unwrap().take());
    }

    /// What Envoy Gateway writes about itself since it was started.
    pub(crate) fn gateway_log(&self) -> String {
        self.network.log("envoy-gateway", self.network.hub())
    }

    /// The mounts of a container: a folder each, filled from a Secret or ConfigMap, or empty.
    pub(super) async fn volumes(
        &self,
        pod: &Value,
        container: &Value,
        folder: &Path,
    ) -> Vec<(PathBuf, PathBuf)> {
        let mut mounts = Vec::new();
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let name = volume["name"].as_str().unwrap();
            let mut mounted = container["volumeMounts"].as_array().into_iter().flatten();
            let Some(mount) = mounted.find(|mount| mount["name"] == name) else {
                continue;
            };
            let folder = folder.join(name);
            fs::create_dir_all(&folder).unwrap();
            if volume["emptyDir"].is_null() {
                self.fill(volume, &folder).await;
            }
            mounts.push((folder, mount["mountPath"].as_str().unwrap().into()));
        }
        if folder.exists() {
            let owner = format!("{USER}:{USER}");
            succeed(Command::new("chown").args(["-R", &owner]).arg(folder));
        }
        mounts
    }

    async fn fill(&self, volume: &Value, folder: &Path) {
        let secret = &volume["secret"];
        let (kind, source) = match secret.is_null() {
            true => ("configmap", &volume["configMap"]),
            false => ("secret", secret),
        };
        let name = source["secretName"].as_str().or(source["name"].as_str());
        let get = format!("{kind} {} -n {SYSTEM}", name.unwrap());
        let object = eventually(&get, SLOW, async || self.cluster.try_get(&get).ok()).await;
        let items = source["items"].as_array().into_iter().flatten();
        let chosen: BTreeMap<_, _> = items
            .map(|item| (item["key"].as_str(), &item["path"]))
            .collect();
        for (key, value) in object["data"].as_object().unwrap() {
            let value = value.as_str().unwrap();
            let content = match kind {
                "secret" => BASE64.decode(value.as_bytes()).unwrap(),
                _ => value.as_bytes().to_vec(),
            };
            let path = match chosen.get(&Some(key.as_str())) {
                Some(path) => path.as_str().unwrap(),
                None if chosen.is_empty() => key,
                None => continue,
            };
            fs::write(folder.join(path), content).unwrap();
        }
    }
}

/// The ports of a Service, by name, as its endpoints have them.
pub(super) fn ports(service: &Value) -> BTreeMap<String, u64> {
    let ports = service["spec"]["ports"].as_array().unwrap().iter();
    ports
        .map(|port| {
            let target = port["targetPort"].as_u64().or(port["port"].as_u64());
            (
                port["name"].as_str().unwrap_or_default().to_owned(),
                target.unwrap(),
            )
        })
        .collect()
}
