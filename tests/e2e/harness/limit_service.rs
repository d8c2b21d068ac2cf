//! A rate limit service: Limitador, with its counters in Redis.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::redis::Redis;
use super::{BOOT_PATIENCE, artifacts, eventually};

/// A running service of `tests/limit-service`.
pub(crate) struct LimitService {
    process: Process,
    address: SocketAddr,
    _directory: TempDir,
}

impl LimitService {
    /// With these limits, in Limitador's words.
    pub(crate) async fn start(redis: &Redis, limits: &Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let printed = directory.path().join("address");
        let mut command = Command::new(artifacts::limit_service());
        command
            .arg(redis.url())
            .arg(limits.to_string())
            .stdin(Stdio::null())
            .stdout(File::create(&printed).unwrap());
        let log = directory.path().join("limit-service.log");
        let mut process = Process::spawn("the limit service", command, log).await;
        let address = eventually("the limit service listens", BOOT_PATIENCE, async || {
            assert_eq!(process.ended(), None, "{}", process.log());
            let address = fs::read_to_string(&printed).unwrap();
            address.strip_suffix('\n')?.parse().ok()
        })
        .await;
        Self {
            process,
            address,
            _directory: directory,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
