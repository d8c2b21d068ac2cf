//! ContextForge with users and tools, and an Envoy in front of it.

use std::net::SocketAddr;

use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::gateway::ContextForge;
use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Credentials;
use crate::harness::client::{Body, full};
use crate::harness::server::Server;
use crate::harness::{Fixture, Site};
use crate::mcp;

/// ContextForge's own administrator.
pub(crate) const ADMIN: &str = "admin@example.com";
/// May call tools.
pub(crate) const ALICE: &str = "alice@example.com";
/// A user without that right.
pub(crate) const BOB: &str = "bob@example.com";

/// All that runs for one test.
pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) gateway: ContextForge,
    tools: Server,
    /// A role with which a user may call tools, as the gateway made it.
    caller: Value,
}

impl World {
    /// With the users and the tools, entered by the administrator through this Envoy.
    pub(crate) async fn start(fixture: Fixture, settings: &[&str]) -> Self {
        // The tools are on this machine, where ContextForge calls nobody unless it is told to.
        let settings = [&["SSRF_ALLOW_LOCALHOST=true"], settings].concat();
        let (gateway, tools) = tokio::join!(ContextForge::start(&settings), mcp::tool_server());
        let site = in_front_of(gateway.address(), fixture).await;
        let mut world = Self {
            site,
            gateway,
            tools,
            caller: Value::Null,
        };
        world.furnish().await;
        world
    }

    async fn furnish(&mut self) {
        self.enter_user(ALICE).await;
        self.enter_user(BOB).await;
        let role = json!({"name": "caller", "description": "May call tools", "scope": "global",
            "permissions": ["tools.read", "tools.execute", "servers.use"]});
        self.caller = self.administer("/v1/rbac/roles", &role).await;
        self.may_call_tools(ALICE).await;
        let url = format!("http://127.0.0.1:{}/mcp", self.tools.address().port());
        let server = json!({"name": "demo", "url": url, "transport": "STREAMABLEHTTP", "visibility": "public"});
        self.administer("/v1/gateways", &server).await;
    }

    /// From now on this user may call tools.
    pub(crate) async fn may_call_tools(&self, user: &str) {
        let role = json!({"role_id": self.caller["id"], "scope": "global"});
        let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
        self.administer(&format!("/v1/rbac/users/{user}/roles"), &role)
            .await;
    }

    pub(crate) async fn enter_user(&self, user: &str) {
        self.administer(USERS, &new_user(user)).await;
    }

    /// What the gateway answers when this user is to be entered.
    pub(crate) async fn try_to_enter_user(&self, user: &str) -> Answer {
        let client = self.site.client(ADMIN);
        client.send(script(USERS, &new_user(user))).await.unwrap()
    }

    /// What the administrator's POST is answered with; it must succeed.
    async fn administer(&self, path: &str, body: &Value) -> Value {
        let answer = self.site.client(ADMIN).send(script(path, body)).await;
        let answer = answer.unwrap();
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:?}");
        answer.json()
    }

    /// What an MCP client with this certificate gets from a tool for 19 and 23.
    pub(crate) async fn call_as(&self, credentials: &Credentials, tool: &str) -> Value {
        let numbers = json!({"a": 19, "b": 23});
        self.call_with(credentials, tool, numbers).await
    }

    pub(crate) async fn call_with(
        &self,
        credentials: &Credentials,
        tool: &str,
        arguments: Value,
    ) -> Value {
        let envoy = self.site.envoy.address();
        let call = (tool, arguments);
        mcp::converse(envoy, "/mcp", &self.site.authority, credentials, call).await
    }
}

const USERS: &str = "/v1/auth/email/admin/users";

fn new_user(user: &str) -> Value {
    json!({"email": user, "full_name": user, "password": "Not-used-1, not-known"})
}

/// A POST of JSON with a header that no page of another site can send: ContextForge asks it for no CSRF token.
pub(crate) fn script(path: &str, body: &Value) -> Request<Body> {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", "Bearer none");
    request.body(full(body.to_string())).unwrap()
}

/// An Envoy in front of what listens there.
pub(crate) async fn in_front_of(gateway: SocketAddr, fixture: Fixture) -> Site {
    let forward = move |envoy: &mut Bootstrap| envoy.forward_to(gateway);
    fixture.edit(forward).start().await
}
