//! Nginx beside Envoy, with the same certificates: what it decides is what the filter is compared with.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::certs::{Authority, Credentials};
use super::client::Client;
use super::program::Program;

/// In the foreground and in one process; the configuration follows.
pub(crate) const ARGUMENTS: [&str; 7] = [
    "-e",
    "stderr",
    "-p",
    ".",
    "-g",
    "daemon off; master_process off; pid pid;",
    "-c",
];

/// A running Nginx that asks for client certificates.
pub(crate) struct Nginx(Program);

impl Nginx {
    /// With these directives in `http` and in its only `server`, which has an empty file `/ok`.
    pub(crate) async fn start(authority: &Authority, http: &str, server: &str) -> Self {
        let configure = |here: &Path, address| {
            write_certificates(here, &authority.server(), &authority.pem());
            fs::write(here.join("ok"), "").unwrap();
            write_configuration(here, address, http, server)
        };
        Self(Program::start("nginx", &ARGUMENTS, authority.certificate(), configure).await)
    }

    pub(crate) fn client_with(&self, authority: &Authority, credentials: &Credentials) -> Client {
        Client::new(self.0.address(), authority.certificate()).presenting(credentials)
    }
}

/// Those of a server, under the names by which configurations call them.
pub(crate) fn write_certificates(here: &Path, server: &Credentials, authority: &str) {
    let (chain, key) = (server.pem(), server.key_pem());
    for (name, content) in [
        ("server.pem", &*format!("{chain}{key}")),
        ("server.crt", &chain),
        ("server.key", &key),
        ("ca.crt", authority),
    ] {
        fs::write(here.join(name), content).unwrap();
    }
}

fn write_configuration(here: &Path, address: SocketAddr, http: &str, server: &str) -> PathBuf {
    let path = here.join("nginx.conf");
    let here = here.display();
    let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary = kinds.map(|kind| format!("{kind}_temp_path {here}/{kind};"));
    let text = format!(
        "events {{}}
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
    );
    fs::write(&path, text).unwrap();
    path
}
