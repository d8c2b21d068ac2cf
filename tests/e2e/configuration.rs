//! A configuration is right, or it is refused with one line and changes nothing.

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::assert_only_user;
use crate::harness::{Fixture, PATIENCE, Update, eventually};

const ALICE: &str = "alice@example.com";
const REFUSED: &str = "mtls-identity: configuration refused: ";

/// A bad configuration, and what the line that refuses it must have: the path, what was found.
const BAD: [(&str, &[&str]); 19] = [
    ("not json", &["configuration: ", "not JSON"]),
    ("{} {}", &["configuration: ", "more text"]),
    ("[]", &["configuration: ", "expected an object"]),
    ("null", &["configuration: ", "expected an object"]),
    (r#"{"certifcate": {}}"#, &["certifcate"]),
    (
        r#"{"headers": {"users": "x"}}"#,
        &["headers.users: ", "did you mean \"user\""],
    ),
    (r#"{"headers": {}, "headers": {}}"#, &["headers", "twice"]),
    (
        r#"{"headers": {"user": "a", "user": "b"}}"#,
        &["headers", "twice"],
    ),
    (
        r#"{"headers": {"user": "x user"}}"#,
        &["headers.user: ", "x user"],
    ),
    (
        r#"{"headers": {"user": ":path"}}"#,
        &["headers.user: ", "pseudo-header"],
    ),
    (
        r#"{"headers": {"strip": ["x", "Connection"]}}"#,
        &["headers.strip[1]: ", "Connection"],
    ),
    (
        r#"{"headers": {"set": {"x-a": "subjects"}}}"#,
        &["headers.set[\"x-a\"]: ", "subjects"],
    ),
    (
        r#"{"headers": {"set": {"x-a": "subject", "X-A": "issuer"}}}"#,
        &["headers.set", "twice"],
    ),
    (
        r#"{"headers": {"set": {"X_SSL_Client_S_DN_CN": "subject"}}}"#,
        &["headers: ", "headers.user"],
    ),
    (
        r#"{"identity": {"sources": "cn"}}"#,
        &["identity.sources: ", "\"cn\""],
    ),
    (
        r#"{"identity": {"sources": []}}"#,
        &["identity.sources: ", "at least one"],
    ),
    (
        r#"{"identity": {"missing": true}}"#,
        &["identity.missing: ", "true"],
    ),
    (
        r#"{"identity": {"anonymous_paths": ["/a*"]}}"#,
        &["identity.anonymous_paths[0]: ", "/a*"],
    ),
    (
        r#"{"certificate": {"validation": "off"}}"#,
        &["certificate.validation: ", "off"],
    ),
];

/// The last line that says why.
#[track_caller]
fn assert_says(log: &str, parts: &[&str]) {
    let line = log.lines().rfind(|line| line.contains(REFUSED));
    let line = line.unwrap_or_else(|| panic!("nothing of ours in the log:\n{log}"));
    let (_, said) = line.split_once(REFUSED).unwrap();
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said:?}");
    }
}

/// The same JSON, but not as a string.
fn as_struct(envoy: &mut Bootstrap) {
    let shipped = envoy.plugin()["configuration"]["value"].as_str().unwrap();
    let value: serde_json::Value = serde_json::from_str(shipped).unwrap();
    envoy.plugin()["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": value});
}

#[tokio::test]
async fn envoys_validation_accepts_what_is_shipped_and_an_empty_configuration() {
    for fixture in [
        Fixture::new(),
        Fixture::new().plugin_exactly("{}"),
        Fixture::new().plugin_exactly(""),
    ] {
        let verdict = fixture.verdict().await;
        assert!(verdict.accepted, "{}", verdict.log);
    }
}

#[tokio::test]
async fn envoys_validation_refuses_a_bad_configuration_with_our_line() {
    for (text, parts) in [BAD[1], BAD[6], BAD[11]] {
        let verdict = Fixture::new().plugin_exactly(text).verdict().await;
        assert!(!verdict.accepted, "{text}");
        assert_says(&verdict.log, parts);
    }
}

#[tokio::test]
async fn a_bad_configuration_stops_envoy_at_boot_with_our_line() {
    for (text, parts) in [BAD[0], BAD[4], BAD[8]] {
        let log = Fixture::new().plugin_exactly(text).refused_at_boot().await;
        assert_says(&log, parts);
    }
}

#[tokio::test]
async fn a_struct_in_place_of_a_string_is_named_as_such() {
    let parts = ["google.protobuf.Struct", "google.protobuf.StringValue"];
    let verdict = Fixture::new().edit(as_struct).verdict().await;
    assert!(!verdict.accepted);
    assert_says(&verdict.log, &parts);
    let log = Fixture::new().edit(as_struct).refused_at_boot().await;
    assert_says(&log, &parts);
}

#[tokio::test]
async fn a_bad_configuration_stops_an_older_envoy_as_well() {
    let fixture = Fixture::new().envoy_version("1.37.0");
    let log = fixture.plugin_exactly(BAD[4].0).refused_at_boot().await;
    assert_says(&log, BAD[4].1);
}

#[tokio::test]
async fn a_bad_update_leaves_the_old_configuration_serving() {
    let mut site = Fixture::new().concurrency(2).start_watched().await;
    let client = site.client(ALICE);
    let mut open = client.connect().await.unwrap();
    for (text, parts) in BAD {
        let update = site.update(|envoy| envoy.configure_plugin(text)).await;
        assert_eq!(update, Update::Rejected, "{text}");
        assert_says(&site.envoy.log(), parts);
        // The connection that was there, and a new one.
        assert_only_user(&open.get("/").await.unwrap().gateway(), ALICE);
        assert_only_user(&client.get("/").await.unwrap().gateway(), ALICE);
    }
}

#[tokio::test]
async fn a_good_update_after_a_bad_one_takes_effect() {
    let mut site = Fixture::new().start_watched().await;
    let client = site.client(ALICE);
    let bad = site.update(|envoy| envoy.configure_plugin("{")).await;
    assert_eq!(bad, Update::Rejected);
    let wanted = json!({"headers": {
        "user": "x-authenticated-user",
        "set": {"x-ssl-client-verify": "verify"},
    }});
    let good = site
        .update(|envoy| envoy.configure_plugin(&wanted.to_string()))
        .await;
    assert_eq!(good, Update::Accepted);
    let received = eventually("the new configuration serves", PATIENCE, async || {
        let received = client.get("/").await.unwrap().gateway();
        received.user().is_empty().then_some(received)
    });
    assert_eq!(received.await.values("x-authenticated-user"), [ALICE]);
}
