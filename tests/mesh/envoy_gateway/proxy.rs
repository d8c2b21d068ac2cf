//! The Envoy of a Gateway, as a kubelet would run the Pod that Envoy Gateway makes of it.

use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::Value;

use super::world::{SYSTEM, USER, World, ports};
use crate::cluster::{Endpoint, SLOW, status};
use crate::harness::artifacts;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::network::{HUB, Launch, Namespace, succeed};
use crate::pod::resolved_environment;

/// That of the tests; Envoy Gateway 1.9.0 brings 1.39.0.
const ENVOY: &str = "1.39.3";

/// An Envoy that runs.
pub(crate) struct Proxy {
    pub(crate) network: Namespace,
    pub(crate) pod: Value,
    command: Vec<String>,
    environment: std::collections::BTreeMap<String, String>,
    mounts: Vec<(PathBuf, PathBuf)>,
    process: Mutex<Option<Process>>,
}

impl World {
    /// A Pod of the Deployment that Envoy Gateway makes of this Gateway, when it has its configuration.
    pub(crate) async fn proxy(&self, gateway: &str, namespace: &str, name: &str) -> Proxy {
        let label = "gateway.envoyproxy.io/owning-gateway";
        let selector = format!("-l={label}-name={gateway},{label}-namespace={namespace}");
        let get = format!("deployment -n {SYSTEM} {selector}");
        let deployment = eventually("Envoy Gateway makes a Deployment", SLOW, async || {
            let made = self.cluster.get(&get)["items"][0].clone();
            (!made.is_null()).then_some(made)
        })
        .await;
        let deployment = deployment["metadata"]["name"].as_str().unwrap();
        let pod = self.cluster.create_pod(deployment, SYSTEM, name);
        let network = self.network.add(name);
        self.cluster.report_running(SYSTEM, name, &network.address);
        // Without an endpoint of its own Service Envoy waits for one at its start.
        let service =
            self.cluster.get(&format!("service -n {SYSTEM} {selector}"))["items"][0].clone();
        let service_name = service["metadata"]["name"].as_str().unwrap();
        let endpoint = Endpoint::at(&network.address);
        self.cluster
            .endpoints(SYSTEM, service_name, &endpoint, &ports(&service));
        let proxy = self.of_pod(network, pod, name).await;
        self.run(&proxy).await;
        proxy.ready().await;
        proxy
    }

    async fn of_pod(&self, network: Namespace, pod: Value, name: &str) -> Proxy {
        let mut containers = pod["spec"]["containers"].as_array().unwrap().iter();
        let container = containers
            .find(|container| container["name"] == "envoy")
            .unwrap();
        let known = [
            ("metadata.name", name),
            ("metadata.namespace", SYSTEM),
            ("status.podIP", &network.address),
            ("status.hostIP", HUB),
            ("spec.nodeName", "node"),
        ];
        let environment = resolved_environment(container, &pod, &known.into());
        let folder = self.folder().join("pods").join(name);
        let mut mounts = self.volumes(&pod["spec"], container, &folder).await;
        let envoy = artifacts::envoy(Some(ENVOY));
        mounts.push((envoy.parent().unwrap().to_owned(), "/programs".into()));
        let mut command = vec!["/programs/envoy".to_owned()];
        command.extend(expanded(&container["args"], &environment));
        Proxy {
            command,
            environment,
            mounts,
            process: Mutex::default(),
            network,
            pod,
        }
    }

    async fn run(&self, proxy: &Proxy) {
        let launch = Launch {
            command: proxy.command.clone(),
            environment: proxy.environment.clone(),
            user: Some(USER),
            mounts: proxy.mounts.clone(),
            root: Some(self.folder().join("roots").join(&proxy.network.name)),
            ..Launch::default()
        };
        let process = self.network.spawn("envoy", &proxy.network, launch).await;
        *proxy.process.lock().unwrap() = Some(process);
    }

    /// Ends this Envoy and starts it again; whether it is ready is for the caller to ask.
    pub(crate) async fn restart(&self, proxy: &Proxy) {
        drop(proxy.process.lock().unwrap().take());
        self.run(proxy).await;
    }

    /// What this Envoy has written since it was started, its access log as well.
    pub(crate) fn proxy_log(&self, proxy: &Proxy) -> String {
        self.network.log("envoy", &proxy.network)
    }
}

/// Arguments with `$(NAME)` as the kubelet replaces it.
fn expanded<'a>(
    arguments: &'a Value,
    environment: &'a std::collections::BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    let arguments = crate::manifests::strings(arguments).into_iter();
    arguments.map(|argument| {
        let argument = argument.to_owned();
        environment
            .iter()
            .fold(argument, |argument, (name, value)| {
                argument.replace(&format!("$({name})"), value)
            })
    })
}

impl Proxy {
    /// Waits until it has its configuration.
    pub(crate) async fn ready(&self) {
        let what = format!("{} is ready", self.network.name);
        eventually(&what, SLOW, async || {
            (status(&self.network, "http://127.0.0.1:19003/ready") == 200).then_some(())
        })
        .await;
    }

    pub(crate) fn config_dump(&self) -> Value {
        let mut command = self.network.command("curl");
        command.args(["-s", "http://127.0.0.1:19000/config_dump"]);
        serde_json::from_str(&succeed(&mut command)).unwrap()
    }

    /// The newest form of each listener that Envoy serves, by name.
    pub(crate) fn listeners(&self) -> Vec<Value> {
        let dump = self.config_dump();
        let parts = dump["configs"].as_array().unwrap().iter();
        let entries = parts
            .flat_map(|part| part["dynamic_listeners"].as_array())
            .flatten();
        let mut listeners: Vec<_> = entries
            .map(|entry| entry["active_state"]["listener"].clone())
            .collect();
        listeners.retain(|listener| !listener.is_null());
        listeners
    }

    /// The connection manager for requests of users, and the TLS context before it.
    pub(crate) fn way_in(&self) -> (Value, Value) {
        let mut listeners = self.listeners().into_iter();
        let listener =
            listeners.find(|listener| listener["address"]["socket_address"]["port_value"] == 10443);
        let listener = listener.unwrap();
        let chains = [
            &listener["filter_chains"],
            &Value::from(vec![listener["default_filter_chain"].clone()]),
        ]
        .map(|chains| chains.as_array().cloned().unwrap_or_default())
        .concat();
        let mut chains = chains.into_iter().filter(|chain| !chain.is_null());
        let chain = chains.next().unwrap();
        assert!(chains.next().is_none(), "{listener}");
        let manager = chain["filters"][0]["typed_config"].clone();
        (manager, chain["transport_socket"]["typed_config"].clone())
    }
    /// SHA-256 of the module that the filter for users is of.
    pub(crate) fn module(&self) -> String {
        let (manager, _) = self.way_in();
        let filters = manager["http_filters"].as_array().unwrap().iter();
        let mut codes =
            filters.map(|filter| &filter["typed_config"]["config"]["vm_config"]["code"]);
        let code = codes.find(|code| code.is_object()).unwrap();
        code["remote"]["sha256"].as_str().unwrap().to_owned()
    }
    /// The route configurations that Envoy serves, as text.
    pub(crate) fn routes(&self) -> String {
        let dump = self.config_dump();
        let parts = dump["configs"].as_array().unwrap().iter();
        let routes = parts.filter(|part| part["dynamic_route_configs"].is_array());
        routes.map(Value::to_string).collect()
    }
    /// What Envoy counts, as Prometheus reads it.
    pub(crate) fn stats(&self) -> String {
        let mut command = self.network.command("curl");
        command.args(["-s", "http://127.0.0.1:19001/stats/prometheus"]);
        succeed(&mut command)
    }
}
