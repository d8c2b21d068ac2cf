//! What is shipped has no hole.

use std::fs;
use std::process::Command;

use crate::doctor::Diagnosis;
use crate::harness::Fixture;
use crate::harness::artifacts::{output, repository};

#[tokio::test]
async fn the_shipped_envoy_is_clean_on_every_version() {
    for version in ["1.36.2", "1.37.0", "1.38.2", "1.39.3", "1.40.0"] {
        let site = Fixture::new().on(version).start().await;
        let diagnosis = Diagnosis::of(&site.envoy).await;
        diagnosis.assert_clean(version);
        let expected: &[&str] = match version {
            "1.39.3" | "1.40.0" => &[],
            _ => &["old_envoy"],
        };
        assert_eq!(diagnosis.warnings(), expected, "{version}");
    }
}

#[tokio::test]
async fn an_envoy_that_does_not_show_what_the_filter_asks_for_is_a_warning() {
    for (version, expected) in [("1.38.2", 1), ("1.37.0", 2)] {
        let site = Fixture::new().envoy_version(version).start().await;
        let diagnosis = Diagnosis::of(&site.envoy).await;
        let findings = diagnosis.findings.iter();
        let named = findings.filter(|it| it["rule"] == "certificate_not_shown");
        assert_eq!(named.count(), expected, "{version}");
        assert!(site.client("alice").get("/").await.unwrap().status == 403);
    }
}

#[test]
fn every_shipped_file_is_clean() {
    let files = [
        "envoy/envoy.yaml",
        "envoy/egress.yaml",
        "envoy/plugin-server.yaml",
        "envoy/xds/filter.yaml",
    ];
    for file in files {
        Diagnosis::of_files(&[file]).assert_clean(file);
    }
    let folder = tempfile::tempdir().unwrap();
    for phase in ["1", "2", "3", "4"] {
        let mut render = Command::new(repository().join("envoy/migration/render.py"));
        let path = folder.path().join(phase);
        fs::write(&path, output(render.arg(phase))).unwrap();
        Diagnosis::of_files(&[path.to_str().unwrap()]).assert_clean(phase);
    }
}

/// The filter comes by ECDS, from a file that is examined with the bootstrap.
#[test]
fn the_filter_in_a_file_of_ecds_is_examined_in_its_listener() {
    let text = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
    let mut bootstrap: serde_json::Value = serde_yaml_ng::from_str(&text).unwrap();
    let read = |name: &str| {
        let text = fs::read_to_string(repository().join(name)).unwrap();
        serde_yaml_ng::from_str::<serde_json::Value>(&text).unwrap()
    };
    let manager =
        &mut bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    manager["typed_config"]["http_filters"][0] = read("envoy/xds/http_filter.yaml");
    let mut filter = read("envoy/xds/filter.yaml");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &serde_json::Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bootstrap = file("bootstrap.json", &bootstrap);
    let files = [bootstrap.as_str(), "envoy/xds/filter.yaml"];
    Diagnosis::of_files(&files).assert_clean("with ECDS");
    filter["resources"][0]["typed_config"]["config"]["failure_policy"] = "FAIL_OPEN".into();
    let broken = file("filter.json", &filter);
    let diagnosis = Diagnosis::of_files(&[&bootstrap, &broken]);
    assert_eq!(diagnosis.errors(), ["fail_open"]);
    assert_eq!(diagnosis.findings[0]["listener"], "mtls");
}
