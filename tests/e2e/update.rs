//! The filter's configuration changes while requests come in: by a listener from a file (LDS), and by the filter
//! from a file (ECDS, `envoy/xds/http_filter.yaml`).

use serde_json::{Value, json};
use tokio::task::LocalSet;

use crate::harness::answer::Answer;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, Connection};
use crate::harness::forged::assert_only_user;
use crate::harness::{Fixture, PATIENCE, Site, Update, eventually};
use crate::load::{Keeping, Load};
use crate::xds::{self, Xds};

const ALICE: &str = "alice@example.com";
const ALTERNATIONS: usize = 10;
/// Allowed by both configurations, by the first, by the second, by none.
const PATHS: [&str; 4] = ["/both", "/first", "/second", "/none"];

/// A whole configuration that allows these two paths.
fn allowing(path: &str) -> Value {
    json!({
        "headers": {"set": {"x-ssl-client-verify": "verify"}},
        "audit": {"log": "none"},
        "authorization": {"rules": [{"name": "some", "action": "allow", "paths": ["/both", path]}]},
    })
}

fn first() -> Value {
    allowing("/first")
}

fn second() -> Value {
    allowing("/second")
}

/// What comes after this many changes, and the path that it allows.
fn alternative(number: usize) -> (Value, &'static str) {
    match number % 2 {
        0 => (second(), "/second"),
        _ => (first(), "/first"),
    }
}

/// Passed to the gateway as Alice, or denied by the filter; anything else fails the test.
fn passes(answer: &Answer) -> bool {
    if answer.status == 200 {
        assert_only_user(&answer.gateway(), ALICE);
        return true;
    }
    answer.assert_denied(403, "not_authorized");
    false
}

fn load(site: &Site) -> Load {
    let client = site.client(ALICE);
    let clients = vec![
        (client.clone(), Keeping::Open),
        (client.clone().http2(), Keeping::Open),
        (client.clone(), Keeping::Closing),
        (client.http2(), Keeping::Closing),
    ];
    Load::of(clients, &PATHS)
}

/// Every answer is the one of the first or of the second configuration, and clients saw both.
async fn check(load: Load) {
    let clients = load.end().await;
    for (path, answer) in clients.iter().flatten() {
        match *path {
            "/both" => assert!(passes(answer), "{answer:?}"),
            "/none" => assert!(!passes(answer), "{answer:?}"),
            _ => {
                passes(answer);
            }
        }
    }
    // The third client comes with a new connection each time.
    for path in ["/first", "/second"] {
        let answers = clients[2].iter().filter(|(asked, _)| *asked == path);
        let (passed, denied): (Vec<_>, Vec<_>) = answers.partition(|(_, answer)| passes(answer));
        assert!(!passed.is_empty() && !denied.is_empty(), "{path}");
    }
}

/// Waits until a new connection is served by the configuration that allows this path.
async fn until_new_connections_pass(client: &Client, path: &str) {
    eventually("the new configuration serves", PATIENCE, async || {
        passes(&client.get(path).await.unwrap()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_changes_under_load_answers_by_the_old_or_the_new_configuration() {
    let changes = async {
        let fixture = Fixture::new().plugin_exactly(first()).concurrency(2);
        let mut site = fixture.start_watched().await;
        let load = load(&site);
        let client = site.client(ALICE);
        for number in 0..ALTERNATIONS {
            let (configuration, path) = alternative(number);
            let edit = |envoy: &mut Bootstrap| envoy.configure_plugin(&configuration.to_string());
            assert_eq!(site.update(edit).await, Update::Accepted);
            until_new_connections_pass(&client, path).await;
            load.goes_on(4).await;
        }
        check(load).await;
    };
    LocalSet::new().run_until(changes).await;
}

#[tokio::test]
async fn a_filter_that_changes_under_load_answers_by_the_old_or_the_new_configuration() {
    let changes = async {
        let xds = Xds::empty();
        let fixture = Fixture::new().plugin_exactly(first()).concurrency(2);
        let site = fixture.edit(xds.filter()).start().await;
        let load = load(&site);
        let client = site.client(ALICE);
        for number in 0..ALTERNATIONS {
            let (configuration, path) = alternative(number);
            xds.configure(&configuration.to_string());
            until_new_connections_pass(&client, path).await;
            load.goes_on(4).await;
        }
        check(load).await;
    };
    LocalSet::new().run_until(changes).await;
}

async fn open_connections(site: &Site) -> [Connection; 2] {
    let client = site.client(ALICE);
    [
        client.connect().await.unwrap(),
        client.http2().connect().await.unwrap(),
    ]
}

#[tokio::test]
async fn an_open_connection_keeps_the_policy_of_its_listener() {
    let mut site = Fixture::new().plugin_exactly(first()).start_watched().await;
    let mut open = open_connections(&site).await;
    for connection in &mut open {
        assert!(passes(&connection.get("/first").await.unwrap()));
    }
    let edit = |envoy: &mut Bootstrap| envoy.configure_plugin(&second().to_string());
    assert_eq!(site.update(edit).await, Update::Accepted);
    until_new_connections_pass(&site.client(ALICE), "/second").await;
    for connection in &mut open {
        assert!(passes(&connection.get("/first").await.unwrap()));
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_on_its_open_connections_where_the_filter_changes() {
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(first());
    let site = fixture.edit(xds.filter()).start().await;
    let credentials = site.authority.client(ALICE);
    let client = site.client_with(&credentials);
    let mut open = [
        client.connect().await.unwrap(),
        client.clone().http2().connect().await.unwrap(),
    ];
    for connection in &mut open {
        assert!(passes(&connection.get("/first").await.unwrap()));
    }
    let mut revoking = first();
    revoking["revoked"] = json!([{"sha256": credentials.sha256()}]);
    xds.configure(&revoking.to_string());
    for connection in &mut open {
        let denied = eventually("the certificate is revoked", PATIENCE, async || {
            let answer = connection.get("/first").await.unwrap();
            (answer.status != 200).then_some(answer)
        });
        denied.await.assert_denied(403, "revoked");
    }
    let other = site.client(ALICE).get("/first").await.unwrap();
    assert!(passes(&other));
}

#[tokio::test]
async fn a_bad_filter_from_a_file_leaves_the_old_one_serving() {
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(first());
    let site = fixture.edit(xds.filter()).start().await;
    let mut open = open_connections(&site).await;
    xds.configure(r#"{"authorisation": {}}"#);
    site.envoy
        .logs("mtls-identity: configuration refused: authorisation")
        .await;
    for connection in &mut open {
        assert!(passes(&connection.get("/first").await.unwrap()));
    }
    assert!(passes(&site.client(ALICE).get("/first").await.unwrap()));
    xds.configure(&second().to_string());
    until_new_connections_pass(&site.client(ALICE), "/second").await;
}

#[tokio::test]
async fn a_bad_filter_from_a_file_at_the_start_lets_nobody_pass() {
    let xds = Xds::empty();
    let fixture = Fixture::new().plugin_exactly(r#"{"authorisation": {}}"#);
    let site = fixture.edit(xds.filter()).start().await;
    let answer = site.client(ALICE).get("/first").await.unwrap();
    assert_eq!(answer.status, 500);
    assert_eq!(site.gateway.received(), []);
}

#[test]
fn the_filter_by_ecds_is_the_filter_of_envoy_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let mut resource = xds::yaml(&xds::shipped("filter.yaml"));
    let mut envoy = Bootstrap::shipped(folder.path());
    let configuration = |plugin: &mut Value| {
        let text = plugin["configuration"]["value"].take();
        serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap()
    };
    let (by_ecds, shipped) = (xds::plugin(&mut resource), envoy.plugin());
    assert_eq!(configuration(by_ecds), configuration(shipped));
    assert_eq!(by_ecds, shipped);
}
