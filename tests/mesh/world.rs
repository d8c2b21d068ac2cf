//! A mesh of one release: the cluster, istiod, a registry with the filter's image.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cluster::{Cluster, Endpoint, SLOW, status};
use crate::differences;
use crate::harness::artifacts::{self, repository};
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::manifests::documents;
use crate::network::{HUB, Launch, Network, succeed};
use crate::pod::resolved_environment;
use crate::registry::{self, Registry};
use crate::release::Release;
use crate::tools;

/// Stands in the manifest for where a world has its Envoy.
const ENVOY: &str = "/path/of/envoy";
/// Which programs every process of the world finds in its PATH.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything but the overlay and its Pods. It ends when dropped.
pub(crate) struct World {
    release: Mutex<Release>,
    pub(crate) ambient: bool,
    pub(crate) cluster: Cluster,
    istiod: Mutex<Option<Process>>,
    registry: Registry,
    /// Ends what the processes above have started.
    pub(crate) network: Network,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start(release: Release, ambient: bool) -> Self {
        // First, so that the time it takes does not count as time to start.
        tools::programs();
        tools::image();
        let folder = tempfile::tempdir().unwrap();
        // Programs run here that are not root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        tools::iptables(&folder.path().join("iptables"));
        let network = Network::new(folder.path());
        network.resolve(
            HUB,
            &["istiod.istio-system.svc", registry::NAME].map(str::to_owned),
        );
        let world = Self {
            cluster: Cluster::start(&network, folder.path()).await,
            release: Mutex::new(release),
            ambient,
            istiod: Mutex::default(),
            registry: Registry::new(folder.path()),
            network,
            folder,
        };
        world.install_istio().await;
        world.start_registry().await;
        world
    }

    /// That of istiod, and of the Pods that are to come.
    pub(crate) fn release(&self) -> Release {
        *self.release.lock().unwrap()
    }

    /// istiod and the definitions become those of this release; Pods that run stay.
    pub(crate) async fn upgrade(&self, release: Release) {
        *self.release.lock().unwrap() = release;
        drop(self.istiod.lock().unwrap().take());
        self.install_istio().await;
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What every program of the world has in its environment.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let path = format!("{}:{PATH}", self.folder().join("iptables").display());
        [("PATH", path.as_str()), ("HOME", "/tmp"), ("LANG", "C")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// The folders of the programs that do not run as root, and where those see them.
    pub(crate) fn program_mounts(&self) -> Vec<(PathBuf, PathBuf)> {
        let at = |name: &str| self.folder().join(name);
        vec![
            (self.release().folder(), at("istio")),
            (self.release().envoy(), at("envoy")),
        ]
    }

    /// What a kubelet unpacks of the filter's image.
    pub(crate) fn module_folder(&self) -> PathBuf {
        let folder = self.folder().join("module");
        if !folder.exists() {
            fs::create_dir(&folder).unwrap();
            fs::copy(artifacts::wasm(), folder.join("plugin.wasm")).unwrap();
        }
        folder
    }

    async fn install_istio(&self) {
        let manifest = manifest(self.release(), self.ambient);
        let envoy = self.folder().join("envoy/envoy");
        let manifest = documents(&manifest.replace(ENVOY, envoy.to_str().unwrap()));
        let mut objects = manifest.clone();
        let gateway_api = self.release().folder().join("gateway-api.yaml");
        objects.extend(documents(&fs::read_to_string(gateway_api).unwrap()));
        self.cluster.install("istio-system", objects);
        let of = |kind: &str| {
            let mut objects = manifest.iter();
            let found = objects
                .find(|object| object["kind"] == kind && object["metadata"]["name"] == "istiod");
            found.unwrap().clone()
        };
        let ports = of("Service")["spec"]["ports"].as_array().unwrap().clone();
        let ports = ports.iter().map(|port| {
            let target = port["targetPort"].as_u64().or(port["port"].as_u64());
            (port["name"].as_str().unwrap().to_owned(), target.unwrap())
        });
        self.cluster
            .endpoints("istio-system", "istiod", &Endpoint::hub(), &ports.collect());
        self.start_istiod(&of("Deployment")).await;
        let webhook = "validatingwebhookconfiguration istiod-default-validator";
        eventually("istiod validates what is applied", SLOW, async || {
            let policy = self.cluster.get(webhook)["webhooks"][0]["failurePolicy"].clone();
            (policy == "Fail").then_some(())
        })
        .await;
    }

    /// With the arguments and the environment of its Deployment.
    async fn start_istiod(&self, deployment: &Value) {
        let token = self.cluster.kubectl(&[
            "create",
            "token",
            "istiod",
            "-n",
            "istio-system",
            "--duration=24h",
        ]);
        let user = json!({"token": token.trim()});
        let config = self.cluster.write_kubeconfig("istiod.conf", &user);
        let pod = &deployment["spec"]["template"];
        let container = &pod["spec"]["containers"][0];
        let arguments = container["args"].as_array().unwrap().iter();
        let program = self.release().folder().join("pilot-discovery");
        let mut command = vec![program.to_str().unwrap().to_owned()];
        command.extend(arguments.map(|argument| argument.as_str().unwrap().to_owned()));
        command.push(format!("--kubeconfig={}", config.display()));
        let mut environment = self.environment();
        let known = [
            ("metadata.name", "istiod"),
            ("metadata.namespace", "istio-system"),
            ("spec.serviceAccountName", "istiod"),
        ];
        environment.extend(resolved_environment(container, pod, &known.into()));
        environment.remove("KUBECONFIG");
        for (name, value) in differences::ISTIOD {
            environment.insert(name.to_owned(), value.to_owned());
        }
        let folder = self.folder().join("istiod");
        fs::create_dir_all(&folder).unwrap();
        let launch = Launch {
            command,
            environment,
            folder: Some(folder),
            ..Launch::default()
        };
        let process = self.network.spawn("istiod", self.network.hub(), launch);
        *self.istiod.lock().unwrap() = Some(process.await);
        eventually("istiod is ready", SLOW, async || {
            let ready = status(self.network.hub(), "http://127.0.0.1:8080/ready");
            (ready == 200).then_some(())
        })
        .await;
    }

    /// Ends istiod; a new one knows nothing of the old one's connections.
    pub(crate) async fn restart_istiod(&self) {
        drop(self.istiod.lock().unwrap().take());
        let deployment = self.cluster.get("deployment istiod -n istio-system");
        self.start_istiod(&deployment).await;
    }

    pub(crate) async fn start_registry(&self) {
        self.registry.start(&self.network).await;
    }

    pub(crate) fn stop_registry(&self) {
        self.registry.stop();
    }

    /// The same images where a login is asked for, until the value is dropped.
    pub(crate) async fn start_registry_with_login(&self, realm: &str) -> Process {
        self.registry.start_with_login(&self.network, realm).await
    }

    /// Into the registry, under this tag; URL and digest, as `istio/image/image.yaml` wants them.
    pub(crate) fn push(&self, image: &tools::Image, tag: &str) -> (String, String) {
        self.registry.push(&self.network, image, tag)
    }
}

/// What `istioctl manifest generate` prints; made once for each kind of installation.
fn manifest(release: Release, ambient: bool) -> &'static str {
    type Made = HashMap<(&'static str, bool), &'static str>;
    static MADE: Mutex<Option<Made>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap();
    made.get_or_insert_default()
        .entry((release.name, ambient))
        .or_insert_with(|| {
            let mut command = Command::new(release.folder().join("istioctl"));
            command.args(["manifest", "generate"]);
            let profile = if ambient { "ambient" } else { "minimal" };
            let mut settings = vec![format!("profile={profile}")];
            settings.push(format!("meshConfig.defaultConfig.binaryPath={ENVOY}"));
            // What `istioctl install` adds by itself: the webhook for objects that name no revision.
            settings.push("values.defaultRevision=default".to_owned());
            settings.extend(differences::SETTINGS.map(str::to_owned));
            if ambient {
                settings.extend(differences::AMBIENT_SETTINGS.map(str::to_owned));
            }
            for setting in settings {
                command.args(["--set", &setting]);
            }
            command.current_dir(repository());
            Box::leak(succeed(&mut command).into_boxed_str())
        })
}
