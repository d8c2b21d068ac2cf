//! Nginx beside Envoy, with the same certificates: what it decides is what the filter is compared with.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certs::{Authority, Credentials};
use super::client::Client;
use super::process::Process;
use super::{BOOT_PATIENCE, artifacts, eventually};

/// A running Nginx that asks for client certificates.
pub(crate) struct Nginx {
    _process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// With these directives in `http` and in its only `server`, which has an empty file `/ok`.
    pub(crate) async fn start(authority: &Authority, http: &str, server: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let credentials = authority.server();
        for (name, content) in [
            ("ok", String::new()),
            ("ca.crt", authority.pem()),
            ("server.crt", credentials.pem()),
            ("server.key", credentials.key_pem()),
        ] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        loop {
            let address = free_address();
            let text = configuration(directory.path(), address, http, server);
            if let Some(process) = boot(directory.path(), &text).await {
                return Self {
                    _process: process,
                    address,
                    _directory: directory,
                };
            }
        }
    }

    pub(crate) fn client_with(&self, authority: &Authority, credentials: &Credentials) -> Client {
        Client::new(self.address, authority.certificate()).presenting(credentials)
    }
}

/// Nginx cannot say which port it has taken, so one is chosen for it.
fn free_address() -> SocketAddr {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap()
}

/// Nothing if somebody else has taken the port in the meantime.
async fn boot(directory: &Path, configuration: &str) -> Option<Process> {
    fs::write(directory.join("nginx.conf"), configuration).unwrap();
    let mut command = Command::new(artifacts::debian("nginx"));
    command
        .arg("-p")
        .arg(directory)
        .args(["-c", "nginx.conf", "-e", "stderr"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut process = Process::spawn("Nginx", command, directory.join("nginx.log")).await;
    // It writes its process id when it listens.
    let listens = eventually("Nginx serves", BOOT_PATIENCE, async || {
        if process.ended().is_some() {
            return Some(false);
        }
        let id = fs::read_to_string(directory.join("nginx.pid")).ok()?;
        id.ends_with('\n').then_some(true)
    })
    .await;
    let log = process.log();
    assert!(listens || log.contains("Address already in use"), "{log}");
    listens.then_some(process)
}

fn configuration(directory: &Path, address: SocketAddr, http: &str, server: &str) -> String {
    let here = directory.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {here}/{kind};"));
    format!(
        "daemon off; master_process off; pid {here}/nginx.pid;
        events {{}}
        http {{
          access_log off; {}
          {http}
          server {{
            listen {address} ssl; root {here};
            ssl_certificate {here}/server.crt; ssl_certificate_key {here}/server.key;
            ssl_client_certificate {here}/ca.crt; ssl_verify_client on;
            {server}
          }}
        }}",
        temporary.concat()
    )
}
