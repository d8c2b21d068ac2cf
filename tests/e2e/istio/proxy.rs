//! A proxy of the mesh: its listener, its clusters, its files.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::istiod::{Istiod, Kind, MANAGER};
use super::tunnel;
use crate::harness::artifacts;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::envoy::{Envoy, Launch};

/// The file of ECDS.
const ECDS: &str = "ecds.json";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/// Where a proxy sends what passes.
#[derive(Clone, Debug)]
pub(super) enum Upstream {
    /// The application beside it, without TLS.
    Application(SocketAddr),
    /// Another proxy of the mesh, which must be this one.
    Proxy(SocketAddr, String),
}

/// Everything to start one.
pub(super) struct Plan<'a> {
    pub(super) istiod: Istiod,
    /// Its own certificate and what its clients' certificates are checked against.
    pub(super) server: Credentials,
    pub(super) clients: &'a Authority,
    /// Its identity in the mesh, for its own connections.
    pub(super) identity: Credentials,
    pub(super) mesh: &'a Authority,
    pub(super) upstream: Upstream,
}

/// What stands in the file of ECDS.
pub(super) type Discovery = Box<dyn FnOnce(&Istiod) -> Value>;

/// The filter itself.
pub(super) fn the_filter() -> Discovery {
    Box::new(|istiod| istiod.resource(artifacts::wasm().to_str().unwrap()))
}

/// The filter with a changed configuration.
pub(super) fn configured(edit: impl FnOnce(&mut Value) + 'static) -> Discovery {
    Box::new(|istiod| {
        let mut resource = the_filter()(istiod);
        let text = &mut resource["config"]["configuration"]["value"];
        let mut configuration = serde_json::from_str(text.as_str().unwrap()).unwrap();
        edit(&mut configuration);
        *text = json!(configuration.to_string());
        resource
    })
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) istiod: Istiod,
    pub(super) envoy: Envoy,
    ecds: PathBuf,
}

impl Plan<'_> {
    /// The edit is the last to see the bootstrap.
    pub(super) async fn start(self, filter: Discovery, edit: impl FnOnce(&mut Value)) -> Proxy {
        let directory = tempfile::tempdir().unwrap();
        let mut bootstrap = self.bootstrap(&directory);
        edit(&mut bootstrap);
        let istiod = self.istiod;
        if istiod.manifests.plugin(&istiod.workload).is_some() {
            let discovery = istiod.discovery(&filter(&istiod));
            file(&directory, ECDS, &discovery.to_string());
        }
        let configuration = file(&directory, "envoy.json", &bootstrap.to_string());
        let launch = Launch {
            version: Some(istiod.release.envoy),
            ..Launch::default()
        };
        let ecds = directory.path().join(ECDS);
        Proxy {
            envoy: Envoy::start(&launch, Path::new(&configuration), directory).await,
            istiod,
            ecds,
        }
    }

    fn bootstrap(&self, directory: &TempDir) -> Value {
        let ecds = directory.path().join(ECDS);
        let manager = self.istiod.manager(ecds.to_str().unwrap(), "upstream");
        let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let tls = self.downstream_tls(directory);
        let filter = json!({"name": MANAGER, "typed_config": manager});
        let mut bootstrap = json!({
            "node": {"id": "proxy", "cluster": "mesh"},
            "admin": {"address": any_port},
            "static_resources": {
                "listeners": [{
                    "name": "inbound",
                    "address": any_port,
                    "filter_chains": [{"transport_socket": tls, "filters": [filter]}],
                }],
                "clusters": [self.cluster(directory)],
            },
        });
        let listener = &mut bootstrap["static_resources"]["listeners"][0];
        self.istiod.patch_listener(listener);
        if self.istiod.kind == Kind::Waypoint {
            tunnel::end(&mut bootstrap);
        }
        bootstrap
    }

    /// As Istio writes it: sessions can be resumed.
    fn downstream_tls(&self, directory: &TempDir) -> Value {
        let trusted = file(directory, "clients.crt", &self.clients.pem());
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TLS}.DownstreamTlsContext"),
                "require_client_certificate": true,
                "common_tls_context": {
                    "alpn_protocols": ["h2", "http/1.1"],
                    "tls_certificates": [certificate(directory, "server", &self.server)],
                    "validation_context": {"trusted_ca": {"filename": trusted}},
                },
            },
        })
    }

    fn cluster(&self, directory: &TempDir) -> Value {
        let (address, tls) = match &self.upstream {
            Upstream::Application(address) => (address, None),
            Upstream::Proxy(address, name) => (address, Some(self.upstream_tls(directory, name))),
        };
        let endpoint = json!({"endpoint": {"address": {"socket_address":
            {"address": "127.0.0.1", "port_value": address.port()}}}});
        let mut cluster = json!({
            "name": "upstream",
            "connect_timeout": "5s",
            "load_assignment":
                {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
        });
        if let Some(tls) = tls {
            cluster["transport_socket"] = tls;
        }
        cluster
    }

    fn upstream_tls(&self, directory: &TempDir, name: &str) -> Value {
        let trusted = file(directory, "mesh.crt", &self.mesh.pem());
        let names = json!([{"san_type": "URI", "matcher": {"exact": name}}]);
        json!({
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": format!("{TLS}.UpstreamTlsContext"),
                "common_tls_context": {
                    "tls_certificates": [certificate(directory, "identity", &self.identity)],
                    "validation_context": {
                        "trusted_ca": {"filename": trusted},
                        "match_typed_subject_alt_names": names,
                    },
                },
            },
        })
    }
}

impl Proxy {
    /// The agent has another resource for Envoy.
    pub(super) fn discover(&self, typed_config: &Value) {
        let new = self.ecds.with_extension("new");
        let discovery = self.istiod.discovery(typed_config);
        fs::write(&new, discovery.to_string()).unwrap();
        fs::rename(new, &self.ecds).unwrap();
    }

    /// How often ECDS was taken and refused.
    pub(super) async fn discoveries(&self) -> (u64, u64) {
        let stats = self.envoy.stats("extension_config_discovery").await;
        let sum = |name: &str| {
            let lines = stats.lines().filter_map(|line| line.split_once(": "));
            let named = lines.filter(|(key, _)| key.ends_with(name));
            named.map(|(_, value)| value.parse::<u64>().unwrap()).sum()
        };
        (sum(".config_reload"), sum(".config_fail"))
    }
}

fn certificate(directory: &TempDir, name: &str, credentials: &Credentials) -> Value {
    let chain = file(directory, &format!("{name}.crt"), &credentials.pem());
    let key = file(directory, &format!("{name}.key"), &credentials.key_pem());
    json!({"certificate_chain": {"filename": chain}, "private_key": {"filename": key}})
}

fn file(directory: &TempDir, name: &str, content: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}
