//! Programs of `envoy/contextforge`, with the packages that `fetch.sh` fetches.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::harness::artifacts::{output, repository};
use crate::harness::process::Process;
use crate::harness::{BOOT_PATIENCE, eventually};

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

/// A server that says `listening on ADDRESS` when it serves; it ends when dropped.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    pub(crate) async fn start(
        name: &'static str,
        mut command: Command,
        directory: TempDir,
    ) -> Self {
        let said = directory.path().join("said");
        command
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&said).unwrap());
        let log = directory.path().join("log");
        let mut process = Process::spawn(name, command, log).await;
        let what = format!("{name} serves");
        let address = eventually(&what, BOOT_PATIENCE, async || {
            assert_eq!(process.ended(), None, "{name} ended");
            let said = std::fs::read_to_string(&said).unwrap();
            let mut lines = said.lines();
            lines.find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
        });
        Self {
            address: address.await,
            process,
            directory,
        }
    }

    /// An application of `envoy/contextforge` (`module:name`) on a free port.
    pub(crate) async fn serve(name: &'static str, application: &str) -> Self {
        let mut command = python();
        command.arg(program("serve.py")).args([application, "0"]);
        Self::start(name, command, tempfile::tempdir().unwrap()).await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
