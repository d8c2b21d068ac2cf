//! What stays open: WebSockets and event streams.

use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::ext::Protocol as ConnectProtocol;
use hyper::upgrade::Upgraded;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::answer::Answer;
use super::client::{Body, Client, Connection, Protocol, Refused, empty, in_time, whole};
use super::gateway::Received;

/// An open WebSocket to the gateway.
pub(crate) struct WebSocket {
    stream: WebSocketStream<TokioIo<Upgraded>>,
    _connection: Connection,
}

impl Client {
    /// Over HTTP/1.1 by upgrade, over HTTP/2 by extended CONNECT (RFC 8441). `Err` is the answer that refuses.
    pub(crate) async fn websocket(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<WebSocket, Answer> {
        let mut connection = self.connect().await.unwrap();
        let request = websocket_request(connection.protocol(), path, headers);
        let response = connection.begin(request).await.unwrap();
        if !matches!(response.status().as_u16(), 101 | 200) {
            return Err(whole(response).await.unwrap());
        }
        let upgraded = in_time(hyper::upgrade::on(response)).await.unwrap();
        let stream = TokioIo::new(upgraded);
        Ok(WebSocket {
            stream: WebSocketStream::from_raw_socket(stream, Role::Client, None).await,
            _connection: connection,
        })
    }

    /// The event stream at this path.
    pub(crate) async fn events(&self, path: &str) -> Result<EventStream, Refused> {
        let mut connection = self.connect().await?;
        let request = super::client::get(path, &[("accept", "text/event-stream")]);
        let response = connection.begin(request).await?;
        Ok(EventStream {
            response,
            unread: String::new(),
            _connection: connection,
        })
    }
}

fn websocket_request(protocol: Protocol, path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().uri(path);
    request = request.header("sec-websocket-version", "13");
    request = match protocol {
        Protocol::Http1 => request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        Protocol::Http2 => request
            .method(Method::CONNECT)
            .extension(ConnectProtocol::from_static("websocket")),
    };
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(empty()).unwrap()
}

impl WebSocket {
    /// The gateway's first message: the request that opened this.
    pub(crate) async fn opening(&mut self) -> Received {
        serde_json::from_str(&self.receive().await).unwrap()
    }

    pub(crate) async fn send(&mut self, text: &str) {
        in_time(self.stream.send(Message::text(text)))
            .await
            .unwrap();
    }

    /// Returns when it has ended, whatever came before.
    pub(crate) async fn until_ended(&mut self) {
        let ended = async { while matches!(self.stream.next().await, Some(Ok(_))) {} };
        tokio::time::timeout(super::PATIENCE, ended).await.unwrap();
    }

    pub(crate) async fn receive(&mut self) -> String {
        let next = async { self.stream.next().await.ok_or("the WebSocket ended") };
        let message = in_time(next).await.unwrap().unwrap();
        message.into_text().unwrap().to_string()
    }
}

/// Opens an event stream that does not end by itself.
pub(crate) async fn open_events(
    connection: &mut Connection,
    headers: &[(&str, &str)],
) -> Response<Incoming> {
    let request = super::client::get("/sse", headers);
    let response = connection.begin(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

/// Whether another event comes.
pub(crate) async fn goes_on(events: &mut Response<Incoming>) -> bool {
    matches!(events.frame().await, Some(Ok(_)))
}

/// Returns when it has ended, whatever came before.
pub(crate) async fn until_ended(events: &mut Response<Incoming>) {
    let ended = async { while goes_on(events).await {} };
    tokio::time::timeout(super::PATIENCE, ended).await.unwrap();
}

/// Server-sent events as they come.
pub(crate) struct EventStream {
    response: Response<Incoming>,
    unread: String,
    _connection: Connection,
}

impl EventStream {
    pub(crate) fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// The data of the next event; nothing when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let data = event.strip_prefix("data: ").unwrap().to_owned();
                self.unread = rest.to_owned();
                return Some(data);
            }
            let frame = async { self.response.frame().await.transpose() };
            let frame = in_time(frame).await.unwrap()?;
            self.unread += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    }
}
