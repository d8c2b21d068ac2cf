//! Programs of `envoy/contextforge`, with the packages that `fetch.sh` fetches.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::harness::artifacts::{output, repository};
use crate::harness::server::Server;

/// The folder that `fetch.sh` fills; fetched if need be.
pub(crate) fn fetched() -> &'static Path {
    static FETCHED: OnceLock<PathBuf> = OnceLock::new();
    FETCHED.get_or_init(|| {
        let mut fetch = Command::new(program("fetch.sh"));
        PathBuf::from(output(&mut fetch).trim())
    })
}

/// The path of a file of `envoy/contextforge`.
pub(crate) fn program(name: &str) -> PathBuf {
    repository().join("envoy/contextforge").join(name)
}

/// Python with those packages.
pub(crate) fn python() -> Command {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command
        .env("PYTHONPATH", fetched().join("site"))
        .env("PYTHONNOUSERSITE", "1")
        .env("NO_PROXY", "localhost,127.0.0.1")
        .stdin(Stdio::null());
    command
}

/// An application of `envoy/contextforge` (`module:name`) on a free port.
pub(crate) async fn serve(name: &'static str, application: &str) -> Server {
    let mut command = python();
    command.arg(program("serve.py")).args([application, "0"]);
    Server::start(name, command, tempfile::tempdir().unwrap()).await
}
