//! A client with a certificate of its choice, over HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;
use super::answer::Answer;
use super::certs::Credentials;

type Versions = &'static [&'static SupportedProtocolVersion];
static TLS12_OR_13: Versions = &[&TLS13, &TLS12];
static ONLY_TLS12: Versions = &[&TLS12];
static ONLY_TLS13: Versions = &[&TLS13];

pub(crate) type Body = BoxBody<Bytes, Infallible>;

pub(crate) fn empty() -> Body {
    Empty::new().boxed()
}

pub(crate) fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into()).boxed()
}

/// A GET with these headers.
pub(crate) fn get(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::get(path);
    let request = headers.iter().fold(request, |request, (name, value)| {
        request.header(*name, *value)
    });
    request.body(empty()).unwrap()
}

/// Nothing came back: no connection, no TLS, or it ended without an answer. A possible outcome of a test.
#[derive(Debug)]
pub(crate) struct Refused(#[expect(dead_code, reason = "read by Debug when a test fails")] String);

impl Refused {
    pub(crate) fn because(reason: impl Display) -> Self {
        Self(reason.to_string())
    }
}

/// Waits no longer than a test may, and turns every failure into a [`Refused`].
pub(crate) async fn in_time<T, E: Display>(
    attempt: impl Future<Output = Result<T, E>>,
) -> Result<T, Refused> {
    match timeout(PATIENCE, attempt).await {
        Ok(outcome) => outcome.map_err(Refused::because),
        Err(elapsed) => Err(Refused::because(elapsed)),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// Where to connect and with what; each request uses a new connection unless it is sent on a [`Connection`].
#[derive(Clone, Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    host: &'static str,
    roots: Arc<RootCertStore>,
    certificate: Option<Arc<CertifiedKey>>,
    versions: Versions,
    protocol: Protocol,
    resumption: Resumption,
    /// Sessions are resumed only between connections of one configuration.
    tls: OnceLock<Arc<ClientConfig>>,
}

impl Client {
    /// Without a certificate, over HTTP/1.1, TLS 1.2 or 1.3, every handshake a full one.
    pub(crate) fn new(address: SocketAddr, trusted: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        Self {
            address,
            host: "localhost",
            roots: Arc::new(roots),
            certificate: None,
            versions: TLS12_OR_13,
            protocol: Protocol::Http1,
            resumption: Resumption::disabled(),
            tls: OnceLock::new(),
        }
    }

    /// Presents this certificate, however broken it is.
    pub(crate) fn presenting(mut self, credentials: &Credentials) -> Self {
        let key = sign::any_supported_type(&credentials.private_key()).unwrap();
        let chain = vec![credentials.certificate().clone()];
        self.certificate = Some(Arc::new(CertifiedKey::new(chain, key)));
        self.changed()
    }

    /// What the server must be called.
    pub(crate) fn named(mut self, host: &'static str) -> Self {
        self.host = host;
        self.changed()
    }

    pub(crate) fn http2(self) -> Self {
        self.over(Protocol::Http2)
    }

    pub(crate) fn over(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self.changed()
    }

    pub(crate) fn tls12(mut self) -> Self {
        self.versions = ONLY_TLS12;
        self.changed()
    }

    pub(crate) fn tls13(mut self) -> Self {
        self.versions = ONLY_TLS13;
        self.changed()
    }

    /// Offers to resume an earlier session.
    pub(crate) fn resuming(mut self) -> Self {
        self.resumption = Resumption::in_memory_sessions(8);
        self.changed()
    }

    fn changed(mut self) -> Self {
        self.tls = OnceLock::new();
        self
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Refused> {
        self.send(get(path, &[])).await
    }

    pub(crate) async fn get_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Refused> {
        self.send(get(path, headers)).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Result<Answer, Refused> {
        self.connect().await?.send(request).await
    }

    /// A connection that is kept open.
    pub(crate) async fn connect(&self) -> Result<Connection, Refused> {
        let stream = self.handshake().await?;
        let handshake = stream.get_ref().1.handshake_kind();
        let sender = match self.protocol {
            Protocol::Http1 => Sender::Http1(speak_http1(TokioIo::new(stream)).await?),
            Protocol::Http2 => Sender::Http2(speak_http2(TokioIo::new(stream)).await?),
        };
        Ok(Connection { sender, handshake })
    }

    /// TLS and nothing on it yet.
    pub(crate) async fn handshake(&self) -> Result<TlsStream<TcpStream>, Refused> {
        let tls = self.tls.get_or_init(|| Arc::new(self.configuration()));
        let connector = TlsConnector::from(tls.clone());
        in_time(async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(self.host).unwrap();
            connector.connect(name, stream).await
        })
        .await
    }

    fn configuration(&self) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let mut tls = match &self.certificate {
            // Not `with_client_auth_cert`: it looks into the certificate, which may be broken on purpose.
            Some(certificate) => builder
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.clone()))),
            None => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = match self.protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        tls.resumption = self.resumption.clone();
        tls
    }
}

async fn speak_http1(
    stream: TokioIo<TlsStream<TcpStream>>,
) -> Result<http1::SendRequest<Body>, Refused> {
    let mut builder = http1::Builder::new();
    builder.max_headers(1000);
    let (sender, connection) = in_time(builder.handshake(stream)).await?;
    // How it ends shows in the answer to a request, or in its absence.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

async fn speak_http2(
    stream: TokioIo<TlsStream<TcpStream>>,
) -> Result<http2::SendRequest<Body>, Refused> {
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = in_time(builder.handshake(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

/// One TLS connection for several requests.
pub(crate) struct Connection {
    sender: Sender,
    handshake: Option<HandshakeKind>,
}

impl Connection {
    pub(crate) fn resumed(&self) -> bool {
        self.handshake == Some(HandshakeKind::Resumed)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        match self.sender {
            Sender::Http1(_) => Protocol::Http1,
            Sender::Http2(_) => Protocol::Http2,
        }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Refused> {
        self.send(get(path, &[])).await
    }

    /// The whole answer.
    pub(crate) async fn send(&mut self, request: Request<Body>) -> Result<Answer, Refused> {
        let response = self.begin(request).await?;
        whole(response).await
    }

    /// Sends a request whose answer may come much later. The connection must be kept until then.
    pub(crate) async fn start(
        &mut self,
        request: Request<Body>,
    ) -> Result<JoinHandle<Result<Answer, Refused>>, Refused> {
        let head = self.start_head(request).await?;
        Ok(tokio::spawn(async {
            let head = head.await.map_err(Refused::because)?;
            whole(head.map_err(Refused::because)?).await
        }))
    }

    /// The same; of the answer only the head.
    pub(crate) async fn start_head(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<JoinHandle<hyper::Result<Response<Incoming>>>, Refused> {
        self.address(&mut request);
        Ok(match &mut self.sender {
            Sender::Http1(sender) => {
                in_time(sender.ready()).await?;
                tokio::spawn(sender.send_request(request))
            }
            Sender::Http2(sender) => {
                in_time(sender.ready()).await?;
                tokio::spawn(sender.send_request(request))
            }
        })
    }

    /// The answer's head; its body is still to come.
    pub(crate) async fn begin(
        &mut self,
        mut request: Request<Body>,
    ) -> Result<Response<Incoming>, Refused> {
        self.address(&mut request);
        self.begin_as_is(request).await
    }

    /// The same for a request that names its host itself.
    pub(crate) async fn begin_as_is(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, Refused> {
        match &mut self.sender {
            Sender::Http1(sender) => {
                in_time(sender.ready()).await?;
                in_time(sender.send_request(request)).await
            }
            Sender::Http2(sender) => {
                in_time(sender.ready()).await?;
                in_time(sender.send_request(request)).await
            }
        }
    }

    /// Names the host where the protocol wants it.
    fn address(&self, request: &mut Request<Body>) {
        let path = request.uri().path_and_query().unwrap().to_string();
        match self.protocol() {
            Protocol::Http1 => {
                let host = request.headers_mut().entry(HOST);
                host.or_insert_with(|| "localhost".parse().unwrap());
            }
            Protocol::Http2 => {
                *request.uri_mut() = Uri::try_from(format!("https://localhost{path}")).unwrap();
            }
        }
    }
}

pub(crate) async fn whole(response: Response<Incoming>) -> Result<Answer, Refused> {
    let (head, body) = response.into_parts();
    let body = in_time(body.collect()).await?;
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        trailers: body.trailers().cloned().unwrap_or_default(),
        body: body.to_bytes(),
    })
}
