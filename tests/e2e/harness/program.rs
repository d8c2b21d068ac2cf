//! A program of Debian's that serves TLS beside Envoy, and cannot say itself which port it has taken.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use super::artifacts::debian;
use super::client::Client;
use super::process::Process;
use super::{BOOT_PATIENCE, eventually};

/// Somebody else may take a free port before the program does; then it tries another one.
const ATTEMPTS: usize = 5;

/// A running program; it ends when dropped.
pub(crate) struct Program {
    process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl Program {
    /// With the configuration that `configure` writes into its folder for this address, as its last argument. Returns
    /// when it serves with a certificate of this CA.
    pub(crate) async fn start(
        name: &'static str,
        arguments: &[&str],
        trusted: &CertificateDer<'static>,
        configure: impl Fn(&Path, SocketAddr) -> PathBuf,
    ) -> Self {
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let mut program = Self::spawn(name, arguments, &configure).await;
            if program.serves(trusted).await {
                return program;
            }
            log = program.process.log();
        }
        panic!("{name} does not serve:\n{log}");
    }

    async fn spawn(
        name: &'static str,
        arguments: &[&str],
        configure: impl Fn(&Path, SocketAddr) -> PathBuf,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let address = free_address();
        let mut command = Command::new(debian(name));
        command
            .args(arguments)
            .arg(configure(here, address))
            .current_dir(here)
            .env("HOME", here)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let process = Process::spawn(name, command, here.join("log")).await;
        Self {
            process,
            address,
            _directory: directory,
        }
    }

    /// False when it has ended instead.
    async fn serves(&mut self, trusted: &CertificateDer<'static>) -> bool {
        let client = Client::new(self.address, trusted);
        eventually("the program serves", BOOT_PATIENCE, async || {
            if self.process.ended().is_some() {
                return Some(false);
            }
            client.handshake().await.is_ok().then_some(true)
        })
        .await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn free_address() -> SocketAddr {
    let probe = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    probe.local_addr().unwrap()
}
