//! etcd and the API server, and what kubectl does with them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use data_encoding::BASE64;
use rcgen::{KeyPair, PublicKeyData};
use serde_json::{Value, json};

use crate::harness::certs::Authority;
use crate::harness::eventually;
use crate::harness::leaf::{
    CLIENT_AUTH, Leaf, SERVER_AUTH, common_name, organization, san_dns, san_ip,
};
use crate::harness::process::Process;
use crate::network::{HUB, Launch, Network, outcome, run};
use crate::pod::Pod;
use crate::tools::{kubectl, programs};

/// What a single step of a world may take on a busy machine.
pub(crate) const SLOW: Duration = Duration::from_secs(90);

/// The control plane of Kubernetes, on the hub of a network.
pub(crate) struct Cluster {
    folder: PathBuf,
    hub: crate::network::Namespace,
    authority: Authority,
    _processes: Vec<Process>,
}

impl Cluster {
    pub(crate) async fn start(network: &Network, folder: &Path) -> Self {
        let authority = Authority::named("kube-ca");
        let pki = folder.join("pki");
        write_pki(&authority, &pki);
        let etcd = network.spawn("etcd", network.hub(), etcd(folder)).await;
        let server = network
            .spawn("kube-apiserver", network.hub(), api_server(&pki))
            .await;
        let cluster = Self {
            folder: folder.to_owned(),
            hub: network.hub().clone(),
            authority,
            _processes: vec![etcd, server],
        };
        let admin = cluster.administrator();
        cluster.write_kubeconfig("admin.conf", &admin);
        eventually("the API server is ready", SLOW, async || {
            let ready = cluster.try_kubectl(&["get", "--raw", "/readyz"]);
            (ready.as_deref() == Ok("ok")).then_some(())
        })
        .await;
        cluster
    }

    fn administrator(&self) -> Value {
        let leaf = Leaf::of([organization("system:masters"), common_name("admin")]);
        let admin = self.authority.issue(&leaf);
        let encode = |pem: String| BASE64.encode(pem.as_bytes());
        json!({
            "client-certificate-data": encode(admin.pem()),
            "client-key-data": encode(admin.key_pem()),
        })
    }

    /// A kubeconfig for this user, and where it is.
    pub(crate) fn write_kubeconfig(&self, name: &str, user: &Value) -> PathBuf {
        let authority = BASE64.encode(self.authority.pem().as_bytes());
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "mesh",
            "clusters": [{"name": "mesh", "cluster": {
                "server": format!("https://{HUB}:6443"),
                "certificate-authority-data": authority,
            }}],
            "users": [{"name": "user", "user": user}],
            "contexts": [{"name": "mesh", "context": {"cluster": "mesh", "user": "user"}}],
        });
        let path = self.folder.join(name);
        fs::write(&path, config.to_string()).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.hub.command(kubectl());
        let config = self.folder.join("admin.conf");
        command.arg("--kubeconfig").arg(config).args(arguments);
        command.env("HOME", &self.folder);
        command
    }

    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        outcome(&mut self.command(arguments))
    }

    #[track_caller]
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        match self.try_kubectl(arguments) {
            Ok(printed) => printed,
            Err(error) => panic!("kubectl {arguments:?}: {error}"),
        }
    }

    /// `kubectl get … -o json`.
    #[track_caller]
    pub(crate) fn get(&self, arguments: &str) -> Value {
        self.try_get(arguments)
            .unwrap_or_else(|error| panic!("{arguments}: {error}"))
    }

    pub(crate) fn try_get(&self, arguments: &str) -> Result<Value, String> {
        let whole: Vec<_> = ["get"]
            .into_iter()
            .chain(arguments.split(' '))
            .chain(["-o", "json"])
            .collect();
        let printed = self.try_kubectl(&whole)?;
        serde_json::from_str(&printed).map_err(|error| error.to_string())
    }

    /// `kubectl apply` of these objects, in this order; as the error what the API server or a webhook says.
    pub(crate) fn try_apply(&self, objects: &[Value]) -> Result<String, String> {
        self.try_with("apply", objects)
    }

    pub(crate) fn try_with(&self, verb: &str, objects: &[Value]) -> Result<String, String> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let command = self.command(&[verb, "-f", "-"]);
        fed(command, list.to_string().as_bytes())
    }

    /// Whether the API server refuses this object with these words; it does not keep it.
    pub(crate) fn refuses(&self, object: &Value, because: &str) -> bool {
        let list = object.to_string();
        let command = self.command(&["apply", "--dry-run=server", "-f", "-"]);
        match fed(command, list.as_bytes()) {
            Ok(_) => false,
            Err(error) if error.contains(because) => true,
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    pub(crate) fn apply(&self, objects: &[Value]) {
        if let Err(error) = self.try_apply(objects) {
            panic!("{error}");
        }
    }

    /// Server-side, for what is too large for an annotation.
    #[track_caller]
    pub(crate) fn apply_large(&self, objects: &[Value]) {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let command = self.command(&["apply", "--server-side", "--force-conflicts", "-f", "-"]);
        if let Err(error) = fed(command, list.to_string().as_bytes()) {
            panic!("{error}");
        }
    }

    /// Its definitions first, so that the rest finds them.
    pub(crate) fn install(&self, namespace: &str, objects: Vec<Value>) {
        let is_definition = |object: &Value| object["kind"] == "CustomResourceDefinition";
        let (definitions, rest): (Vec<_>, Vec<_>) = objects.into_iter().partition(is_definition);
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": namespace}});
        self.apply_large(&[namespace]);
        self.apply_large(&definitions);
        let timeout = "--timeout=60s";
        self.kubectl(&[
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            timeout,
        ]);
        self.apply_large(&rest);
    }

    #[track_caller]
    pub(crate) fn delete(&self, kind: &str, namespace: &str, name: &str) {
        self.kubectl(&["delete", kind, "-n", namespace, name, "--wait=false"]);
    }

    /// What the controller of EndpointSlices would write.
    pub(crate) fn endpoints(
        &self,
        namespace: &str,
        service: &str,
        endpoint: &Endpoint,
        ports: &BTreeMap<String, u64>,
    ) {
        let ports = ports
            .iter()
            .map(|(name, port)| json!({"name": name, "port": port, "protocol": "TCP"}));
        self.apply(&[json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "addressType": "IPv4",
            "metadata": {
                "name": format!("{service}-1"),
                "namespace": namespace,
                "labels": {"kubernetes.io/service-name": service},
            },
            "endpoints": [{
                "addresses": [endpoint.address],
                "conditions": {"ready": true},
                "targetRef": endpoint.pod,
            }],
            "ports": ports.collect::<Vec<_>>(),
        })]);
    }
}

/// Where a Service leads.
pub(crate) struct Endpoint {
    address: String,
    /// A reference to the Pod; null where there is none.
    pod: Value,
}

impl Endpoint {
    /// A program of the hub.
    pub(crate) fn hub() -> Self {
        Self::at(HUB)
    }

    /// An address without a Pod.
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            pod: Value::Null,
        }
    }

    pub(crate) fn of(pod: &Pod) -> Self {
        let uid = &pod.object["metadata"]["uid"];
        Self {
            address: pod.network.address.clone(),
            pod: json!({"kind": "Pod", "name": pod.name, "namespace": pod.namespace, "uid": uid}),
        }
    }
}

/// What a program prints that reads this.
fn fed(mut command: Command, input: &[u8]) -> Result<String, String> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // It may stop reading when it fails.
    let _ = writing.join().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stdout) + &text(&output.stderr)),
    }
}

fn write_pki(authority: &Authority, folder: &Path) {
    fs::create_dir(folder).unwrap();
    let write = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
    let addresses = [[127, 0, 0, 1], [10, 77, 0, 1], [10, 96, 0, 1]];
    let mut names: Vec<_> = addresses.iter().map(|octets| san_ip(octets)).collect();
    names.extend(["kubernetes", "kubernetes.default.svc", "localhost"].map(san_dns));
    let server = Leaf::of([common_name("kube-apiserver")])
        .subject_alt_names(&names)
        .extended_key_usage(&[SERVER_AUTH]);
    let proxy = Leaf::of([common_name("front-proxy")]).extended_key_usage(&[CLIENT_AUTH]);
    write("ca.crt", authority.pem());
    for (name, leaf) in [("apiserver", server), ("front-proxy", proxy)] {
        let credentials = authority.issue(&leaf);
        write(&format!("{name}.crt"), credentials.pem());
        write(&format!("{name}.key"), credentials.key_pem());
    }
    let accounts = KeyPair::generate().unwrap();
    write("sa.key", accounts.serialize_pem());
    let public = accounts.subject_public_key_info();
    write("sa.pub", public_pem(&public));
}

fn public_pem(der: &[u8]) -> String {
    let text = BASE64.encode(der);
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

fn etcd(folder: &Path) -> Launch {
    let [program, data] = [programs().join("kube/server"), folder.join("etcd")];
    let command = [
        program.to_str().unwrap(),
        &format!("--data-dir={}", data.display()),
        "--unsafe-no-fsync",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
    ];
    Launch {
        command: command.map(str::to_owned).to_vec(),
        ..Launch::default()
    }
}

fn api_server(pki: &Path) -> Launch {
    let file = |option: &str, name: &str| format!("--{option}={}", pki.join(name).display());
    let program = programs().join("kube/kube-apiserver");
    let mut command = vec![program.to_str().unwrap().to_owned()];
    command.extend([
        file("tls-cert-file", "apiserver.crt"),
        file("tls-private-key-file", "apiserver.key"),
        file("client-ca-file", "ca.crt"),
        file("service-account-key-file", "sa.pub"),
        file("service-account-signing-key-file", "sa.key"),
        // The CA of clients is that of the front proxy as well, so its name must be said.
        file("requestheader-client-ca-file", "ca.crt"),
        file("proxy-client-cert-file", "front-proxy.crt"),
        file("proxy-client-key-file", "front-proxy.key"),
        format!("--advertise-address={HUB}"),
    ]);
    let rest = [
        "--etcd-servers=http://127.0.0.1:2379",
        "--requestheader-allowed-names=front-proxy",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        // Webhooks are found by EndpointSlice; nobody plays kube-proxy.
        "--enable-aggregator-routing=true",
    ];
    command.extend(rest.map(str::to_owned));
    Launch {
        command,
        ..Launch::default()
    }
}

/// The status of a GET; 0 when there is no answer.
pub(crate) fn status(namespace: &crate::network::Namespace, url: &str) -> u16 {
    let mut command = namespace.command("curl");
    command.args([
        "-s",
        "-o",
        "/dev/null",
        "-m",
        "5",
        "-w",
        "%{http_code}",
        url,
    ]);
    let printed = run(&mut command).stdout;
    String::from_utf8(printed).unwrap().parse().unwrap_or(0)
}
