//! What a client gets when the filter fails: refused, always.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::mesh::{AGENT, AGENT_USER, Mesh};
use super::policies::deny_all;
use super::proxy::{Discovery, Proxy, configured, the_filter};
use super::release::{OLDEST_AND_NEWEST, RELEASES, Release};
use super::{trap, tunnel};
use crate::harness::client::{Client, get};
use crate::harness::forged::assert_only_user;
use crate::harness::{PATIENCE, eventually};

const RBAC: &str = "RBAC: access denied";
/// Everything that a client could write to get past a filter that is not there.
const FORGED: [(&str, &str); 4] = [
    ("x-ssl-client-s-dn-cn", "admin@example.com"),
    ("x-ssl-client-verify", "SUCCESS"),
    ("x-authenticated-user", "admin@example.com"),
    ("client-cert", ":YWRtaW4=:"),
];

/// The plugin with its module at this path.
fn with_module(proxy: &Proxy, path: &Path) -> Value {
    proxy.istiod.resource(path.to_str().unwrap())
}

fn misconfigured() -> Discovery {
    configured(|configuration| configuration["identity"]["sources"] = json!("cn"))
}

/// Waits until a client gets this status.
async fn answers(client: &Client, status: u16) {
    let what = format!("clients get {status}");
    eventually(&what, PATIENCE, async || {
        let answer = client.get_with("/", &FORGED).await.ok()?;
        (answer.status == status).then_some(())
    })
    .await;
}

/// Waits until Envoy has refused one resource more than before.
async fn is_refused(proxy: &Proxy, resource: &Value) {
    let (_, before) = proxy.discoveries().await;
    proxy.discover(resource);
    eventually("Envoy refuses the resource", PATIENCE, async || {
        (proxy.discoveries().await.1 > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn from_one_failure_to_the_next_nobody_passes_who_should_not() {
    for release in RELEASES {
        let mesh = Mesh::of("sidecar", release).await;
        // The image cannot be had: Istio's agent puts a filter that denies all in its place.
        let sidecar = mesh.sidecar_with(Box::new(|_| deny_all()), |_| {}).await;
        let agent = mesh.caller(&sidecar, AGENT);
        let answer = agent.get_with("/", &FORGED).await.unwrap();
        assert_eq!((answer.status, answer.body), (403, RBAC.into()));
        assert_eq!(mesh.application.received(), []);

        // Then it can.
        let filter = the_filter()(&sidecar.istiod);
        sidecar.discover(&filter);
        answers(&agent, 200).await;

        // A bad configuration, and a module that is not where the agent said: the old one serves on.
        let bad = misconfigured()(&sidecar.istiod);
        is_refused(&sidecar, &bad).await;
        sidecar
            .envoy
            .logs("configuration refused: identity.sources")
            .await;
        let folder = tempfile::tempdir().unwrap();
        is_refused(
            &sidecar,
            &with_module(&sidecar, &folder.path().join("none.wasm")),
        )
        .await;
        let received = agent.get_with("/", &FORGED).await.unwrap().gateway();
        assert_only_user(&received, AGENT_USER);

        // A module that crashes on every request.
        let before = mesh.application.received().len();
        sidecar.discover(&with_module(&sidecar, &trap::on_requests(&folder)));
        answers(&agent, 503).await;
        let seen = mesh.application.received();
        for _ in 0..3 {
            assert_eq!(agent.get_with("/", &FORGED).await.unwrap().status, 503);
        }
        assert_eq!(mesh.application.received(), seen);
        seen[before..]
            .iter()
            .for_each(|received| assert_only_user(received, AGENT_USER));

        sidecar.discover(&filter);
        answers(&agent, 200).await;
    }
}

#[tokio::test]
async fn a_proxy_that_starts_with_a_filter_it_cannot_load_lets_nobody_through_until_it_can() {
    let missing: fn() -> Discovery = || Box::new(|istiod| istiod.resource("/nowhere/plugin.wasm"));
    for release in OLDEST_AND_NEWEST {
        for filter in [missing(), misconfigured()] {
            let mesh = Mesh::of("sidecar", release).await;
            let sidecar = mesh.sidecar_with(filter, |_| {}).await;
            let agent = mesh.caller(&sidecar, AGENT);
            for headers in [&FORGED[..], &[]] {
                let answer = agent.get_with("/", headers).await.unwrap();
                assert_eq!(answer.status, 500, "{release:?}");
            }
            assert_eq!(mesh.application.received(), []);
            let filter = the_filter()(&sidecar.istiod);
            sidecar.discover(&filter);
            answers(&agent, 200).await;
            let received = mesh.application.received();
            received
                .iter()
                .for_each(|received| assert_only_user(received, AGENT_USER));
        }
    }
}

/// The proxy has lost it, the plugin was deleted, or its selector fits no longer.
fn without_filter(bootstrap: &mut Value) {
    let text = bootstrap.to_string();
    let mut removed = 0;
    for listener in bootstrap["static_resources"]["listeners"]
        .as_array_mut()
        .unwrap()
    {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let before = filters.len();
        filters.retain(|filter| filter["config_discovery"].is_null());
        removed += before - filters.len();
    }
    assert_eq!(removed, 1, "{text}");
}

#[tokio::test]
async fn a_proxy_without_the_filter_lets_nobody_through_whatever_they_write() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar_with(the_filter(), without_filter).await;
        let agent = mesh.caller(&sidecar, AGENT);
        for headers in [&FORGED[..], &[]] {
            for client in [agent.clone(), agent.clone().http2()] {
                let answer = client.get_with("/", headers).await.unwrap();
                assert_eq!((answer.status, answer.body), (403, RBAC.into()));
            }
        }
        // Nor does the ingress, whose filter is there and whose headers are worth nothing here.
        let ingress = mesh.ingress(&sidecar).await;
        let alice = mesh.user(&ingress, "alice@example.com");
        assert_eq!(alice.get("/").await.unwrap().status, 403);
        assert_eq!(mesh.application.received(), []);
    }
}

#[tokio::test]
async fn an_ingress_without_the_filter_lets_nobody_through_whatever_they_write() {
    for overlay in ["gateway", "sidecar"] {
        let mesh = Mesh::of(overlay, Release::newest()).await;
        let sidecar = mesh.sidecar().await;
        let ingress = mesh
            .ingress_with(&sidecar, the_filter(), without_filter)
            .await;
        let alice = mesh.user(&ingress, "alice@example.com");
        for headers in [&FORGED[..], &[]] {
            let answer = alice.get_with("/", headers).await.unwrap();
            assert_eq!(
                (answer.status, answer.body),
                (403, RBAC.into()),
                "{overlay}"
            );
        }
        assert_eq!(mesh.application.received(), []);
    }
}

#[tokio::test]
async fn a_waypoint_without_the_filter_lets_nobody_through_whatever_they_write() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("waypoint", release).await;
        let waypoint = mesh.waypoint_with(the_filter(), without_filter).await;
        let agent = mesh.caller(&waypoint, AGENT);
        for headers in [&FORGED[..], &[]] {
            let answer = tunnel::send(&agent, get("/", headers)).await.unwrap();
            assert_eq!((answer.status, answer.body), (403, RBAC.into()));
        }
        assert_eq!(mesh.application.received(), []);
    }
}

/// A module that takes its configuration twice, for Envoy's own check and for its first VM, and then no more.
fn left_out(folder: &TempDir) -> Discovery {
    let module = trap::after_configurations(folder, 2);
    Box::new(move |istiod| istiod.resource(module.to_str().unwrap()))
}

fn without_guard(bootstrap: &mut Value) {
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_array_mut().unwrap();
    filters.retain(|filter| filter["typed_config"]["rules"]["action"] != "DENY");
}

/// Envoy takes a filter whose VM fails on a worker only, leaves it out there and serves on.
#[tokio::test]
async fn a_filter_that_envoy_leaves_out_by_itself_lets_nobody_through() {
    for release in RELEASES {
        let folder = tempfile::tempdir().unwrap();
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar_with(left_out(&folder), |_| {}).await;
        let agent = mesh.caller(&sidecar, AGENT);
        for headers in [&FORGED[..], &[]] {
            let answer = agent.get_with("/", headers).await.unwrap();
            // In the chain it would have crashed, with 503.
            assert_eq!((answer.status, answer.body), (403, RBAC.into()));
        }
        assert_eq!(mesh.application.received(), []);
    }
    // So much for the guard. Without it the request passes, but what the client wrote does not.
    let folder = tempfile::tempdir().unwrap();
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar_with(left_out(&folder), without_guard).await;
    let agent = mesh.caller(&sidecar, AGENT);
    let received = agent.get_with("/", &FORGED).await.unwrap().gateway();
    assert_eq!(received.owned(), []);
}
