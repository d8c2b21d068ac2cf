//! SPIRE's server and agent, with an entry for Envoy and one for a workload.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::artifacts::{self, output};
use crate::harness::certs::Credentials;
use crate::harness::process::Process;
use crate::harness::{BOOT_PATIENCE, eventually};
use crate::tools::{free_port, programs};

const TRUST_DOMAIN: &str = "mesh.example.com";
pub(super) const INDEXER: &str = "spiffe://mesh.example.com/ns/agents/sa/indexer";
/// The node of the agent, as the server knows it by its token.
const AGENT: &str = "spiffe://mesh.example.com/node";

/// How long an SVID lives, in seconds. The agent gets a new one after half of it.
const LIFETIME: &str = "30";

/// A trust domain of its own; it ends when dropped.
pub(super) struct Spire {
    _agent: Process,
    _server: Process,
    directory: TempDir,
}

/// What the Workload API gives to a workload.
pub(super) struct Svid {
    pub(super) credentials: Credentials,
    /// The certificates of the trust domain's authorities, as PEM.
    pub(super) bundle: String,
}

impl Spire {
    /// Envoy of this version is the server, and what the command of SPIRE's agent asks for is the indexer's. The agent has
    /// both, which it learns together: an Envoy that asks before that asks again after longer and longer waits.
    pub(super) async fn start(envoy: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let port = free_port();
        fs::write(at("server.conf"), server(directory.path(), port)).unwrap();
        fs::write(at("agent.conf"), agent(directory.path(), port)).unwrap();
        let mut command = program("spire-server");
        command.args(["run", "-config"]).arg(at("server.conf"));
        let mut server = Process::spawn("spire-server", command, at("server.log")).await;
        healthy("spire-server", &mut server, &at("server.sock")).await;

        let token = administer(
            &at("server.sock"),
            &["token", "generate", "-spiffeID", AGENT],
        );
        let token = token.trim().strip_prefix("Token: ").unwrap().to_owned();
        let mut command = program("spire-agent");
        command.args(["run", "-joinToken", &token, "-config"]);
        command.arg(at("agent.conf"));
        let mut agent = Process::spawn("spire-agent", command, at("agent.log")).await;
        healthy("spire-agent", &mut agent, &at("agent.sock")).await;

        let spire = Self {
            _agent: agent,
            _server: server,
            directory,
        };
        let envoy = artifacts::envoy(Some(envoy)).canonicalize().unwrap();
        spire.register("spiffe://mesh.example.com/gateway", &envoy);
        spire.register(INDEXER, &programs().join("spire/spire-agent"));
        spire.svid().await;
        spire
    }

    /// The program at this path is this workload.
    fn register(&self, id: &str, program: &Path) {
        let selector = format!("unix:path:{}", program.canonicalize().unwrap().display());
        self.administer(&[
            "entry",
            "create",
            "-parentID",
            AGENT,
            "-spiffeID",
            id,
            "-selector",
            &selector,
            "-dns",
            "localhost",
            "-x509SVIDTTL",
            LIFETIME,
        ]);
    }

    /// What a command of the server's prints.
    pub(super) fn administer(&self, arguments: &[&str]) -> String {
        administer(&self.directory.path().join("server.sock"), arguments)
    }

    /// Where the agent listens for workloads, and for Envoy.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }

    /// What the agent has for the indexer now, if it has anything.
    pub(super) fn fetched(&self) -> Option<Svid> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program("spire-agent");
        command
            .args(["api", "fetch", "x509", "-silent", "-socketPath"])
            .arg(self.socket())
            .arg("-write")
            .arg(folder.path())
            .stderr(Stdio::null());
        if !command.status().unwrap().success() {
            return None;
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        Some(Svid {
            credentials: Credentials::from_pem(&read("svid.0.pem"), &read("svid.0.key")),
            bundle: read("bundle.0.pem"),
        })
    }

    /// The first one that it has.
    pub(super) async fn svid(&self) -> Svid {
        eventually("the agent has an SVID", BOOT_PATIENCE, async || {
            self.fetched()
        })
        .await
    }

    /// The first one that is not this one.
    pub(super) async fn next_svid(&self, last: &Svid) -> Svid {
        eventually("the agent has a new SVID", BOOT_PATIENCE, async || {
            let svid = self.fetched()?;
            (svid.credentials.certificate() != last.credentials.certificate()).then_some(svid)
        })
        .await
    }
}

/// It keeps what it knows in memory or in its folder, and asks nobody else.
fn server(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        r#"
server {{
  bind_address = "127.0.0.1"
  bind_port = "{port}"
  socket_path = "{directory}/server.sock"
  trust_domain = "{TRUST_DOMAIN}"
  data_dir = "{directory}/server"
  log_file = "{directory}/server.log"
  ca_ttl = "6h"
}}
plugins {{
  DataStore "sql" {{
    plugin_data {{
      database_type = "sqlite3"
      connection_string = "{directory}/datastore.sqlite3"
    }}
  }}
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "memory" {{ plugin_data {{}} }}
}}
"#
    )
}

/// It knows a workload by its program.
fn agent(directory: &Path, port: u16) -> String {
    let directory = directory.display();
    format!(
        r#"
agent {{
  data_dir = "{directory}/agent"
  log_file = "{directory}/agent.log"
  server_address = "127.0.0.1"
  server_port = "{port}"
  socket_path = "{directory}/agent.sock"
  trust_domain = "{TRUST_DOMAIN}"
  insecure_bootstrap = true
}}
plugins {{
  NodeAttestor "join_token" {{ plugin_data {{}} }}
  KeyManager "memory" {{ plugin_data {{}} }}
  WorkloadAttestor "unix" {{
    plugin_data {{
      discover_workload_path = true
    }}
  }}
}}
"#
    )
}

fn program(name: &str) -> Command {
    let mut command = Command::new(programs().join("spire").join(name));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Waits until this program says that it serves.
async fn healthy(name: &'static str, process: &mut Process, socket: &Path) {
    eventually(name, BOOT_PATIENCE, async || {
        assert_eq!(process.ended(), None, "{name} ended");
        let mut command = program(name);
        command.arg("healthcheck").arg("-socketPath").arg(socket);
        command.stderr(Stdio::null());
        command.status().unwrap().success().then_some(())
    })
    .await;
}

fn administer(socket: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(programs().join("spire/spire-server"));
    command.args(arguments).arg("-socketPath").arg(socket);
    output(&mut command)
}
