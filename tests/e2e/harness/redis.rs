//! Redis, which keeps what it was told over its end.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::client::in_time;
use super::process::Process;
use super::{BOOT_PATIENCE, artifacts, eventually};

/// A Redis on a socket of its own; it may be stopped and started again.
pub(crate) struct Redis {
    process: Option<Process>,
    directory: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut redis = Self {
            process: None,
            directory,
        };
        redis.start_again().await;
        redis
    }

    /// As a URL of its clients.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub(crate) fn stop(&mut self) {
        self.process.take().unwrap();
    }

    /// On the same socket, with what it knew.
    pub(crate) async fn start_again(&mut self) {
        let directory = self.directory.path();
        let mut command = Command::new(artifacts::debian("redis-server"));
        command
            .args(["--port", "0", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always"])
            .arg("--unixsocket")
            .arg(self.socket())
            .arg("--dir")
            .arg(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let log = directory.join("redis.log");
        self.process = Some(Process::spawn("Redis", command, log).await);
        let socket = self.socket();
        eventually("Redis serves", BOOT_PATIENCE, async || {
            let pong = ask(&socket, "PING").await?;
            (pong == "+PONG\r\n").then_some(())
        })
        .await;
    }

    /// It keeps its connections and no longer answers.
    pub(crate) fn freeze(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn thaw(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }
}

async fn ask(socket: &Path, command: &str) -> Option<String> {
    let exchange = in_time(async {
        let mut stream = UnixStream::connect(socket).await?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut answer = [0; 64];
        let length = stream.read(&mut answer).await?;
        std::io::Result::Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
    });
    exchange.await.ok()
}
