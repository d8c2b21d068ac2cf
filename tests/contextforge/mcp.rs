//! MCP with the SDK of its makers: a server with two tools, and a client with a certificate.

use std::net::SocketAddr;
use std::process::Output;

use serde_json::Value;

use crate::harness::certs::{Authority, Credentials};
use crate::harness::server::Server;
use crate::python::{program, python, serve};

/// The tools `add` and `headers`.
pub(crate) async fn tool_server() -> Server {
    serve("the MCP server", "mcp_server:application").await
}

/// Initializes, lists the tools, calls this one; returns what `mcp_client.py` says of it.
pub(crate) async fn converse(
    envoy: SocketAddr,
    path: &str,
    authority: &Authority,
    credentials: &Credentials,
    call: (&str, Value),
) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let mut command = python();
    command
        .arg(program("mcp_client.py"))
        .arg(format!("https://localhost:{}{path}", envoy.port()))
        .arg(file("ca.crt", authority.pem()))
        .arg(file("client.crt", credentials.pem()))
        .arg(file("client.key", credentials.key_pem()))
        .args([call.0, &call.1.to_string()]);
    // The runtime of the test goes on while the client runs: it may be what the client talks to.
    let ended = tokio::task::spawn_blocking(move || command.output());
    parsed(&ended.await.unwrap().unwrap())
}

fn parsed(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the MCP client failed:\n{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}
