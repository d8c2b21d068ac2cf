//! Nginx, Caddy or HAProxy as a child that ends with its value.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

use crate::harness::artifacts::repository;
use crate::harness::client::Client;
use crate::harness::{PATIENCE, eventually};

/// Somebody else may take a free port before the program does; then it tries another one.
const ATTEMPTS: usize = 5;

pub(crate) struct Program {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Program {
    /// With the configuration that `configure` writes for this port, when it serves with a certificate of this CA.
    pub(crate) async fn start(
        name: &str,
        arguments: &[&str],
        trusted: &CertificateDer<'static>,
        configure: impl Fn(&Path, u16) -> PathBuf,
    ) -> Self {
        let mut log = String::new();
        for _ in 0..ATTEMPTS {
            let mut program = Self::spawn(name, arguments, &configure);
            if program.serves(trusted).await {
                return program;
            }
            log = program.log();
        }
        panic!("{name} does not serve:\n{log}");
    }

    fn spawn(name: &str, arguments: &[&str], configure: impl Fn(&Path, u16) -> PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let here = directory.path();
        let address = free_address();
        let configuration = configure(here, address.port());
        let log = File::create(here.join("log")).unwrap();
        let child = Command::new(debian(name))
            .args(arguments)
            .arg(configuration)
            .current_dir(here)
            .env("HOME", here)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            child,
            address,
            directory,
        }
    }

    /// False when it has ended instead.
    async fn serves(&mut self, trusted: &CertificateDer<'static>) -> bool {
        let client = Client::new(self.address, trusted);
        eventually("the program serves", PATIENCE, async || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            client.handshake().await.is_ok().then_some(true)
        })
        .await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.directory.path().join("log")).unwrap()).into_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log\n{}\n---", self.log());
        }
        // It may have ended by itself; what counts is that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

/// The program of Debian's package of this name.
fn debian(name: &str) -> PathBuf {
    let script = repository().join("tests/debian.sh");
    let output = Command::new(script).arg(name).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tests/debian.sh {name}: {errors}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
