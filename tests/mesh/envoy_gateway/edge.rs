//! The manifests in a world: what is applied, and who asks.

use serde_json::{Value, json};

use super::proxy::Proxy;
use super::world::World;
use crate::caller::{ADMIN, ALICE, Caller, FORGED, HOST, certificate_files};
use crate::cluster::{Endpoint, SLOW};
use crate::harness::answer::Answer;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::process::Process;
use crate::manifests::kustomized;
use crate::network::Namespace;
use crate::overlay::server_certificate;
use crate::pod::application;
use crate::tools;

/// The namespace of the Gateway.
pub(crate) const INGRESS: &str = "mcp-ingress";
/// The namespace of the MCP gateway.
pub(crate) const BACKEND: &str = "mcp-system";
/// In the Pod, for port 443 of the Gateway.
const HTTPS: u16 = 10443;
/// The serial number of the user whom the CRL names.
pub(super) const REVOKED: &[u8] = &[0x4d, 0x65, 0x73, 0x68];

/// `kubectl apply -k envoy/envoy-gateway`, running.
pub(crate) struct Edge {
    /// What was applied.
    pub(crate) objects: Vec<Value>,
    /// Signs the users.
    pub(crate) users: Authority,
    pub(crate) alice: Credentials,
    /// Signed by the users' CA, and in its CRL.
    pub(crate) mallory: Credentials,
    pub(crate) proxy: Proxy,
    /// Where the MCP gateway runs.
    pub(crate) backend: Namespace,
    _application: Process,
    /// Where clients are.
    pub(crate) outside: Namespace,
    /// Last, because it ends last.
    pub(crate) world: World,
}

impl Edge {
    /// With these components.
    pub(crate) async fn with(components: &[&str]) -> Self {
        let world = World::start().await;
        let at = "envoy/envoy-gateway";
        let components: Vec<_> = components
            .iter()
            .map(|name| format!("{at}/{name}"))
            .collect();
        let mut objects = kustomized(at, &components);
        let image = world.push(tools::image(), "0.2.0");
        use_image(&mut objects, &image);
        let users = Authority::named("Users CA");
        let backend = world.network.add("mcp-gateway");
        let launch = application(world.folder());
        let application = world.network.spawn("application", &backend, launch).await;
        world.install(&objects, &users, &backend);
        let revoked = Leaf::of([common_name("mallory@example.com")]).serial(REVOKED);
        let edge = Self {
            alice: users.client(ALICE),
            mallory: users.issue(&revoked),
            proxy: world.proxy(INGRESS, INGRESS, "mcp-ingress-1").await,
            outside: world.network.add("outside"),
            _application: application,
            world,
            objects,
            users,
            backend,
        };
        edge.alice().is(ALICE).await;
        edge
    }

    /// The user with her certificate.
    pub(crate) fn alice(&self) -> Caller {
        self.user(&self.alice)
    }

    /// A client with this certificate, at the host of the manifests.
    pub(crate) fn user(&self, credentials: &Credentials) -> Caller {
        self.user_at(credentials, HOST, HTTPS)
    }

    /// The same for another host and port of the Pod.
    pub(crate) fn user_at(&self, credentials: &Credentials, host: &str, port: u16) -> Caller {
        let [certificate, key] = certificate_files(self.world.folder(), credentials);
        let options = ["--cert", &certificate, "--key", &key];
        self.client(&self.proxy, &options, host, port)
    }

    /// A client without a certificate.
    pub(crate) fn nobody(&self) -> Caller {
        self.client(&self.proxy, &[], HOST, HTTPS)
    }

    pub(crate) fn client(&self, proxy: &Proxy, options: &[&str], host: &str, port: u16) -> Caller {
        let to = format!("{host}:443:{}:{port}", proxy.network.address);
        let options: Vec<_> = options
            .iter()
            .copied()
            .chain(["-k", "--connect-to", &to])
            .collect();
        Caller::curl(&self.outside, &options, &format!("https://{host}/mcp"))
    }

    /// What was applied under this kind and name.
    #[track_caller]
    pub(crate) fn object(&self, kind: &str, name: &str) -> &Value {
        let mut objects = self.objects.iter();
        let found =
            objects.find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    }

    /// Who gets in, and what is removed.
    pub(crate) fn traffic_policy(&self) -> &Value {
        self.object("ClientTrafficPolicy", "mtls-identity")
    }

    pub(crate) fn filter(&self) -> &Value {
        self.object("EnvoyExtensionPolicy", "mtls-identity")
    }

    pub(crate) fn guard(&self) -> &Value {
        self.object("SecurityPolicy", "mtls-identity-guard")
    }

    pub(crate) fn put(&self, object: &Value) {
        self.world.cluster.apply(std::slice::from_ref(object));
    }

    pub(crate) fn take_out(&self, object: &Value) {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let group = text(&object["apiVersion"]);
        let group = group.split_once('/').map_or("", |(group, _)| group);
        let kind = format!("{}.{group}", text(&object["kind"]).to_lowercase());
        let kind = kind.trim_end_matches('.');
        let metadata = &object["metadata"];
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        self.world.cluster.delete(kind, &namespace, &name);
    }

    /// Waits until Envoy Gateway says this of a condition of a policy: `True: Accepted`, say.
    pub(crate) async fn says(&self, object: &Value, condition: &str, expected: &str) {
        let metadata = &object["metadata"];
        let [kind, name, namespace] = [&object["kind"], &metadata["name"], &metadata["namespace"]]
            .map(|field| field.as_str().unwrap());
        let get = format!("{kind} {name} -n {namespace}");
        eventually(
            &format!("{get}: {condition} is {expected}"),
            SLOW,
            async || {
                let status = self.world.cluster.get(&get)["status"].clone();
                let conditions = status["ancestors"][0]["conditions"].as_array()?.clone();
                let mut conditions = conditions.iter();
                let found = conditions.find(|found| found["type"] == condition)?;
                let text = |field: &str| found[field].as_str().unwrap().to_owned();
                (format!("{}: {}", text("status"), text("reason")) == expected).then_some(())
            },
        )
        .await;
    }

    pub(crate) fn namespace(&self, name: &str) {
        self.put(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }
}

impl World {
    /// URL and digest, as `istio/image.sh` prints them.
    pub(crate) fn push(&self, image: &tools::Image, tag: &str) -> (String, String) {
        self.registry.push(&self.network, image, tag)
    }

    /// The secrets of the page, the MCP gateway's Service, and these objects.
    fn install(&self, objects: &[Value], users: &Authority, backend: &Namespace) {
        let is_namespace = |object: &&Value| object["kind"] == "Namespace";
        let namespaces: Vec<_> = objects.iter().filter(is_namespace).cloned().collect();
        self.cluster.apply(&namespaces);
        let server = server_certificate(users);
        self.cluster.apply(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BACKEND}}),
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "kubernetes.io/tls",
                "metadata": {"name": "server-certificate", "namespace": INGRESS},
                "stringData": {"tls.crt": server.pem(), "tls.key": server.key_pem()},
            }),
            config_map("users-ca", "ca.crt", &users.pem()),
            config_map("users-crl", "ca.crl", &users.revocation_list(&[REVOKED])),
        ]);
        self.publish(BACKEND, backend);
        self.cluster.apply(objects);
    }

    /// A Service `mcp-gateway` in this namespace that leads there.
    pub(crate) fn publish(&self, namespace: &str, backend: &Namespace) {
        self.cluster.apply(&[json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "mcp-gateway", "namespace": namespace},
            "spec": {"ports": [{"name": "http", "port": 4444}]},
        })]);
        let ports = [("http".to_owned(), 4444)].into();
        let endpoint = Endpoint::at(&backend.address);
        self.cluster
            .endpoints(namespace, "mcp-gateway", &endpoint, &ports);
    }
}

/// A ConfigMap beside the Gateway.
pub(crate) fn config_map(name: &str, key: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": INGRESS},
        "data": {key: text},
    })
}

/// Writes an image into the filter, as the component `image` does.
pub(crate) fn use_image(objects: &mut [Value], image: &(String, String)) {
    let (url, digest) = image;
    let filters = objects
        .iter_mut()
        .filter(|object| object["kind"] == "EnvoyExtensionPolicy");
    for filter in filters {
        let image = &mut filter["spec"]["wasm"][0]["code"]["image"];
        image["url"] = json!(url.strip_prefix("oci://").unwrap());
        image["sha256"] = json!(digest);
    }
}

/// What of [`FORGED`] every listener lets in: where the policy of the listener is gone, Envoy Gateway refuses requests with
/// an underscore.
const PLAIN_FORGED: &[(&str, &str)] = FORGED.split_at(3).0;

/// The guard's answer.
pub(super) fn refused_by_the_guard(answer: &Answer) -> bool {
    answer.status == 403 && String::from_utf8_lossy(&answer.body).contains("RBAC")
}

/// The MCP gateway takes the client for the administrator.
pub(super) fn is_administrator(answer: &Answer) -> bool {
    answer.status == 200 && answer.gateway().user() == [ADMIN]
}

/// The MCP gateway heard the client, and no name.
pub(super) fn is_nameless(answer: &Answer) -> bool {
    answer.status == 200 && answer.gateway().user().is_empty()
}

impl Answer {
    /// Whether the filter has refused it for this reason.
    pub(super) fn is_denied(&self, reason: &str) -> bool {
        let body = String::from_utf8_lossy(&self.body);
        self.status == 403 && body.contains(&format!("\"reason\":\"{reason}\""))
    }
}

impl Caller {
    /// A request with forged headers.
    pub(super) fn get_forged(&self) -> Answer {
        self.get_with(PLAIN_FORGED)
    }

    /// Waits for such an answer to a forged request.
    pub(super) async fn forges_until(&self, what: &str, is: impl Fn(&Answer) -> bool) {
        let what = format!("who forges {what}");
        eventually(&what, SLOW, async || is(&self.get_forged()).then_some(())).await;
    }
}
