//! The shipped alerts and the dashboard ask for what a real Envoy shows at `/stats/prometheus`, and for nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::cluster_limit::{Place, at_port, pieces};
use crate::harness::forged::FORGED;
use crate::harness::raw::get_bytes;
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::xds::{Crl, Xds};

mod promql;

use promql::{Shown, parse};

const ALICE: &str = "alice@example.com";

/// Every query in the shipped files, with where it stands.
fn shipped_queries() -> Vec<(String, String)> {
    let read = |name| fs::read_to_string(repository().join("envoy/monitoring").join(name)).unwrap();
    let alerts: Value = serde_yaml_ng::from_str(&read("alerts.yaml")).unwrap();
    let groups = alerts["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let alerts = rules.map(|rule| (text(&rule["alert"]), text(&rule["expr"])));
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| (text(&panel["title"]), text(&target["expr"])))
    });
    alerts.chain(targets).collect()
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// An Envoy with all that the shipped files can show: listener, filter and certificates from watched files, and a rate
/// limit service that never answers.
async fn site() -> (Site, Xds, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixture = Fixture::new();
    let authority = fixture.authority();
    let server = authority.server();
    let xds = Xds::with_certificates(&[
        ("server.crt", server.pem()),
        ("server.key", server.key_pem()),
        ("ca.crt", authority.pem()),
    ]);
    let site = fixture
        .plugin(json!({
            "observe": ["pins"],
            "pin_required": [ALICE],
            "authorization": {"default": "allow", "rules": [
                {"name": "no-secrets", "action": "deny", "paths": ["/secret"]},
            ]},
        }))
        .edit(pieces(at_port(silent.local_addr().unwrap()), Place::Behind))
        .edit(unmark_a_path)
        .edit(xds.certificates(Crl::None))
        .edit(xds.filter())
        .start_watched()
        .await;
    (site, xds, silent)
}

/// Something of everything: allowed, denied, observed, forged, refused in the handshake, without the filter's mark.
async fn traffic(site: &Site) {
    let alice = site.client(ALICE);
    for client in [alice.clone(), alice.clone().http2()] {
        assert_eq!(client.get("/").await.unwrap().status, 200);
    }
    let denied = alice.get("/secret").await.unwrap();
    denied.assert_denied(403, "not_authorized");
    let line = format!("X_SSL_Client_S_DN_CN: {FORGED}");
    let underscore = alice.raw(&get_bytes("/", [line])).await.unwrap();
    assert_eq!(underscore.status, 200);
    let stranger = site.client_with(&Authority::new().client(ALICE));
    assert!(stranger.get("/").await.is_err());
    assert!(site.client_without_certificate().get("/").await.is_err());
    // Without the mark, as if the filter were not there.
    let unmarked = alice.get(UNMARKED).await.unwrap();
    assert_eq!(unmarked.status, 403);
}

/// A path on which the guard finds no mark.
const UNMARKED: &str = "/unmarked";

/// Takes the mark of the filter away again on one path.
fn unmark_a_path(envoy: &mut Bootstrap) {
    const MUTATION: &str =
        "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";
    let removal = json!({
        "@type": format!("{MUTATION}PerRoute"),
        "mutations": {"request_mutations": [{"remove": "x-ssl-client-verify"}]},
    });
    let route = json!({
        "match": {"path": UNMARKED},
        "route": {"cluster": "gateway"},
        "typed_per_filter_config": {"unmark": removal},
    });
    let hosts = &mut envoy.route_config()["virtual_hosts"];
    hosts[0]["routes"].as_array_mut().unwrap().insert(0, route);
    let filter = json!({"name": "unmark", "typed_config": {"@type": MUTATION}});
    let filters = envoy.http_filters();
    let guard = filters
        .iter()
        .position(|it| it["name"] == "mtls_identity_guard");
    filters.insert(guard.unwrap(), filter);
}

/// The value of a metric with exactly these labels, as Envoy writes them.
fn value(exposition: &str, series: &str) -> Option<u64> {
    let mut lines = exposition.lines();
    lines.find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[tokio::test]
async fn every_metric_of_the_alerts_and_the_dashboard_is_one_of_envoys() {
    let (site, _xds, _silent) = site().await;
    traffic(&site).await;
    let moved = [
        "mtls_identity_allow{}",
        "mtls_identity_deny{reason=\"not_authorized\"}",
        "mtls_identity_observe{reason=\"pin_required\"}",
        "mtls_identity_certificate_parsed{}",
        "envoy_http_rbac_denied{envoy_rbac_http_prefix=\"mtls_identity_guard\",envoy_http_conn_manager_prefix=\"mtls\"}",
        "envoy_http1_dropped_headers_with_underscores{}",
        "envoy_cluster_ratelimit_failure_mode_allowed{envoy_cluster_name=\"gateway\"}",
    ];
    let exposition = eventually("everything is counted", PATIENCE, async || {
        let exposition = site.envoy.admin("/stats/prometheus").await.unwrap();
        let is_counted = |series| value(&exposition, series) > Some(0);
        moved.into_iter().all(is_counted).then_some(exposition)
    })
    .await;
    let shown = Shown::of(&exposition);
    let queries = shipped_queries();
    assert!(queries.len() > 40, "{}", queries.len());
    for (place, query) in queries {
        let parsed = parse(&query);
        assert!(!parsed.metrics.is_empty(), "{place}: {query}");
        assert_eq!(
            shown.missing(&parsed),
            [] as [String; 0],
            "{place}: {query}"
        );
    }
}

#[tokio::test]
async fn a_query_for_what_envoy_does_not_show_is_found() {
    let site = Fixture::new().start().await;
    let shown = Shown::of(&site.envoy.admin("/stats/prometheus").await.unwrap());
    for (query, expected) in [
        (
            "rate(mtls_identity_deny_no_certificate[5m])",
            "mtls_identity_deny_no_certificate",
        ),
        (
            r#"mtls_identity_deny{reason="no_reason"}"#,
            "mtls_identity_deny{reason=no_reason}",
        ),
        (
            "sum by (user) (mtls_identity_allow)",
            "mtls_identity_allow, label user",
        ),
    ] {
        assert_eq!(shown.missing(&parse(query)), [expected]);
    }
}

/// Envoy takes forged headers away before the filter sees them, and leaves it a sign.
#[tokio::test]
async fn a_forged_header_is_counted_though_envoy_takes_it_away_first() {
    let site = Fixture::new().start().await;
    let forged = [("x-ssl-client-s-dn-cn", FORGED)];
    let answer = site.client(ALICE).get_with("/", &forged).await.unwrap();
    assert_eq!(answer.status, 200);
    eventually("it is counted", PATIENCE, async || {
        (site.envoy.counter("stripped").await == 1).then_some(())
    })
    .await;
}

#[test]
fn the_dashboard_can_be_imported_as_it_is() {
    let path = repository().join("envoy/monitoring/dashboard.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(dashboard["title"].is_string() && dashboard["uid"].is_string());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let variables: Vec<_> = variables.iter().map(|it| text(&it["name"])).collect();
    assert_eq!(variables, ["datasource", "instance"]);
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
    }
}

#[test]
fn every_alert_says_how_urgent_it_is_and_what_happened() {
    let path = repository().join("envoy/monitoring/alerts.yaml");
    let alerts: Value = serde_yaml_ng::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    for rule in rules {
        let severity = text(&rule["labels"]["severity"]);
        assert!(["page", "ticket"].contains(&severity.as_str()), "{rule}");
        assert!(rule["annotations"]["summary"].is_string(), "{rule}");
        assert!(rule["annotations"]["description"].is_string(), "{rule}");
    }
}
