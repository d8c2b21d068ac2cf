//! A real Envoy with the shipped configuration between a client with certificates and a gateway.
//!
//! ```ignore
//! let site = Fixture::new().plugin(json!({})).start().await;
//! let answer = site.client("alice@example.com").get("/").await.unwrap();
//! assert_eq!(answer.gateway().user(), ["alice@example.com"]);
//! ```

pub(crate) mod answer;
pub(crate) mod artifacts;
pub(crate) mod body;
pub(crate) mod bootstrap;
pub(crate) mod certs;
pub(crate) mod client;
pub(crate) mod cluster_limit;
pub(crate) mod curves;
pub(crate) mod der;
pub(crate) mod envoy;
pub(crate) mod forged;
pub(crate) mod gateway;
pub(crate) mod leaf;
pub(crate) mod limit_service;
pub(crate) mod nginx;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod raw;
pub(crate) mod redis;
pub(crate) mod server;
pub(crate) mod streams;
pub(crate) mod token;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use bootstrap::Bootstrap;
use certs::{Authority, Credentials};
use client::Client;
use envoy::{Envoy, Launch, Verdict};
use gateway::Gateway;

/// What a single step of a test may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Envoy compiles the filter while it starts.
pub(crate) const BOOT_PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Tries until there is a result; fails the test when the deadline has passed.
pub(crate) async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut attempt: impl AsyncFnMut() -> Option<T>,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(result) = attempt().await {
            return result;
        }
        assert!(Instant::now() < end, "after {deadline:?} still not: {what}");
        tokio::time::sleep(POLL).await;
    }
}

type Edit = Box<dyn FnOnce(&mut Bootstrap)>;

/// What a test starts: the shipped configuration, unless it says otherwise.
pub(crate) struct Fixture {
    authority: Authority,
    launch: Launch,
    yaml: Option<String>,
    edits: Vec<Edit>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self {
            authority: Authority::new(),
            launch: Launch::default(),
            yaml: None,
            edits: Vec::new(),
        }
    }

    /// In place of the shipped configuration one that is laid out like it.
    pub(crate) fn yaml(mut self, text: String) -> Self {
        self.yaml = Some(text);
        self
    }

    /// Another one whose clients the listener trusts.
    pub(crate) fn trusting(mut self, authority: Authority) -> Self {
        self.authority = authority;
        self
    }

    /// The one whose clients the listener trusts.
    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Lays this over the shipped configuration of the filter, whose mark the guard behind it asks for.
    pub(crate) fn plugin(self, configuration: Value) -> Self {
        self.edit(move |bootstrap| bootstrap.overlay_plugin(&configuration))
    }

    /// This text is the whole configuration of the filter.
    pub(crate) fn plugin_exactly(self, text: impl ToString) -> Self {
        let text = text.to_string();
        self.edit(move |bootstrap| bootstrap.configure_plugin(&text))
    }

    /// On this version, with what `envoy.yaml` says to change for it.
    pub(crate) fn on(self, version: &'static str) -> Self {
        self.envoy_version(version)
            .edit(move |bootstrap| bootstrap.suit(version))
    }

    pub(crate) fn envoy_version(mut self, version: &'static str) -> Self {
        self.launch.version = Some(version);
        self
    }

    pub(crate) fn concurrency(mut self, workers: usize) -> Self {
        self.launch.concurrency = workers;
        self
    }

    /// The second line alone.
    pub(crate) fn without_filter(self) -> Self {
        self.edit(Bootstrap::remove_filter)
    }

    /// A change to the configuration; they are made in the order of the calls.
    pub(crate) fn edit(mut self, edit: impl FnOnce(&mut Bootstrap) + 'static) -> Self {
        self.edits.push(Box::new(edit));
        self
    }

    /// A gateway, and an Envoy that serves in front of it.
    pub(crate) async fn start(self) -> Site {
        self.start_from(Bootstrap::write).await
    }

    /// The listener comes from a watched file, so that [`Site::update`] can change it.
    pub(crate) async fn start_watched(self) -> Site {
        self.start_from(Bootstrap::write_watched).await
    }

    async fn start_from(self, write: fn(&Bootstrap) -> PathBuf) -> Site {
        let prepared = self.prepare().await;
        let path = write(&prepared.bootstrap);
        Site {
            envoy: Envoy::start(&prepared.launch, &path, prepared.directory).await,
            authority: prepared.authority,
            gateway: prepared.gateway,
            bootstrap: prepared.bootstrap,
        }
    }

    /// The log of an Envoy that does not start with this configuration.
    pub(crate) async fn refused_at_boot(self) -> String {
        let prepared = self.prepare().await;
        let path = prepared.bootstrap.write();
        match Envoy::boot(&prepared.launch, &path, prepared.directory).await {
            Ok(_) => panic!("Envoy serves with a configuration that it should refuse"),
            Err(log) => log,
        }
    }

    /// What `envoy --mode validate` says of this configuration.
    pub(crate) async fn verdict(self) -> Verdict {
        let prepared = self.prepare().await;
        let path = prepared.bootstrap.write();
        envoy::verdict(&prepared.launch, &path, prepared.directory.path()).await
    }

    async fn prepare(self) -> Prepared {
        let directory = tempfile::tempdir().unwrap();
        let gateway = Gateway::start().await.unwrap();
        let mut bootstrap = match &self.yaml {
            Some(text) => Bootstrap::of(text, directory.path()),
            None => Bootstrap::shipped(directory.path()),
        };
        bootstrap.settle(gateway.address(), &self.authority);
        bootstrap.use_wasm(artifacts::wasm());
        for edit in self.edits {
            edit(&mut bootstrap);
        }
        Prepared {
            authority: self.authority,
            launch: self.launch,
            gateway,
            bootstrap,
            directory,
        }
    }
}

struct Prepared {
    authority: Authority,
    launch: Launch,
    gateway: Gateway,
    bootstrap: Bootstrap,
    directory: TempDir,
}

/// What became of a changed configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Accepted,
    Rejected,
}

/// All that runs for one test.
pub(crate) struct Site {
    pub(crate) authority: Authority,
    pub(crate) gateway: Gateway,
    pub(crate) envoy: Envoy,
    bootstrap: Bootstrap,
}

impl Site {
    /// With a new certificate whose subject is this CN.
    pub(crate) fn client(&self, common_name: &str) -> Client {
        self.client_with(&self.authority.client(common_name))
    }

    pub(crate) fn client_with(&self, credentials: &Credentials) -> Client {
        self.client_without_certificate().presenting(credentials)
    }

    pub(crate) fn client_without_certificate(&self) -> Client {
        Client::new(self.envoy.address(), self.authority.certificate())
    }

    /// Changes the listener's file and waits for what Envoy says. A rejected change stays in the file.
    pub(crate) async fn update(&mut self, edit: impl FnOnce(&mut Bootstrap)) -> Update {
        let before = self.updates().await;
        edit(&mut self.bootstrap);
        self.bootstrap.write_listeners();
        eventually("Envoy has read the listener", PATIENCE, async || {
            let now = self.updates().await;
            if now.1 > before.1 {
                return Some(Update::Rejected);
            }
            (now.0 > before.0).then_some(Update::Accepted)
        })
        .await
    }

    /// How many were accepted, how many rejected.
    async fn updates(&self) -> (Option<u64>, Option<u64>) {
        let accepted = self.envoy.stat("listener_manager.lds.update_success").await;
        let rejected = self
            .envoy
            .stat("listener_manager.lds.update_rejected")
            .await;
        (accepted, rejected)
    }
}
