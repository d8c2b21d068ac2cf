//! A rate limit service: Limitador, with its counters in Redis.

use std::process::Command;

use serde_json::Value;

use super::artifacts;
use super::redis::Redis;
use super::server::Server;

/// Starts the service of `tests/limit-service` with these limits, in Limitador's words.
pub(crate) async fn start(redis: &Redis, limits: &Value) -> Server {
    let mut command = Command::new(artifacts::limit_service());
    command.arg(redis.url()).arg(limits.to_string());
    let directory = tempfile::tempdir().unwrap();
    Server::start("the limit service", command, directory).await
}
