//! An overlay in a world: what is applied, and the Pods that it is about.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use crate::caller::{AGENT, ALICE, Caller, HOST};
use crate::cluster::{Endpoint, SLOW};
use crate::differences;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, SERVER_AUTH, common_name, san_dns};
use crate::manifests::{Manifests, OVERLAYS, output};
use crate::network::Namespace;
use crate::plugin::{remote_code, wasm};
use crate::pod::{Plan, Pod};
use crate::python::program;
use crate::release::Release;
use crate::tools;
use crate::world::World;

/// The overlay with a Gateway of the Gateway API.
pub(crate) const GATEWAY_API: &str = "gateway-api";

/// An overlay that runs.
pub(crate) struct Mesh {
    pub(crate) overlay: &'static str,
    /// What was applied.
    pub(crate) objects: Vec<Value>,
    /// URL and digest of the filter.
    pub(crate) image: (String, String),
    /// Signs the users.
    pub(crate) users: Authority,
    pub(crate) alice: Credentials,
    pub(crate) ingress: Pod,
    pub(crate) gateway: Pod,
    pub(crate) waypoint: Option<Pod>,
    /// A workload that the policies of sidecar and waypoint admit.
    pub(crate) agent: Pod,
    /// A workload of another namespace, which has no business here.
    pub(crate) intruder: Pod,
    /// Outside of the mesh.
    pub(crate) outside: Namespace,
    /// Last, because it ends last.
    pub(crate) world: World,
}

impl Mesh {
    /// As shipped.
    pub(crate) async fn of(overlay: &'static str, release: Release) -> Self {
        Self::edited(overlay, release, |_| {}).await
    }

    /// Changed before it is applied.
    pub(crate) async fn edited(
        overlay: &'static str,
        release: Release,
        edit: impl FnOnce(&mut Vec<Value>),
    ) -> Self {
        assert!(OVERLAYS.contains(&overlay) || overlay == GATEWAY_API);
        let ambient = overlay.ends_with("waypoint");
        let world = World::start(release, ambient).await;
        let users = Authority::named("Users CA");
        let mut objects = Manifests::with(overlay, release.components).all().to_vec();
        let image = world.push(tools::image(), "0.2.0");
        world.use_image(&mut objects, &image);
        edit(&mut objects);
        let agent = world.workload_pod("indexer", "agents").await;
        let intruder = world.workload_pod("intruder", "elsewhere").await;
        world.install(&objects, &users);
        let application = Plan {
            application: true,
            ..Plan::default()
        };
        let waypoint = match ambient {
            true => Some(world.waypoint("mcp-waypoint", "mcp-system").await),
            false => None,
        };
        world.made("mcp-ingress", "mcp-ingress").await;
        let ingress = world
            .pod("mcp-ingress", "mcp-ingress", &Plan::default())
            .await;
        let gateway = world.pod("mcp-gateway", "mcp-system", &application).await;
        world.publish("mcp-gateway", "mcp-system", &gateway, &[("http", 4444)]);
        let mesh = Self {
            agent,
            intruder,
            outside: world.network.add("outside"),
            alice: users.client(ALICE),
            world,
            overlay,
            objects,
            image,
            users,
            ingress,
            gateway,
            waypoint,
        };
        mesh.serves().await;
        mesh
    }

    /// Waits until each path that leads to the MCP gateway has answered once. All the while requests are forged: while
    /// proxies start, and while they fetch the filter, nobody is anybody else.
    async fn serves(&self) {
        let alice = self.alice().forging();
        let agent = self.agent().forging();
        let intruder = self.intruder().forging();
        self.world.ready(&self.ingress).await;
        // In ambient mode they have a certificate, and no sidecar of theirs is asked for anything.
        if self.waypoint.is_none() {
            self.world.ready(&self.agent).await;
            self.world.ready(&self.intruder).await;
        }
        self.alice().gets(200).await;
        match self.admitted_agent() {
            Some(admitted) => {
                admitted.gets(200).await;
                agent.was_always(AGENT);
            }
            None => agent.was_refused(),
        }
        alice.was_always(ALICE);
        intruder.was_refused();
    }

    /// The user with her certificate.
    pub(crate) fn alice(&self) -> Caller {
        self.user(&self.alice)
    }

    /// The agent on the way that this overlay has for agents.
    pub(crate) fn agent(&self) -> Caller {
        self.by_its_way(&self.agent)
    }

    pub(crate) fn intruder(&self) -> Caller {
        self.by_its_way(&self.intruder)
    }

    fn by_its_way(&self, pod: &Pod) -> Caller {
        match self.waypoint {
            Some(_) => self.tunnelled(pod),
            None => self.workload(pod),
        }
    }

    /// The agent, where the overlay lets agents in.
    pub(crate) fn admitted_agent(&self) -> Option<Caller> {
        self.has_second_filter().then(|| self.agent())
    }

    /// Without users of its own: what is in mcp-system runs in the waypoint or the sidecar, or nothing does.
    pub(crate) fn has_second_filter(&self) -> bool {
        !self.overlay.ends_with("gateway") && self.overlay != GATEWAY_API
    }

    /// Where the ingress's Pod listens for users.
    pub(crate) fn https(&self) -> u16 {
        if self.overlay == GATEWAY_API {
            443
        } else {
            8443
        }
    }

    /// What was applied under this name.
    #[track_caller]
    pub(crate) fn object(&self, kind: &str, namespace: &str, name: &str) -> &Value {
        let mut objects = self.objects.iter();
        let found = objects.find(|object| {
            let metadata = &object["metadata"];
            object["kind"] == kind && metadata["namespace"] == namespace && metadata["name"] == name
        });
        found.unwrap_or_else(|| panic!("no {kind} {namespace}/{name} in {}", self.overlay))
    }

    /// The filter in this namespace, in the form of this overlay.
    pub(crate) fn plugin(&self, namespace: &str) -> &Value {
        let extension = self.overlay.starts_with("traffic-extension/");
        let kind = if extension {
            "TrafficExtension"
        } else {
            "WasmPlugin"
        };
        self.object(kind, namespace, "mtls-identity")
    }

    /// The namespaces in which this overlay has the filter.
    pub(crate) fn plugin_namespaces(&self) -> Vec<&'static str> {
        match self.has_second_filter() {
            true => vec!["mcp-ingress", "mcp-system"],
            false => vec!["mcp-ingress"],
        }
    }

    pub(crate) fn take_out(&self, object: &Value) {
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        let metadata = &object["metadata"];
        let kind = text(&object["kind"]).to_lowercase();
        let kind = match text(&object["apiVersion"]).split_once('/') {
            Some((group, _)) => format!("{kind}.{group}"),
            None => kind,
        };
        self.world.cluster.delete(
            &kind,
            &text(&metadata["namespace"]),
            &text(&metadata["name"]),
        );
    }

    pub(crate) fn put_back(&self, object: &Value) {
        self.world.cluster.apply(std::slice::from_ref(object));
    }

    /// The proxies with the filter, and what istiod calls their listener.
    pub(crate) fn filtered(&self) -> Vec<&Pod> {
        let mut pods = vec![&self.ingress];
        pods.extend(&self.waypoint);
        if self.overlay.ends_with("sidecar") {
            pods.push(&self.gateway);
        }
        pods
    }
}

impl World {
    /// Writes the image of this world into every plugin, as `istio/image` does.
    pub(crate) fn use_image(&self, objects: &mut [Value], image: &(String, String)) {
        let (url, digest) = image;
        for object in objects {
            if let Some(remote) = remote_code(object) {
                remote["http_uri"]["uri"] = json!(url);
                remote["sha256"] = json!(digest);
            }
            if !matches!(
                object["kind"].as_str(),
                Some("WasmPlugin" | "TrafficExtension")
            ) {
                continue;
            }
            let wasm = wasm(object);
            wasm["url"] = json!(url);
            wasm["sha256"] = json!(digest);
        }
    }

    /// The secrets of the pages, and these objects.
    fn install(&self, objects: &[Value], users: &Authority) {
        let is_namespace = |object: &&Value| object["kind"] == "Namespace";
        let namespaces: Vec<_> = objects.iter().filter(is_namespace).cloned().collect();
        self.cluster.apply(&namespaces);
        let server = server_certificate(users);
        let secret = |namespace: &str, name: &str, data: Value| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name, "namespace": namespace},
                "stringData": data,
            })
        };
        self.cluster.apply(&[
            secret(
                "mcp-ingress",
                "mcp-ingress-tls",
                json!({"tls.crt": server.pem(), "tls.key": server.key_pem(), "ca.crt": users.pem()}),
            ),
            secret(
                "mcp-ingress",
                "server-certificate",
                json!({"tls.crt": server.pem(), "tls.key": server.key_pem()}),
            ),
            json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "users-ca", "namespace": "mcp-ingress"},
                "data": {"ca.crt": users.pem()},
            }),
            secret(
                "mcp-system",
                "mcp-gateway",
                contextforge_secrets(),
            ),
        ]);
        self.cluster
            .apply(&[differences::one_request_a_connection()]);
        self.cluster.apply(objects);
    }

    /// The Service with its address, and the endpoint that is this Pod.
    pub(crate) fn publish(&self, service: &str, namespace: &str, pod: &Pod, ports: &[(&str, u64)]) {
        let object = self
            .cluster
            .get(&format!("service {service} -n {namespace}"));
        let address = object["spec"]["clusterIP"].as_str().unwrap();
        let name = format!("{service}.{namespace}");
        let names = [
            name.clone(),
            format!("{name}.svc"),
            format!("{name}.svc.cluster.local"),
        ];
        self.network.resolve(address, &names);
        let ports = ports.iter().map(|(name, port)| ((*name).to_owned(), *port));
        let ports: BTreeMap<_, _> = ports.collect();
        self.cluster
            .endpoints(namespace, service, &Endpoint::of(pod), &ports);
    }

    /// Waits for a Deployment that istiod may have to make.
    async fn made(&self, name: &str, namespace: &str) {
        let get = format!("deployment {name} -n {namespace}");
        eventually(&format!("{get} is there"), SLOW, async || {
            self.cluster.try_get(&get).ok()
        })
        .await;
    }

    /// The Pod of the Deployment that istiod makes of a Gateway.
    async fn waypoint(&self, name: &str, namespace: &str) -> Pod {
        let without = differences::waypoint_without_extensions(namespace, name);
        self.cluster.apply(&[without]);
        self.made(name, namespace).await;
        let plan = waypoint_plan();
        let pod = self.pod(name, namespace, &plan).await;
        let ports = [("mesh".to_owned(), 15008)].into();
        self.cluster
            .endpoints(namespace, name, &Endpoint::of(&pod), &ports);
        pod
    }

    /// A workload with a sidecar in a namespace of its own.
    async fn workload_pod(&self, name: &str, namespace: &str) -> Pod {
        let labels = json!({"app": name});
        let metadata = json!({"name": name, "namespace": namespace});
        self.cluster.apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata":
                {"name": namespace, "labels": {"istio-injection": "enabled"}}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "serviceAccountName": name,
                        "containers": [{"name": "app", "image": "app"}],
                    },
                },
            }}),
        ]);
        let plan = Plan {
            writes_certificate: true,
            ..Plan::default()
        };
        let pod = self.pod(name, namespace, &plan).await;
        pod.has_certificate().await;
        pod
    }
}

/// How a waypoint runs.
pub(crate) fn waypoint_plan() -> Plan {
    let (variable, value) = differences::WAYPOINT;
    Plan {
        environment: vec![(variable.to_owned(), value.to_owned())],
        ..Plan::default()
    }
}

/// By the command in the head of the shipped Deployment.
fn contextforge_secrets() -> Value {
    let lines = output(&mut Command::new(program("secrets.sh")));
    let pairs = lines.lines().map(|line| line.split_once('=').unwrap());
    pairs
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

/// For the host of the shipped manifests.
pub(crate) fn server_certificate(authority: &Authority) -> Credentials {
    let server = Leaf::of([common_name(HOST)])
        .subject_alt_names(&[san_dns(HOST)])
        .extended_key_usage(&[SERVER_AUTH]);
    authority.issue(&server)
}
