//! The gateway of the demonstration and of the tests: a real HTTP server that answers with what it got.
//!
//! HTTP/1.1 and HTTP/2 without TLS (prior knowledge) on one port. Every path answers with the request as
//! JSON ([`Received`]), except
//!
//! - a WebSocket upgrade: the first message is that JSON, then every message comes back;
//! - `…/sse`: the first event is that JSON, then one event every 50 ms, `?events=N` of them in all;
//! - `…/echo`: the body comes back chunk by chunk, each as soon as it is here.
//!
//! `cargo run --example gateway -- --listen 127.0.0.1:4444`

#![allow(
    dead_code,
    reason = "as a program it keeps no list of requests, as a module of the tests it has no command line"
)]

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::poll_fn;
use futures_util::{SinkExt, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::ext::Protocol;
use hyper::header::{
    CONNECTION, CONTENT_TYPE, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};

/// Between two events of an event stream.
const EVENT_INTERVAL: Duration = Duration::from_millis(50);
/// More than Envoy forwards, so that what is refused was refused in front of the gateway.
const MAX_HEADER_BYTES: u32 = 1 << 20;
const MAX_HEADERS: usize = 1000;

type Body = BoxBody<Bytes, hyper::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let gateway = Gateway::listen(listen_address()?, Journal::forgetful()).await?;
    println!("listening on {}", gateway.address());
    std::future::pending().await
}

fn listen_address() -> io::Result<SocketAddr> {
    let mut arguments = std::env::args().skip(1);
    let address = match (arguments.next().as_deref(), arguments.next()) {
        (None, None) => "127.0.0.1:4444".to_owned(),
        (Some("--listen"), Some(address)) => address,
        _ => return Err(io::Error::other("usage: gateway [--listen ADDRESS:PORT]")),
    };
    address.parse().map_err(io::Error::other)
}

/// A request as the gateway got it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Received {
    /// `GET`, or `CONNECT` for a WebSocket over HTTP/2.
    pub(crate) method: String,
    /// With the query.
    pub(crate) path: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub(crate) version: String,
    /// In order, each repetition by itself; see [`escape`] for bytes that are not UTF-8.
    pub(crate) headers: Vec<(String, String)>,
    /// How much of the body has come so far.
    pub(crate) body_bytes: usize,
    /// As `headers`; empty until the body has ended.
    pub(crate) trailers: Vec<(String, String)>,
}

impl Received {
    fn from_request(request: &Request<Incoming>) -> Self {
        Self {
            method: request.method().to_string(),
            path: request
                .uri()
                .path_and_query()
                .map(ToString::to_string)
                .unwrap_or_default(),
            version: format!("{:?}", request.version()),
            headers: listed(request.headers()),
            body_bytes: 0,
            trailers: Vec::new(),
        }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| error.to_string())
    }
}

fn listed(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), escape(value.as_bytes())))
        .collect()
}

/// Text of a header value: a byte that is not UTF-8 becomes `\xNN`, and so does the backslash of an `\x`
/// that was there before, so that two different values never look the same.
pub(crate) fn escape(value: &[u8]) -> String {
    let mut text = String::new();
    for chunk in value.utf8_chunks() {
        text += &chunk.valid().replace("\\x", "\\x5cx");
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The server and the list of what it received; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Gateway {
    address: SocketAddr,
    journal: Journal,
    serving: JoinHandle<()>,
}

impl Gateway {
    /// On a free port of the loopback interface.
    pub(crate) async fn start() -> io::Result<Self> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::listen(any_port, Journal::default()).await
    }

    async fn listen(address: SocketAddr, journal: Journal) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(accept(listener, journal.clone()));
        Ok(Self {
            address,
            journal,
            serving,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, also those whose body has not ended.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.journal.all()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, journal: Journal) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, journal.clone()));
    }
}

async fn serve(stream: TcpStream, journal: Journal) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().max_headers(MAX_HEADERS);
    server
        .http2()
        .enable_connect_protocol()
        .max_header_list_size(MAX_HEADER_BYTES);
    let answering = service_fn(|request| answer(request, journal.clone()));
    // A client that goes away in the middle is no failure of the gateway.
    let _ = server
        .serve_connection_with_upgrades(TokioIo::new(stream), answering)
        .await;
}

async fn answer(
    mut request: Request<Incoming>,
    journal: Journal,
) -> Result<Response<Body>, hyper::Error> {
    let entry = journal.enter(Received::from_request(&request));
    if is_websocket(&request) {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(echo_messages(upgrade, entry.received()));
        return Ok(accept_websocket(&request));
    }
    let path = request.uri().path().to_owned();
    if path.ends_with("/sse") {
        let wanted = wanted_events(request.uri().query());
        return Ok(event_stream(&entry.received(), wanted));
    }
    let body = recorded(request.into_body(), entry.clone());
    if path.ends_with("/echo") {
        return Ok(typed("application/octet-stream", body));
    }
    body.collect().await?;
    let json = Full::from(entry.received().json()).map_err(never).boxed();
    Ok(typed("application/json", json))
}

fn typed(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The same body; what passes is entered in the journal.
fn recorded(body: Incoming, entry: Entry) -> Body {
    body.map_frame(move |frame| {
        entry.pass(&frame);
        frame
    })
    .boxed()
}

fn never<T>(impossible: Infallible) -> T {
    match impossible {}
}

fn is_websocket(request: &Request<Incoming>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.headers().contains_key(UPGRADE) || protocol.is_some()
}

fn accept_websocket(request: &Request<Incoming>) -> Response<Body> {
    let mut response = Response::new(Empty::new().map_err(never).boxed());
    if request.extensions().get::<Protocol>().is_some() {
        // RFC 8441 knows no 101, and a key only as what a proxy has left over from HTTP/1.1.
        return response;
    }
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

async fn echo_messages(upgrade: OnUpgrade, received: Received) {
    let Ok(upgraded) = upgrade.await else { return };
    let stream = TokioIo::new(upgraded);
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    // The other side may close at any time; there is nobody to tell.
    let _ = converse(&mut socket, received).await;
}

async fn converse(
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
    received: Received,
) -> Result<(), WebSocketError> {
    socket.send(Message::text(received.json())).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

fn wanted_events(query: Option<&str>) -> usize {
    query
        .and_then(|query| query.strip_prefix("events="))
        .and_then(|number| number.parse().ok())
        .unwrap_or(usize::MAX)
}

fn event_stream(received: &Received, wanted: usize) -> Response<Body> {
    let (sender, mut receiver) = mpsc::channel(1);
    tokio::spawn(send_events(sender, received.json(), wanted));
    let events = poll_fn(move |context| receiver.poll_recv(context));
    let frames = events.map(|event| Ok(Frame::data(event)));
    typed("text/event-stream", BodyExt::boxed(StreamBody::new(frames)))
}

async fn send_events(sender: Sender<Bytes>, first: String, wanted: usize) {
    let mut ticks = tokio::time::interval(EVENT_INTERVAL);
    for number in 0..wanted {
        ticks.tick().await;
        let data = match number {
            0 => first.clone(),
            _ => number.to_string(),
        };
        let event = Bytes::from(format!("data: {data}\n\n"));
        if sender.send(event).await.is_err() {
            return;
        }
    }
}

/// What was received, in order of arrival.
#[derive(Clone, Debug)]
struct Journal(Option<Arc<Mutex<Vec<Entry>>>>);

impl Default for Journal {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Journal {
    /// For a gateway that runs for long and that nobody asks.
    fn forgetful() -> Self {
        Self(None)
    }

    fn enter(&self, received: Received) -> Entry {
        let entry = Entry(Arc::new(Mutex::new(received)));
        if let Some(entries) = &self.0 {
            locked(entries).push(entry.clone());
        }
        entry
    }

    fn all(&self) -> Vec<Received> {
        let entries = self.0.as_deref().map(locked);
        entries.map_or_else(Vec::new, |entries| {
            entries.iter().map(Entry::received).collect()
        })
    }
}

/// One request in the journal: its body may still be on the way.
#[derive(Clone, Debug)]
struct Entry(Arc<Mutex<Received>>);

impl Entry {
    fn received(&self) -> Received {
        locked(&self.0).clone()
    }

    fn pass(&self, frame: &Frame<Bytes>) {
        let mut received = locked(&self.0);
        received.body_bytes += frame.data_ref().map_or(0, Bytes::len);
        received
            .trailers
            .extend(frame.trailers_ref().map(listed).unwrap_or_default());
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
