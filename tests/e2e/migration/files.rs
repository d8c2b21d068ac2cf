//! What the files of the phases say, and when there is no configuration to print.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::rendered;
use crate::harness::artifacts::{output, repository};
use crate::harness::bootstrap::Bootstrap;

fn filter_configuration(phase: u8) -> Value {
    let mut bootstrap = Bootstrap::of(&rendered(phase), repository());
    let text = bootstrap.plugin()["configuration"]["value"].clone();
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

#[test]
fn phase_3_observes_exactly_what_phase_4_enforces() {
    let (mut observed, enforced) = (filter_configuration(3), filter_configuration(4));
    let relaxed = observed.as_object_mut().unwrap();
    assert_eq!(
        relaxed.remove("observe"),
        Some(json!(["pins", "authorization", "rate_limit"]))
    );
    assert_eq!(
        relaxed.remove("identity"),
        Some(json!({"missing": "strip"}))
    );
    assert_eq!(observed, enforced);
}

#[test]
fn every_phase_says_how_the_gateway_is_set() {
    let script = repository().join("envoy/migration/render.py");
    for (phase, authentication, trust) in [
        ("1", "true", "false"),
        ("2", "false", "true"),
        ("3", "false", "true"),
        ("4", "false", "true"),
    ] {
        let printed = output(Command::new(&script).args([phase, "--gateway"]));
        assert!(printed.contains(&format!("MCP_CLIENT_AUTH_ENABLED={authentication}\n")));
        assert!(printed.contains(&format!("TRUST_PROXY_AUTH={trust}\n")));
    }
}

#[test]
fn an_envoy_yaml_whose_places_are_not_clear_gives_no_configuration() {
    let shipped = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
    let line = "require_client_certificate: true";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("envoy.yaml");
    for changed in [shipped.replace(line, ""), format!("{shipped}\n{line}\n")] {
        fs::write(&path, changed).unwrap();
        let mut render = Command::new(repository().join("envoy/migration/render.py"));
        let output = render.arg("2").arg(&path).output().unwrap();
        assert!(!output.status.success());
        assert_eq!(output.stdout, b"");
    }
}
