//! The five products, each in front of a gateway of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::Client;
use crate::harness::envoy::{Envoy, Launch};
use crate::harness::gateway::Gateway;
use crate::harness::nginx::{self, write_certificates};
use crate::harness::program::Program;

pub(crate) const NAMES: [&str; 5] = ["Nginx", "Caddy", "HAProxy", "Lua", "mtls-identity"];

/// Whether who shows no certificate is refused in the handshake, or may come in for a JWT: the guide's dual mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insists {
    Yes,
    No,
}

pub(crate) struct Product {
    running: Running,
    pub(crate) gateway: Gateway,
    roots: rustls::pki_types::CertificateDer<'static>,
}

enum Running {
    Program(Program),
    Envoy(Envoy),
}

/// A configuration in `guide/`: what stands there for the place it runs in, and for the certificate it insists on.
struct Guide {
    file: &'static str,
    listen: (&'static str, &'static str),
    gateway: &'static str,
    insisting: &'static str,
    tolerant: &'static str,
}

const NGINX: Guide = Guide {
    file: "nginx.conf",
    listen: ("listen 443 ssl", "listen 127.0.0.1:{port} ssl"),
    gateway: "gateway:4444",
    insisting: "ssl_verify_client on",
    tolerant: "ssl_verify_client optional",
};

const CADDY: Guide = Guide {
    file: "Caddyfile",
    listen: ("gateway.local:443 {", "https://localhost:{port} {"),
    gateway: "gateway:4444",
    insisting: "mode require_and_verify",
    tolerant: "mode verify_if_given",
};

const HAPROXY: Guide = Guide {
    file: "haproxy.cfg",
    listen: ("bind *:443", "bind 127.0.0.1:{port}"),
    gateway: "gateway:4444",
    insisting: "verify required",
    tolerant: "verify optional",
};

const LUA: Guide = Guide {
    file: "envoy-lua.yaml",
    listen: ("port_value: 0", "port_value: {port}"),
    gateway: "127.0.0.1, port_value: 4444",
    insisting: "require_client_certificate: true",
    tolerant: "require_client_certificate: false",
};

impl Guide {
    /// Writes it, with its certificates, for this port (0: any) and this gateway.
    fn write(&self, here: &Path, port: u16, gateway: SocketAddr, insists: Insists) -> PathBuf {
        let text = fs::read_to_string(repository().join("tests/compare/guide").join(self.file));
        let mut text = text.unwrap();
        let listen = self.listen.1.replace("{port}", &port.to_string());
        let gateway = match self.gateway.contains("port_value") {
            true => format!("127.0.0.1, port_value: {}", gateway.port()),
            false => gateway.to_string(),
        };
        let insisting = match insists {
            Insists::Yes => self.insisting,
            Insists::No => self.tolerant,
        };
        for (there, here) in [
            (self.listen.0, &*listen),
            (self.gateway, &gateway),
            (self.insisting, insisting),
            ("/etc/certs", here.to_str().unwrap()),
        ] {
            assert!(text.contains(there), "{}: {there}", self.file);
            text = text.replace(there, here);
        }
        let path = here.join(self.file);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Product {
    /// In the order of [`NAMES`], with clients of this authority.
    pub(crate) async fn all(authority: &Authority, insists: Insists) -> [Self; 5] {
        let caddy = ["run", "--adapter", "caddyfile", "--config"];
        let (nginx, caddy, haproxy, lua, filter) = tokio::join!(
            Self::program("nginx", &nginx::ARGUMENTS, &NGINX, authority, insists),
            Self::program("caddy", &caddy, &CADDY, authority, insists),
            Self::program("haproxy", &["-db", "-f"], &HAPROXY, authority, insists),
            Self::lua(authority, insists),
            Self::filter(authority, insists),
        );
        [nginx, caddy, haproxy, lua, filter]
    }

    async fn program(
        name: &'static str,
        arguments: &[&str],
        guide: &Guide,
        authority: &Authority,
        insists: Insists,
    ) -> Self {
        let gateway = Gateway::start().await.unwrap();
        let server = authority.server();
        let program = Program::start(name, arguments, authority.certificate(), |here, address| {
            write_certificates(here, &server, &authority.pem());
            guide.write(here, address.port(), gateway.address(), insists)
        });
        Self::of(Running::Program(program.await), gateway, authority)
    }

    async fn lua(authority: &Authority, insists: Insists) -> Self {
        let gateway = Gateway::start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        write_certificates(directory.path(), &authority.server(), &authority.pem());
        let path = LUA.write(directory.path(), 0, gateway.address(), insists);
        let envoy = Envoy::start(&Launch::default(), &path, directory).await;
        Self::of(Running::Envoy(envoy), gateway, authority)
    }

    /// As shipped; where it does not insist, as the guide's dual mode wants it.
    async fn filter(authority: &Authority, insists: Insists) -> Self {
        let gateway = Gateway::start().await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let mut bootstrap = Bootstrap::shipped(directory.path());
        bootstrap.settle(gateway.address(), authority);
        bootstrap.use_wasm(crate::harness::artifacts::wasm());
        if insists == Insists::No {
            bootstrap.certificate_optional();
            bootstrap.overlay_plugin(&json!({"identity": {"missing": "strip"}}));
        }
        let envoy = Envoy::start(&Launch::default(), &bootstrap.write(), directory).await;
        Self::of(Running::Envoy(envoy), gateway, authority)
    }

    fn of(running: Running, gateway: Gateway, authority: &Authority) -> Self {
        Self {
            running,
            gateway,
            roots: authority.certificate().clone(),
        }
    }

    /// One that presents these, if any.
    pub(crate) fn client(&self, credentials: Option<&Credentials>) -> Client {
        let address = match &self.running {
            Running::Program(program) => program.address(),
            Running::Envoy(envoy) => envoy.address(),
        };
        let client = Client::new(address, &self.roots);
        match credentials {
            Some(credentials) => client.presenting(credentials),
            None => client,
        }
    }
}
