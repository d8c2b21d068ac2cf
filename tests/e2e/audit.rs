//! Every decision leaves a record: complete and true, in Envoy's log and in its access log.

use serde_json::{Value, json};

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::{Fixture, PATIENCE, eventually};
use crate::seen::ask;

pub(crate) mod cases;

use cases::{cases, everything, open_door};

#[tokio::test]
async fn allow_and_every_denial_leave_a_complete_and_true_record_in_both_logs() {
    let site = Fixture::new()
        .plugin(everything())
        .edit(open_door)
        .start()
        .await;
    let cases = cases(&site.authority);
    let mut expected = Vec::new();
    for case in &cases {
        let (from, status) = ask(&case.client(&site), &case.request).await;
        assert_eq!(status, case.status, "{}", case.record);
        let mut record = case.record.clone();
        record["client"] = json!(from.to_string());
        expected.push(record);
    }
    let logged = site.access_log(cases.len()).await;
    assert_eq!(logged.len(), cases.len());
    for (logged, expected) in logged.iter().zip(&mut expected) {
        let line = &logged.line;
        expected["request_id"] = line["request_id"].clone();
        assert!(line["request_id"].as_str().is_some_and(|id| id.len() == 36));
        assert_eq!(logged.record, *expected, "in the access log");
        assert_eq!(line["path"], expected["path"]);
        assert_eq!(line["method"], expected["method"]);
        assert!(!line.to_string().contains("token=secret"), "{line}");
    }
    // Envoy's log is cut to a few lines a second; the records it has are the same.
    let records = site.envoy.filter_lines();
    assert!(records.len() >= 5, "{records:?}");
    for record in records {
        let is_it = record["decision"] == "suppressed" || expected.contains(&record);
        assert!(is_it, "{record} is none of {expected:#?}");
    }
    for received in site.gateway.received() {
        let id = received.values("x-request-id")[0];
        assert!(expected.iter().any(|record| record["request_id"] == id));
    }
}

#[tokio::test]
async fn what_is_only_observed_is_in_the_record() {
    let site = Fixture::new()
        .plugin(everything())
        .plugin(json!({"observe": ["pins", "authorization"]}))
        .start()
        .await;
    let answer = site.client("admin@example.com").get("/observed").await;
    assert_eq!(answer.unwrap().status, 200);
    let logged = &site.access_log(1).await[0];
    let record = &logged.record;
    assert_eq!(record["decision"], "allow");
    assert_eq!(record["reason"], Value::Null);
    assert_eq!(
        record["observed"],
        json!(["pin_required", "not_authorized"])
    );
    assert_eq!(record["rule"], "no-secrets");
    assert_eq!(&site.log_records(1).await[0], record);
}

#[tokio::test]
async fn the_details_of_the_response_name_the_reason() {
    let site = Fixture::new()
        .plugin(json!({"pin_required": ["alice@example.com"]}))
        .start()
        .await;
    let alice = site.client("alice@example.com");
    assert_eq!(alice.get("/").await.unwrap().status, 403);
    let logged = &site.access_log(1).await[0];
    assert_eq!(logged.line["details"], "mtls_identity.pin_required");
}

#[tokio::test]
async fn a_request_that_the_filter_did_not_see_has_a_line_without_a_record() {
    let site = Fixture::new().without_filter().start().await;
    let alice = site.client("alice@example.com");
    assert_eq!(alice.get("/").await.unwrap().status, 403);
    let logged = &site.access_log(1).await[0];
    assert_eq!(logged.line["mtls_identity"], Value::Null);
    let details = logged.line["details"].as_str().unwrap();
    assert!(details.starts_with("rbac_access_denied"), "{details}");
}

#[tokio::test]
async fn a_refused_handshake_is_in_the_access_log_with_what_the_client_claimed() {
    let site = Fixture::new().start().await;
    let stranger = Authority::new().client("admin@example.com");
    assert!(site.client_with(&stranger).get("/").await.is_err());
    let line = eventually("the handshake in the access log", PATIENCE, async || {
        site.envoy.access_log().pop()
    })
    .await;
    assert_eq!(line["claimed_subject"], "CN=admin@example.com");
    assert_eq!(line["claimed_fingerprint"], stranger.sha256());
    let failure = line["failure"].as_str().unwrap();
    assert!(failure.contains("CERTIFICATE_VERIFY_FAILED"), "{failure}");
    // A connection without a failure is not worth a line of its own.
    assert_eq!(site.client("alice").get("/").await.unwrap().status, 200);
    let logged = site.access_log(1).await;
    assert_eq!(logged.len(), 1);
    assert_eq!(site.envoy.access_log().len(), 2);
}

#[tokio::test]
async fn records_go_where_the_configuration_says_and_nowhere_else() {
    for (log, access_log, in_log) in [
        ("none", false, &[] as &[&str]),
        ("denials", true, &["deny"]),
        ("all", false, &["allow", "deny"]),
    ] {
        let site = Fixture::new()
            .plugin(json!({"audit": {"log": log, "access_log": access_log}}))
            .edit(Bootstrap::certificate_optional)
            .start()
            .await;
        assert_eq!(site.client("alice").get("/").await.unwrap().status, 200);
        let nobody = site.client_without_certificate().get("/").await.unwrap();
        nobody.assert_denied(403, "no_certificate");
        for logged in site.access_log(2).await {
            assert_eq!(logged.record.is_object(), access_log, "{}", logged.line);
        }
        let lines = site.envoy.filter_lines();
        let decisions: Vec<_> = lines.iter().map(|line| &line["decision"]).collect();
        assert_eq!(decisions, in_log);
    }
}
