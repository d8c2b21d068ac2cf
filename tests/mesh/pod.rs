//! A Pod, as a kubelet would run what the injector made of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::cluster::{Cluster, SLOW, status};
use crate::differences;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::network::{HUB, Launch, Namespace, succeed};
use crate::tools;
use crate::world::World;

/// The user of Istio's proxy.
pub(crate) const PROXY: u32 = 1337;
/// The user of what runs beside it.
pub(crate) const APPLICATION: u32 = 1000;

/// What runs in a Pod besides its proxy, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// In place of DEPLOYMENT-1.
    pub(crate) name: Option<String>,
    /// The gateway of the demonstration, on port 4444.
    pub(crate) application: bool,
    /// Laid over the proxy's environment.
    pub(crate) environment: Vec<(String, String)>,
    /// The agent writes the workload's certificate into a folder.
    pub(crate) writes_certificate: bool,
}

/// A running Pod; what runs in it ends when this is dropped.
pub(crate) struct Pod {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) network: Namespace,
    pub(crate) object: Value,
    folder: PathBuf,
    processes: Mutex<Vec<Process>>,
}

impl World {
    /// A Pod of a Deployment: created, so that the injector sees it, and then run.
    pub(crate) async fn pod(&self, deployment: &str, namespace: &str, plan: &Plan) -> Pod {
        let name = plan.name.clone();
        let name = name.unwrap_or_else(|| format!("{deployment}-1"));
        let object = self.cluster.create_pod(deployment, namespace, &name);
        let network = self.network.add(&format!("{namespace}-{name}"));
        self.cluster
            .report_running(namespace, &name, &network.address);
        let pod = Pod {
            folder: self.folder().join("pods").join(&network.name),
            processes: Mutex::default(),
            namespace: namespace.to_owned(),
            name,
            network,
            object,
        };
        pod.set_kernel_parameters();
        if pod.proxy().is_some() {
            self.fill_volumes(&pod).await;
            self.redirect(&pod);
            self.start_agent(&pod, plan).await;
        }
        if plan.application {
            self.start_application(&pod).await;
        }
        pod
    }

    /// The files of the Pod's volumes, and of the image the template of the bootstrap, below the agent's folder.
    async fn fill_volumes(&self, pod: &Pod) {
        for name in [
            "etc/istio/proxy",
            "etc/istio/pod",
            "var/run/secrets/tokens",
            "var/run/secrets/istio",
            "var/lib/istio/envoy",
            "var/lib/istio/data",
            "var/run/secrets/workload-spiffe-uds",
            "var/run/secrets/credential-uds",
            "certificate",
        ] {
            fs::create_dir_all(pod.folder.join(name)).unwrap();
        }
        let write = |name: &str, text: &str| fs::write(pod.folder.join(name), text).unwrap();
        let template = fs::read_to_string(self.release().folder().join("bootstrap.json")).unwrap();
        let (with, without) = differences::BOOTSTRAP;
        write(
            "var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
            &template.replace(with, without),
        );
        for what in ["labels", "annotations"] {
            let entries = pod.object["metadata"][what].as_object();
            let lines = entries
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={value}\n"));
            write(&format!("etc/istio/pod/{what}"), &lines.collect::<String>());
        }
        write("var/run/secrets/tokens/istio-token", self.token(pod).trim());
        let get = format!("configmap istio-ca-root-cert -n {}", pod.namespace);
        let root = eventually("istiod has given the namespace its CA", SLOW, async || {
            self.cluster.try_get(&get).ok()
        })
        .await;
        let root = root["data"]["root-cert.pem"].as_str().unwrap();
        write("var/run/secrets/istio/root-cert.pem", root);
        let owner = format!("{PROXY}:{PROXY}");
        succeed(Command::new("chown").args(["-R", &owner]).arg(&pod.folder));
    }

    fn token(&self, pod: &Pod) -> String {
        let object = &pod.object;
        self.cluster.kubectl(&[
            "create",
            "token",
            object["spec"]["serviceAccountName"].as_str().unwrap(),
            "-n",
            &pod.namespace,
            "--audience=istio-ca",
            "--bound-object-kind=Pod",
            &format!("--bound-object-name={}", pod.name),
            &format!(
                "--bound-object-uid={}",
                object["metadata"]["uid"].as_str().unwrap()
            ),
        ])
    }

    /// Runs istio-init, where the injector has put one.
    fn redirect(&self, pod: &Pod) {
        let mut containers = pod.containers();
        if let Some(container) = containers.find(|container| container["name"] == "istio-init") {
            let program = self.release().folder().join("pilot-agent");
            let mut command = pod.network.command(program);
            command
                .args(crate::manifests::strings(&container["args"]))
                .env_clear()
                .envs(self.environment());
            succeed(&mut command);
        }
    }

    async fn start_agent(&self, pod: &Pod, plan: &Plan) {
        let container = pod.proxy().unwrap();
        let mut environment = self.environment();
        let account = pod.object["spec"]["serviceAccountName"].as_str().unwrap();
        let known = [
            ("metadata.name", pod.name.as_str()),
            ("metadata.namespace", &pod.namespace),
            ("status.podIP", &pod.network.address),
            ("status.hostIP", HUB),
            ("spec.serviceAccountName", account),
            ("spec.nodeName", "node"),
        ];
        let resolved = resolved_environment(container, &pod.object, &known.into());
        environment.extend(resolved);
        environment.extend(plan.environment.iter().cloned());
        if plan.writes_certificate {
            let folder = pod.folder.join("certificate");
            let folder = folder.to_str().unwrap().to_owned();
            environment.insert("OUTPUT_CERTS".to_owned(), folder);
        }
        let mut command = vec![
            self.folder()
                .join("istio/pilot-agent")
                .display()
                .to_string(),
        ];
        let arguments = crate::manifests::strings(&container["args"]).into_iter();
        command.extend(arguments.map(str::to_owned));
        let mut mounts = self.program_mounts();
        // The agent keeps modules here, wherever its folder is.
        mounts.push((
            pod.folder.join("var/lib/istio/data"),
            PathBuf::from("/var/lib/istio/data"),
        ));
        mounts.extend(pod.image_mounts(&self.module_folder()));
        let launch = Launch {
            command,
            environment,
            folder: Some(pod.folder.clone()),
            user: Some(PROXY),
            mounts,
            ..Launch::default()
        };
        let process = self.network.spawn("agent", &pod.network, launch).await;
        pod.runs(process);
    }

    async fn start_application(&self, pod: &Pod) {
        let launch = application(self.folder());
        let process = self
            .network
            .spawn("application", &pod.network, launch)
            .await;
        pod.runs(process);
    }

    /// Waits until its proxy has its configuration.
    pub(crate) async fn ready(&self, pod: &Pod) {
        let what = format!("{} is ready", pod.network.name);
        eventually(&what, SLOW, async || pod.is_ready().then_some(())).await;
    }
}

/// The gateway of the demonstration, on port 4444; this folder is one of the world.
pub(crate) fn application(folder: &Path) -> Launch {
    let program = tools::application();
    let folder = folder.join("application");
    let name = program.file_name().unwrap();
    Launch {
        command: [
            folder.join(name).to_str().unwrap(),
            "--listen",
            "0.0.0.0:4444",
        ]
        .map(str::to_owned)
        .to_vec(),
        user: Some(APPLICATION),
        mounts: vec![(program.parent().unwrap().to_owned(), folder)],
        ..Launch::default()
    }
}

impl Cluster {
    /// As the ReplicaSet's controller would create it.
    pub(crate) fn create_pod(&self, deployment: &str, namespace: &str, name: &str) -> Value {
        let owner = self.get(&format!("deployment {deployment} -n {namespace}"));
        let mut pod = owner["spec"]["template"].clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        let metadata = &mut pod["metadata"];
        metadata["name"] = json!(name);
        metadata["namespace"] = json!(namespace);
        metadata["ownerReferences"] = json!([{
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": format!("{deployment}-1"),
            "uid": owner["metadata"]["uid"],
            "controller": true,
        }]);
        self.try_with("create", &[pod]).unwrap();
        self.get(&format!("pod {name} -n {namespace}"))
    }

    /// As the kubelet would report it.
    pub(crate) fn report_running(&self, namespace: &str, name: &str, address: &str) {
        let status = json!({"status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": HUB,
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        self.kubectl(&[
            "patch",
            "pod",
            name,
            "-n",
            namespace,
            "--subresource=status",
            "--type=merge",
            "-p",
            &status.to_string(),
        ]);
    }
}

impl Pod {
    fn containers(&self) -> impl Iterator<Item = &Value> {
        let spec = &self.object["spec"];
        let lists = ["initContainers", "containers"].map(|key| spec[key].as_array());
        lists.into_iter().flatten().flatten()
    }

    /// The sysctls of its security context.
    fn set_kernel_parameters(&self) {
        let parameters = self.object["spec"]["securityContext"]["sysctls"].as_array();
        for parameter in parameters.into_iter().flatten() {
            let [name, value] = ["name", "value"].map(|field| parameter[field].as_str().unwrap());
            let file = format!("/proc/sys/{}", name.replace('.', "/"));
            let write = format!("echo {value} >{file}");
            succeed(self.network.command("sh").args(["-c", &write]));
        }
    }

    fn proxy(&self) -> Option<&Value> {
        self.containers()
            .find(|container| container["name"] == "istio-proxy")
    }

    /// Where the proxy sees the files of an image; all images of a Pod are that of the filter.
    fn image_mounts(&self, files: &Path) -> Vec<(PathBuf, PathBuf)> {
        let volumes = self.object["spec"]["volumes"].as_array();
        let is_image = |name: &Value| {
            let mut volumes = volumes.into_iter().flatten();
            volumes.any(|volume| volume["name"] == *name && volume["image"].is_object())
        };
        let mounts = self
            .proxy()
            .and_then(|container| container["volumeMounts"].as_array());
        let mounts = mounts.into_iter().flatten();
        mounts
            .filter(|mount| is_image(&mount["name"]))
            .map(|mount| {
                let path = mount["mountPath"].as_str().unwrap();
                (files.to_owned(), PathBuf::from(path))
            })
            .collect()
    }

    /// A program that ends with this Pod.
    pub(crate) fn runs(&self, process: Process) {
        self.processes.lock().unwrap().push(process);
    }

    /// Ends what runs beside the proxy, which was started last.
    pub(crate) fn end_application(&self) {
        let application = self.processes.lock().unwrap().pop();
        assert!(application.is_some());
    }

    pub(crate) fn is_ready(&self) -> bool {
        status(&self.network, "http://127.0.0.1:15021/healthz/ready") == 200
    }

    /// Where the agent writes the workload's certificate: `cert-chain.pem` and `key.pem`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.join("certificate")
    }

    /// The same as files for curl.
    pub(crate) fn certificate_files(&self) -> [String; 2] {
        ["cert-chain.pem", "key.pem"]
            .map(|name| self.certificate().join(name).display().to_string())
    }

    pub(crate) async fn has_certificate(&self) {
        let written = |name: &str| Path::new(&self.certificate()).join(name).exists();
        eventually("the agent has written its certificate", SLOW, async || {
            (written("cert-chain.pem") && written("key.pem")).then_some(())
        })
        .await;
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.network.end_all();
    }
}

/// The environment of a container, with what the kubelet puts in: the fields of the Pod that are known, and in values
/// `$(NAME)` of variables further up. What comes from a secret is empty.
pub(crate) fn resolved_environment(
    container: &Value,
    pod: &Value,
    known: &BTreeMap<&str, &str>,
) -> BTreeMap<String, String> {
    let mut resolved: BTreeMap<String, String> = BTreeMap::new();
    for entry in container["env"].as_array().into_iter().flatten() {
        let source = &entry["valueFrom"];
        let field_path = source["fieldRef"]["fieldPath"].as_str();
        let resource = source["resourceFieldRef"]["resource"].as_str();
        let value = match (field_path, resource) {
            (Some(path), _) => field(path, pod, known),
            (None, Some(resource)) if resource.contains("cpu") => "2".to_owned(),
            (None, Some(_)) => "1073741824".to_owned(),
            (None, None) => {
                let text = entry["value"].as_str().unwrap_or_default().to_owned();
                resolved.iter().fold(text, |text, (name, value)| {
                    text.replace(&format!("$({name})"), value)
                })
            }
        };
        resolved.insert(entry["name"].as_str().unwrap().to_owned(), value);
    }
    resolved
}

fn field(path: &str, pod: &Value, known: &BTreeMap<&str, &str>) -> String {
    if let Some(value) = known.get(path) {
        return (*value).to_owned();
    }
    let keyed = path
        .strip_suffix("']")
        .and_then(|path| path.split_once("['"));
    let (what, key) = keyed.unwrap_or_else(|| panic!("{path} is no field of a Pod here"));
    let what = what.strip_prefix("metadata.").unwrap();
    let value = &pod["metadata"][what][key];
    value.as_str().unwrap_or_default().to_owned()
}
