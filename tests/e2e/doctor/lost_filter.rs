//! Holes in the lines around the filter. Each line stands for the day on which Envoy loses the filter, so the attacker meets
//! an Envoy that has lost it.

use serde_json::json;

use crate::doctor::{Diagnosis, assert_errors};
use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::FORGED;
use crate::harness::gateway::{USER, VERIFY};
use crate::harness::{Fixture, Site};
use crate::istio::trap;

const ALICE: &str = "alice@example.com";
const MARKED: [(&str, &str); 2] = [(VERIFY, "SUCCESS"), (USER, FORGED)];

/// The hole, with the filter and without.
struct Hole {
    with: Site,
    without: Site,
}

impl Hole {
    async fn made_by(edit: fn(&mut Bootstrap)) -> Self {
        let without = Fixture::new().without_filter().edit(edit);
        Self {
            with: Fixture::new().edit(edit).start().await,
            without: without.start().await,
        }
    }

    /// While the filter is there, nobody gains anything.
    async fn is_harmless_with_the_filter(&self) {
        let client = self.with.client(ALICE);
        let received = client.get_with("/", &MARKED).await.unwrap().gateway();
        assert_eq!(received.user(), [ALICE]);
    }
}

fn remove_early_removal(envoy: &mut Bootstrap) {
    let hcm = envoy.hcm().as_object_mut().unwrap();
    hcm.remove("early_header_mutation_extensions").unwrap();
}

/// All but this one of the removals of the mark.
fn spoil_early_removal(envoy: &mut Bootstrap) {
    let early = &mut envoy.hcm()["early_header_mutation_extensions"][0]["typed_config"];
    let mutations = early["mutations"].as_array_mut().unwrap();
    for mutation in mutations {
        if mutation.to_string().contains("client[^a-z0-9].*") {
            *mutation = json!({"remove": USER});
        }
    }
}

#[tokio::test]
async fn without_the_early_removal_a_client_that_writes_the_mark_passes_the_guard() {
    for edit in [remove_early_removal, spoil_early_removal] {
        let hole = Hole::made_by(edit).await;
        hole.is_harmless_with_the_filter().await;
        assert_errors(&hole.with, &["early_removal"]).await;
        let client = hole.without.client(ALICE);
        assert_eq!(client.get("/").await.unwrap().status, 403);
        let passed = client.get_with("/", &MARKED).await.unwrap();
        assert_eq!(passed.status, 200);
    }
}

#[tokio::test]
async fn without_early_removal_and_last_word_a_client_is_whoever_it_writes() {
    let hole = Hole::made_by(|envoy| {
        remove_early_removal(envoy);
        envoy.remove_last_word();
    });
    let hole = hole.await;
    assert_errors(&hole.with, &["early_removal", "last_word"]).await;
    let client = hole.without.client(ALICE);
    let received = client.get_with("/", &MARKED).await.unwrap().gateway();
    assert_eq!(received.user(), [FORGED]);
}

fn guard_in_front(envoy: &mut Bootstrap) {
    let filters = envoy.http_filters();
    let is_guard = |filter: &serde_json::Value| filter["name"] == "mtls_identity_guard";
    if let Some(place) = filters.iter().position(is_guard) {
        let guard = filters.remove(place);
        filters.insert(0, guard);
    }
}

fn guard_for_one_path(envoy: &mut Bootstrap) {
    let filters = envoy.http_filters();
    let guard = filters
        .iter_mut()
        .find(|filter| filter["name"] == "mtls_identity_guard");
    let policy = &mut guard.unwrap()["typed_config"]["rules"]["policies"]["passed_mtls_identity"];
    let health = json!({"url_path": {"path": {"exact": "/"}}});
    policy["permissions"].as_array_mut().unwrap().push(health);
}

#[tokio::test]
async fn without_the_guard_everybody_passes_and_no_certificate_is_read() {
    for edit in [
        Bootstrap::remove_guard as fn(&mut Bootstrap),
        guard_for_one_path,
    ] {
        let hole = Hole::made_by(edit).await;
        hole.is_harmless_with_the_filter().await;
        assert_errors(&hole.with, &["guard"]).await;
        let client = hole.without.client("no user at all,");
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
}

/// It sees no mark, so everybody is refused; without the removal it sees the client's.
#[tokio::test]
async fn a_guard_in_front_of_the_filter_is_none() {
    let hole = Hole::made_by(|envoy| {
        guard_in_front(envoy);
        remove_early_removal(envoy);
    });
    let hole = hole.await;
    assert_errors(&hole.with, &["early_removal", "guard"]).await;
    let client = hole.without.client(ALICE);
    assert_eq!(client.get_with("/", &MARKED).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_guard_that_a_route_takes_away_is_missing_on_that_route() {
    let hole = Hole::made_by(|envoy| {
        let per_route = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute";
        let routes = &mut envoy.route_config()["virtual_hosts"][0]["routes"];
        let open = json!({
            "match": {"prefix": "/open"},
            "route": {"cluster": "gateway"},
            "typed_per_filter_config": {"mtls_identity_guard": {"@type": per_route}},
        });
        routes.as_array_mut().unwrap().insert(0, open);
    });
    let hole = hole.await;
    assert_errors(&hole.with, &["guard"]).await;
    let client = hole.without.client(ALICE);
    assert_eq!(client.get("/").await.unwrap().status, 403);
    assert_eq!(client.get("/open").await.unwrap().status, 200);
}

/// With the guard a route without the filter refuses everybody; without it nobody is asked.
#[tokio::test]
async fn a_route_on_which_the_filter_is_disabled_asks_nobody_who_they_are() {
    let disable = |envoy: &mut Bootstrap| {
        let config = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
        envoy.route_config()["typed_per_filter_config"] =
            json!({"mtls_identity": {"@type": config, "disabled": true}});
    };
    let guarded = Fixture::new().edit(disable).start().await;
    assert_eq!(guarded.client(ALICE).get("/").await.unwrap().status, 403);
    let diagnosis = Diagnosis::of(&guarded.envoy).await;
    diagnosis.assert_clean("guarded");
    assert_eq!(diagnosis.warnings(), ["filter_off"]);
    let open = Fixture::new().edit(disable).edit(Bootstrap::remove_guard);
    let open = open.edit(Bootstrap::certificate_optional).start().await;
    let nobody = open.client_without_certificate();
    assert_eq!(nobody.get("/").await.unwrap().status, 200);
    assert_errors(&open, &["guard", "filter_off"]).await;
}

/// A module that crashes on every request stands for the one request on which the filter would.
#[tokio::test]
async fn a_filter_that_fails_open_lets_requests_pass_when_it_fails() {
    for (policy, status) in [("FAIL_OPEN", 200), ("FAIL_RELOAD", 503)] {
        let folder = tempfile::tempdir().unwrap();
        let module = trap::on_requests(&folder);
        let fixture = Fixture::new()
            .edit(move |envoy| envoy.use_wasm(&module))
            .edit(move |envoy| envoy.plugin()["failure_policy"] = json!(policy))
            .edit(Bootstrap::remove_guard)
            .edit(Bootstrap::certificate_optional);
        let site = fixture.start().await;
        let nobody = site.client_without_certificate();
        // The request that crashes it is refused.
        assert_eq!(nobody.get("/").await.unwrap().status, 503, "{policy}");
        assert_eq!(nobody.get("/").await.unwrap().status, status, "{policy}");
    }
    let open = |envoy: &mut Bootstrap| envoy.plugin()["failure_policy"] = json!("FAIL_OPEN");
    assert_errors(&Fixture::new().edit(open).start().await, &["fail_open"]).await;
}

/// Envoy does not start with it, and so has no dump: the file is examined.
#[tokio::test]
async fn a_configuration_that_envoy_does_not_start_with_is_named() {
    let text = r#"{"audit": {"log": "some"}}"#;
    let log = Fixture::new().plugin_exactly(text).refused_at_boot().await;
    assert!(log.contains("configuration refused: audit.log"), "{log}");
    let mut bootstrap = Bootstrap::shipped(repository());
    bootstrap.configure_plugin(text);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.json");
    std::fs::write(&path, bootstrap.value().to_string()).unwrap();
    let diagnosis = Diagnosis::of_files(&[path.to_str().unwrap()]);
    assert_eq!(diagnosis.errors(), ["filter_configuration"]);
    let found = diagnosis.findings[0]["found"].as_str().unwrap();
    assert!(found.contains("audit.log: found \"some\""), "{found}");
}

#[tokio::test]
async fn names_that_a_configuration_adds_are_asked_of_all_three_lines() {
    let plugin = json!({"headers": {"user": "x-user", "set": {"x-team": "organization"}, "strip": ["x-role"]}});
    let site = Fixture::new().plugin(plugin).start().await;
    let diagnosis = Diagnosis::of(&site.envoy).await;
    assert_eq!(diagnosis.errors(), ["early_removal", "last_word"]);
    for finding in &diagnosis.findings {
        let found = finding["found"].as_str().unwrap();
        let cure = finding["cure"].as_str().unwrap();
        for name in ["x-user", "x-team", "x-role"] {
            assert!(found.contains(name) && cure.contains(name), "{finding:#}");
        }
        assert!(!found.contains("x-authenticated-user"), "{finding:#}");
    }
}
