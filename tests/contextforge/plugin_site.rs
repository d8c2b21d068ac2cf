//! A plugin server, the Envoy in front of it, and the one through which the gateway may call it.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::envoy::{Envoy, Launch};
use crate::harness::gateway::USER;
use crate::harness::leaf::{self, Leaf, common_name, san_dns};
use crate::harness::server::Server;
use crate::harness::{Fixture, Site};
use crate::python::{fetched, program, python};
use crate::world::in_front_of;

/// The gateway, in its client certificate.
pub(crate) const GATEWAY: &str = "mcpgateway";
/// The plugin server, in its certificate.
pub(crate) const PLUGINS: &str = "plugins.internal.example.com";

/// A plugin server and its Envoy.
pub(crate) struct Plugins {
    server: Server,
    pub(crate) site: Site,
}

impl Plugins {
    pub(crate) async fn start() -> Self {
        Self::showing(&[san_dns(PLUGINS), san_dns("localhost")]).await
    }

    /// Its Envoy shows a certificate with these names.
    pub(crate) async fn showing(names: &[Vec<u8>]) -> Self {
        let fixture = Fixture::new().yaml(shipped("plugin-server.yaml"));
        let certificate = fixture.authority().issue(&server_leaf(names));
        let server = plugin_server().await;
        let fixture = fixture.edit(move |envoy| {
            let files = key_pair(envoy, "plugins", &certificate);
            envoy.downstream_tls()["common_tls_context"]["tls_certificates"] = files;
        });
        let site = in_front_of(server.address(), fixture).await;
        Self { server, site }
    }

    /// The headers of every request that the plugin server got.
    pub(crate) fn received(&self) -> Vec<Vec<(String, String)>> {
        let log = fs::read_to_string(self.server.directory().join("received")).unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Every user for whom its Envoy vouched.
    pub(crate) fn users(&self) -> Vec<String> {
        let all = self.received().into_iter().flatten();
        let mut users: Vec<_> = all
            .filter(|(name, _)| name == USER)
            .map(|(_, value)| value)
            .collect();
        users.dedup();
        users
    }
}

pub(crate) fn shipped(name: &str) -> String {
    fs::read_to_string(repository().join("envoy").join(name)).unwrap()
}

fn server_leaf(names: &[Vec<u8>]) -> Leaf {
    Leaf::of([common_name(PLUGINS)])
        .subject_alt_names(names)
        .extended_key_usage(&[leaf::SERVER_AUTH])
}

/// TlsCertificates with these files in Envoy's folder.
fn key_pair(envoy: &Bootstrap, name: &str, credentials: &Credentials) -> Value {
    let chain = envoy.file(&format!("{name}.crt"), &credentials.pem());
    let key = envoy.file(&format!("{name}.key"), &credentials.key_pem());
    json!([{"certificate_chain": {"filename": chain}, "private_key": {"filename": key}}])
}

async fn plugin_server() -> Server {
    let directory = tempfile::tempdir().unwrap();
    let mut command = python();
    let here = repository().join("tests/contextforge");
    let path = std::env::join_paths([fetched().join("site"), here]).unwrap();
    command
        .env("PYTHONPATH", path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PLUGIN_LOG", directory.path().join("received"))
        .arg(program("serve.py"))
        .args(["plugin_server:application", "0"]);
    Server::start("the plugin server", command, directory).await
}

/// The egress, with the client certificate of the gateway, in front of this Envoy.
pub(crate) async fn egress(plugins: &Plugins) -> Envoy {
    let directory = tempfile::tempdir().unwrap();
    let mut envoy = Bootstrap::of(&shipped("egress.yaml"), directory.path());
    let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
    envoy.value()["admin"]["address"] = any_port.clone();
    envoy.listener()["address"] = any_port;
    envoy.forward_to(plugins.site.envoy.address());
    let authority = &plugins.site.authority;
    let certificate = key_pair(&envoy, GATEWAY, &authority.client(GATEWAY));
    let trusted = envoy.file("ca.crt", &authority.pem());
    let tls = &mut envoy.cluster()["transport_socket"]["typed_config"]["common_tls_context"];
    tls["tls_certificates"] = certificate;
    tls["validation_context"]["trusted_ca"] = json!({"filename": trusted});
    Envoy::start(&Launch::default(), &envoy.write(), directory).await
}

/// The entry of this name in the shipped `plugins.yaml`, with this URL and these certificates.
pub(crate) fn configuration(entry: &str, url: &str, authority: &Authority) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let mut shipped: Value =
        serde_yaml_ng::from_str(&shipped("contextforge/plugins.yaml")).unwrap();
    let plugins = shipped["plugins"].as_array_mut().unwrap();
    plugins.retain(|plugin| plugin["name"] == entry);
    let [plugin] = plugins.as_mut_slice() else {
        panic!("not one entry {entry} in plugins.yaml")
    };
    plugin["mcp"]["url"] = json!(url);
    let gateway = authority.client(GATEWAY);
    for (key, content) in [
        ("ca_bundle", authority.pem()),
        ("certfile", gateway.pem()),
        ("keyfile", gateway.key_pem()),
    ] {
        let file = directory.path().join(key);
        fs::write(&file, content).unwrap();
        if let Some(tls) = plugin["mcp"].get_mut("tls") {
            tls[key] = json!(file);
        }
    }
    let file = directory.path().join("plugins.yaml");
    fs::write(&file, shipped.to_string()).unwrap();
    (directory, format!("PLUGINS_CONFIG_FILE={}", file.display()))
}
