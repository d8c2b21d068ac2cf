//! A client that costs little: a few kept-alive mTLS connections, one request on each at a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, RootCertStore, StreamOwned};

use crate::harness::certs::{Authority, Credentials};

/// Enough that Envoy mostly finds a request when it looks for one.
const CONNECTIONS: usize = 8;

const REQUEST: &[u8] = b"GET /mcp?session=1 HTTP/1.1\r\n\
    host: gateway.example.com\r\n\
    user-agent: bench/1.0\r\n\
    accept: application/json, text/event-stream\r\n\
    accept-encoding: gzip, deflate\r\n\
    mcp-protocol-version: 2025-06-18\r\n\
    mcp-session-id: 0a1b2c3d4e5f60718293a4b5c6d7e8f9\r\n\r\n";

/// A call of a tool, in 1 KiB.
fn post() -> Vec<u8> {
    let text = |filling: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search_web","arguments":{{"query":"{filling}"}}}}}}"#
        )
    };
    let message = text(&"a".repeat(MESSAGE - text("").len()));
    let head = String::from_utf8_lossy(REQUEST).replace("GET /mcp?session=1", "POST /mcp");
    let head = head.trim_end();
    let fields = format!("content-type: application/json\r\ncontent-length: {MESSAGE}");
    format!("{head}\r\n{fields}\r\n\r\n{message}").into_bytes()
}

/// The request that costs a thousand rules the most: a long path whose encodings must be read, and as many entries of two
/// headers as are compared, each of which begins as the rules' patterns do.
fn dearest() -> Vec<u8> {
    let entries = |name: &'static str, between| {
        let entries = (0..64).map(|number| format!("{name}{number:050}"));
        entries.collect::<Vec<_>>().join(between)
    };
    let path = format!("/servers/{}", "%7a%41".repeat(600));
    let cookie = entries("role=admin", "; ");
    let roles = entries("admin", ", ");
    let head = String::from_utf8_lossy(REQUEST).replace("/mcp?session=1", &path);
    let head = head.trim_end();
    format!("{head}\r\ncookie: {cookie}\r\nx-role: {roles}\r\n\r\n").into_bytes()
}

/// The length of a message, in bytes.
const MESSAGE: usize = 1024;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// What opens connections with one certificate.
pub(crate) struct Client {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    request: Arc<[u8]>,
}

impl Client {
    pub(crate) fn new(
        address: SocketAddr,
        authority: &Authority,
        credentials: &Credentials,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let chain = vec![credentials.certificate().clone()];
        let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, credentials.private_key())
            .unwrap();
        Self {
            address,
            tls: Arc::new(tls),
            request: REQUEST.into(),
        }
    }

    /// The same with a POST.
    pub(crate) fn posting(mut self) -> Self {
        self.request = post().into();
        self
    }

    /// The same with the dearest request.
    pub(crate) fn asking_the_dearest(mut self) -> Self {
        self.request = dearest().into();
        self
    }

    /// One connection.
    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let tls = ClientConnection::new(self.tls.clone(), name).unwrap();
        Connection {
            stream: StreamOwned::new(tls, stream),
            request: self.request.clone(),
            answer: Vec::new(),
        }
    }

    /// All connections of a round.
    pub(crate) fn connect_all(&self) -> Vec<Connection> {
        (0..CONNECTIONS).map(|_| self.connect()).collect()
    }
}

/// One kept-alive connection.
pub(crate) struct Connection {
    stream: Tls,
    request: Arc<[u8]>,
    answer: Vec<u8>,
}

impl Connection {
    /// Sends a request and waits for its answer, which must be 200.
    pub(crate) fn ask(&mut self) {
        self.send();
        self.receive();
    }

    fn send(&mut self) {
        self.stream.write_all(&self.request).unwrap();
        self.stream.flush().unwrap();
    }

    fn receive(&mut self) {
        self.answer.clear();
        let mut buffer = [0; 4096];
        while !self.answer.ends_with(b"\r\n\r\nok") {
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "Envoy has closed the connection");
            self.answer.extend_from_slice(&buffer[..count]);
            let text = String::from_utf8_lossy(&self.answer);
            assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        }
    }
}

/// So many requests over these connections.
pub(crate) fn ask_all(connections: &mut [Connection], requests: usize) {
    for _ in 0..requests / connections.len() {
        connections.iter_mut().for_each(Connection::send);
        connections.iter_mut().for_each(Connection::receive);
    }
}
