//! A mesh for one test: its CA, the users' CA, and the proxies of one overlay.

use serde_json::Value;

use super::istiod::{Istiod, Kind};
use super::manifests::Manifests;
use super::proxy::{Discovery, Plan, Proxy, Upstream, the_filter};
use super::release::Release;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::Client;
use crate::harness::gateway::Gateway;
use crate::harness::leaf::{CLIENT_AUTH, Leaf, SERVER_AUTH, san_dns, san_uri};

/// An agent that the policies of the manifests admit.
pub(super) const AGENT: &str = "spiffe://cluster.local/ns/agents/sa/indexer";
/// Who that is to the MCP gateway.
pub(super) const AGENT_USER: &str = "indexer@agents.agents.example.com";

pub(super) struct Mesh {
    /// Signs the workloads.
    pub(super) authority: Authority,
    /// Signs the users.
    pub(super) users: Authority,
    pub(super) application: Gateway,
    manifests: Manifests,
    release: Release,
}

impl Mesh {
    pub(super) async fn of(overlay: &'static str, release: Release) -> Self {
        Self {
            authority: Authority::named("Mesh CA"),
            users: Authority::named("Users CA"),
            application: Gateway::start().await.unwrap(),
            manifests: Manifests::with(release.overlay(overlay), release.components()),
            release,
        }
    }

    /// As Istio's CA issues them: no subject, one SPIFFE ID.
    pub(super) fn workload(&self, spiffe_id: &str) -> Credentials {
        self.workload_with(&[san_uri(spiffe_id)])
    }

    pub(super) fn workload_with(&self, names: &[Vec<u8>]) -> Credentials {
        let leaf = Leaf::of([])
            .subject_alt_names(names)
            .extended_key_usage(&[SERVER_AUTH, CLIENT_AUTH]);
        self.authority.issue(&leaf)
    }

    fn istiod(&self, workload: &str, kind: Kind) -> Istiod {
        Istiod {
            manifests: self.manifests.clone(),
            workload: self.manifests.workload(workload),
            kind,
            release: self.release,
        }
    }

    /// The proxy of a workload in front of the application.
    pub(super) fn plan(&self, workload: &str, kind: Kind) -> Plan<'_> {
        let istiod = self.istiod(workload, kind);
        let spiffe_id = istiod.workload.spiffe_id();
        // The clients of the tests also want a host name; those of the mesh do not look at it.
        let server = self.workload_with(&[san_uri(&spiffe_id), san_dns("localhost")]);
        Plan {
            istiod,
            server,
            clients: &self.authority,
            identity: self.workload(&spiffe_id),
            mesh: &self.authority,
            upstream: Upstream::Application(self.application.address()),
        }
    }

    pub(super) async fn sidecar(&self) -> Proxy {
        self.sidecar_with(the_filter(), |_| {}).await
    }

    pub(super) async fn sidecar_with(
        &self,
        filter: Discovery,
        edit: impl FnOnce(&mut Value),
    ) -> Proxy {
        let plan = self.plan("mcp-gateway", Kind::Sidecar);
        plan.start(filter, edit).await
    }

    pub(super) async fn waypoint(&self) -> Proxy {
        self.waypoint_with(the_filter(), |_| {}).await
    }

    pub(super) async fn waypoint_with(
        &self,
        filter: Discovery,
        edit: impl FnOnce(&mut Value),
    ) -> Proxy {
        let plan = self.plan("mcp-waypoint", Kind::Waypoint);
        plan.start(filter, edit).await
    }

    /// The ingress gateway in front of this sidecar.
    pub(super) async fn ingress(&self, sidecar: &Proxy) -> Proxy {
        self.ingress_with(sidecar, the_filter(), |_| {}).await
    }

    pub(super) async fn ingress_with(
        &self,
        sidecar: &Proxy,
        filter: Discovery,
        edit: impl FnOnce(&mut Value),
    ) -> Proxy {
        let name = sidecar.istiod.workload.spiffe_id();
        let plan = Plan {
            server: self.users.server(),
            clients: &self.users,
            upstream: Upstream::Proxy(sidecar.envoy.address(), name),
            ..self.plan("mcp-ingress", Kind::Ingress)
        };
        plan.start(filter, edit).await
    }

    /// The SPIFFE ID of the ingress gateway.
    pub(super) fn ingress_id(&self) -> String {
        self.manifests.workload("mcp-ingress").spiffe_id()
    }

    /// A user in front of the ingress gateway.
    pub(super) fn user(&self, ingress: &Proxy, common_name: &str) -> Client {
        self.user_with(ingress, &self.users.client(common_name))
    }

    pub(super) fn user_with(&self, ingress: &Proxy, credentials: &Credentials) -> Client {
        let client = Client::new(ingress.envoy.address(), self.users.certificate());
        client.presenting(credentials)
    }

    /// A workload of the mesh in front of a proxy of the mesh.
    pub(super) fn caller(&self, proxy: &Proxy, spiffe_id: &str) -> Client {
        self.caller_with(proxy, &self.workload(spiffe_id))
    }

    pub(super) fn caller_with(&self, proxy: &Proxy, credentials: &Credentials) -> Client {
        let client = Client::new(proxy.envoy.address(), self.authority.certificate());
        client.presenting(credentials)
    }
}
