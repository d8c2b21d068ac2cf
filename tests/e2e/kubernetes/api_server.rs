//! As much of a Kubernetes API server as one Secret needs: TLS, a token, a Role, and merge patches.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::version::TLS13;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::harness::certs::Authority;

pub(crate) const NAMESPACE: &str = "mcp-system";
pub(crate) const TOKEN: &str = "token-of-the-job";

/// Holds Secrets and admits what one Role allows.
pub(crate) struct ApiServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

struct State {
    /// Name → key → base64.
    secrets: Value,
    role: Value,
    requests: usize,
}

impl ApiServer {
    pub(crate) async fn start(authority: &Authority, role: Value, secrets: Value) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            secrets,
            role,
            requests: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let serving = tokio::spawn(accept(listener, acceptor(authority), state.clone()));
        Self {
            address,
            state,
            serving,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it was asked.
    pub(crate) fn requests(&self) -> usize {
        self.state.lock().unwrap().requests
    }

    /// A value of this Secret, decoded.
    pub(crate) fn secret(&self, name: &str, key: &str) -> String {
        let state = self.state.lock().unwrap();
        let value = state.secrets[name][key].as_str().unwrap();
        String::from_utf8(BASE64.decode(value.as_bytes()).unwrap()).unwrap()
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn acceptor(authority: &Authority) -> TlsAcceptor {
    let server = authority.server();
    let configuration = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![server.certificate().clone()], server.private_key());
    TlsAcceptor::from(Arc::new(configuration.unwrap()))
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, acceptor.clone(), state.clone()));
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, state: Arc<Mutex<State>>) {
    // A client that does not believe the certificate has its say in the test.
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let answering = service_fn(|request| answer(request, state.clone()));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answering)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    state.requests += 1;
    let header = |name: &str| {
        head.headers
            .get(name)
            .map(|value| value.as_bytes().to_vec())
    };
    let path = format!("/api/v1/namespaces/{NAMESPACE}/secrets/");
    let status = match head.uri.path().strip_prefix(&*path) {
        _ if header("authorization") != Some(format!("Bearer {TOKEN}").into_bytes()) => 401,
        Some(name) if !allows(&state.role, &head.method, name) => 403,
        Some(name) if header("content-type") == Some(b"application/merge-patch+json".into()) => {
            merge(
                &mut state.secrets,
                name,
                &serde_json::from_slice(&body).unwrap(),
            )
        }
        Some(_) => 415,
        None => 404,
    };
    let answer = json!({"kind": "Status", "code": status}).to_string();
    let response = Response::builder().status(status).body(answer.into());
    Ok(response.unwrap())
}

/// RBAC for Secrets by name.
fn allows(role: &Value, method: &Method, name: &str) -> bool {
    let verb = method.as_str().to_ascii_lowercase();
    let has = |list: &Value, item: &str| list.as_array().unwrap().iter().any(|one| one == item);
    let mut rules = role["rules"].as_array().unwrap().iter();
    rules.any(|rule| {
        has(&rule["apiGroups"], "")
            && has(&rule["resources"], "secrets")
            && has(&rule["resourceNames"], name)
            && has(&rule["verbs"], &verb)
    })
}

/// RFC 7396, for what a Secret has.
fn merge(secrets: &mut Value, name: &str, patch: &Value) -> u16 {
    let Some(secret) = secrets.get_mut(name) else {
        return 404;
    };
    assert_eq!(
        patch.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["data"]
    );
    for (key, value) in patch["data"].as_object().unwrap() {
        secret[key] = value.clone();
    }
    200
}
