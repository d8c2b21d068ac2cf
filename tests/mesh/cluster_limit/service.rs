//! envoyproxy/ratelimit, with its counters in Redis.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ANONYMOUS, USER};
use crate::harness::cluster_limit::at_port;
use crate::harness::process::Process;
use crate::harness::redis::Redis;
use crate::harness::{BOOT_PATIENCE, eventually};
use crate::tools::{free_port, programs};

/// The running service; it ends when dropped.
pub(super) struct Service {
    _process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl Service {
    /// With the descriptors of the page, and limits that a test can spend.
    pub(super) async fn start(redis: &Redis) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("runtime/config");
        fs::create_dir_all(&root).unwrap();
        let each = |key: &str, requests: usize| {
            json!({
                "key": key,
                "rate_limit": {"unit": "hour", "requests_per_unit": requests},
            })
        };
        let limits = json!({
            "domain": "mtls_identity",
            "descriptors": [each("user", USER), each("anonymous", ANONYMOUS)],
        });
        // JSON is YAML.
        fs::write(root.join("limits.yaml"), limits.to_string()).unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new(programs().join("ratelimit/service_cmd"));
        command
            .env_clear()
            .env("RUNTIME_ROOT", directory.path().join("runtime"))
            .env("RUNTIME_WATCH_ROOT", "false")
            .env("REDIS_SOCKET_TYPE", "unix")
            .env("REDIS_URL", redis.socket())
            .env("GRPC_HOST", "127.0.0.1")
            .env("GRPC_PORT", address.port().to_string())
            // It opens two ports for people besides: any that are free.
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .env("DEBUG_HOST", "127.0.0.1")
            .env("DEBUG_PORT", "0")
            .env("USE_STATSD", "false")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let log = directory.path().join("log");
        let mut process = Process::spawn("ratelimit", command, log).await;
        eventually("ratelimit serves", BOOT_PATIENCE, async || {
            assert_eq!(process.ended(), None, "ratelimit ended");
            TcpStream::connect(address).ok()
        })
        .await;
        Self {
            _process: process,
            address,
            _directory: directory,
        }
    }

    /// In Envoy's words.
    pub(super) fn address(&self) -> Value {
        at_port(self.address)
    }
}
