//! A server that says where it listens.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::Process;
use super::{BOOT_PATIENCE, eventually};

/// A running server; it ends when dropped.
pub(crate) struct Server {
    _process: Process,
    address: SocketAddr,
    directory: TempDir,
}

impl Server {
    /// Returns when it has written `listening on ADDRESS`.
    pub(crate) async fn start(
        name: &'static str,
        mut command: Command,
        directory: TempDir,
    ) -> Self {
        let said = directory.path().join("said");
        command
            .stdin(Stdio::null())
            .stdout(File::create(&said).unwrap());
        let log = directory.path().join("log");
        let mut process = Process::spawn(name, command, log).await;
        let what = format!("{name} serves");
        let address = eventually(&what, BOOT_PATIENCE, async || {
            assert_eq!(process.ended(), None, "{name} ended");
            let said = fs::read_to_string(&said).unwrap();
            // A line that is not whole has not said everything.
            let mut lines = said.split_inclusive('\n');
            lines.find_map(|line| {
                let address = line.strip_prefix("listening on ")?;
                address.strip_suffix('\n')?.parse().ok()
            })
        });
        Self {
            address: address.await,
            _process: process,
            directory,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it keeps its files.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}
