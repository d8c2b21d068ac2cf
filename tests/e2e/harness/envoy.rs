//! One Envoy process: started for a test, ended with it.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::client::{Refused, empty, in_time};
use super::process::Process;
use super::{BOOT_PATIENCE, PATIENCE, artifacts, eventually};

/// Starting takes a core for half a second; more at once make each of them late.
static BOOTING: Semaphore = Semaphore::const_new(3);

/// How to start it.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) version: Option<&'static str>,
    pub(crate) concurrency: usize,
}

/// The Envoy that `envoy/fetch.sh` takes by itself, with one worker.
impl Default for Launch {
    fn default() -> Self {
        Self {
            version: None,
            concurrency: 1,
        }
    }
}

impl Launch {
    fn command(&self, configuration: &Path, directory: &Path) -> Command {
        let mut command = Command::new(artifacts::envoy(self.version));
        command
            .arg("--config-path")
            .arg(configuration)
            .args(["--concurrency", &self.concurrency.to_string()])
            .args(["--disable-hot-restart", "--file-flush-interval-msec", "20"])
            // At its start it lists all that it is made of; nobody reads that behind a failed test.
            .args(["--component-log-level", "main:warning"])
            .arg("--admin-address-path")
            .arg(directory.join("admin"))
            .stdin(Stdio::null())
            .stdout(File::create(directory.join("access.log")).unwrap());
        command
    }

    async fn spawn(command: Command, directory: &Path) -> Process {
        Process::spawn("Envoy", command, directory.join("envoy.log")).await
    }
}

/// What `envoy --mode validate` says.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) accepted: bool,
    pub(crate) log: String,
}

/// Asks Envoy what it thinks of this configuration.
pub(crate) async fn verdict(launch: &Launch, configuration: &Path, directory: &Path) -> Verdict {
    let _permit = BOOTING.acquire().await.unwrap();
    let mut command = launch.command(configuration, directory);
    command.args(["--mode", "validate"]);
    let mut process = Launch::spawn(command, directory).await;
    let status = eventually("Envoy has validated", BOOT_PATIENCE, async || {
        process.ended()
    })
    .await;
    Verdict {
        accepted: status.success(),
        log: process.log(),
    }
}

/// A running Envoy.
pub(crate) struct Envoy {
    process: Process,
    admin: SocketAddr,
    address: SocketAddr,
    directory: TempDir,
}

impl Envoy {
    /// Returns when it serves.
    pub(crate) async fn start(launch: &Launch, configuration: &Path, directory: TempDir) -> Self {
        let envoy = Self::boot(launch, configuration, directory).await;
        envoy.unwrap_or_else(|log| panic!("Envoy does not boot:\n{log}"))
    }

    /// Returns when it serves; the error is the log of one that ended instead.
    pub(crate) async fn boot(
        launch: &Launch,
        configuration: &Path,
        directory: TempDir,
    ) -> Result<Self, String> {
        let _permit = BOOTING.acquire().await.unwrap();
        let command = launch.command(configuration, directory.path());
        let mut process = Launch::spawn(command, directory.path()).await;
        let addresses = eventually("Envoy serves", BOOT_PATIENCE, async || {
            if process.ended().is_some() {
                return Some(Err(process.log()));
            }
            addresses(directory.path()).await.map(Ok)
        });
        let (admin, address) = addresses.await?;
        Ok(Self {
            process,
            admin,
            address,
            directory,
        })
    }

    /// The CPU time of all its threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.process.cpu_time()
    }

    /// Sends it a signal of signal(7), named without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients connect to the listener of this name.
    pub(crate) async fn address_of(&self, listener: &str) -> SocketAddr {
        let listed = self.admin("/listeners?format=json").await.unwrap();
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let mut listeners = listed["listener_statuses"].as_array().unwrap().iter();
        let listener = listeners.find(|it| it["name"] == listener).unwrap();
        let port = &listener["local_address"]["socket_address"]["port_value"];
        let port = u16::try_from(port.as_u64().unwrap()).unwrap();
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// The value of a counter or gauge; nothing if Envoy has none of that name.
    pub(crate) async fn stat(&self, name: &str) -> Option<u64> {
        let listed = self.stats(name).await;
        let mut lines = listed.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| *n == name)?.1.parse().ok()
    }

    /// All stats whose name contains this, as `name: value` lines.
    pub(crate) async fn stats(&self, part: &str) -> String {
        self.admin(&format!("/stats?filter={part}")).await.unwrap()
    }

    /// An answer of the admin interface.
    pub(crate) async fn admin(&self, path: &str) -> Result<String, Refused> {
        admin(self.admin, path).await
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.process.log_path().to_owned()
    }

    /// Where its admin interface listens.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// What it has logged, the filter's lines included.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// The bytes of memory that are its own at this moment.
    pub(crate) fn resident_memory(&self) -> u64 {
        self.process.resident_memory()
    }

    /// The bytes of the largest memory that one of its WebAssembly VMs has: what V8 has made usable at the beginning of the
    /// gigabytes of addresses that it reserves for each.
    pub(crate) fn largest_vm(&self) -> u64 {
        const RESERVATION: u64 = 4 << 30;
        let mappings = self.process.mappings();
        let pairs = mappings.windows(2).filter_map(|pair| match pair {
            [(from, to, usable), (start, end, reserved)] => {
                let is_memory = usable == "rw-p" && reserved == "---p";
                (is_memory && to == start && end - start > RESERVATION).then_some(to - from)
            }
            _ => None,
        });
        pairs.max().unwrap()
    }

    /// Waits until its log has this.
    pub(crate) async fn logs(&self, text: &str) {
        let what = format!("the log has {text:?}");
        eventually(&what, PATIENCE, async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    pub(crate) fn access_log_path(&self) -> PathBuf {
        self.directory.path().join("access.log")
    }

    /// The lines of its access log so far.
    pub(crate) fn access_log(&self) -> Vec<Value> {
        let log = fs::read_to_string(self.access_log_path()).unwrap();
        log.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }
}

async fn addresses(directory: &Path) -> Option<(SocketAddr, SocketAddr)> {
    let address = fs::read_to_string(directory.join("admin")).ok()?;
    let address = address.parse().ok()?;
    let ready = admin(address, "/ready").await.ok()?;
    let listeners = admin(address, "/listeners?format=json").await.ok()?;
    let listeners: Value = serde_json::from_str(&listeners).ok()?;
    // One that is inside of Envoy has no port.
    let mut ports = listeners["listener_statuses"].as_array()?.iter();
    let port = ports
        .find_map(|listener| listener["local_address"]["socket_address"]["port_value"].as_u64())?;
    let port = u16::try_from(port).ok()?;
    (ready.trim() == "LIVE").then_some((address, SocketAddr::from(([127, 0, 0, 1], port))))
}

async fn admin(address: SocketAddr, path: &str) -> Result<String, Refused> {
    let stream = in_time(TcpStream::connect(address)).await?;
    let (mut sender, connection) = in_time(http1::handshake(TokioIo::new(stream))).await?;
    tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", "admin")
        .body(empty())
        .unwrap();
    let response = in_time(sender.send_request(request)).await?;
    let body = in_time(response.into_body().collect()).await?.to_bytes();
    String::from_utf8(body.to_vec()).map_err(Refused::because)
}
