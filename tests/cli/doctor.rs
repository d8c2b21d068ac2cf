//! `mtls-identity doctor`: on files with one hole each.

mod envoy;
mod envoy_gateway;
mod objects;
mod overlay;
mod property;

use serde_json::Value;

use crate::desk::{Desk, Ran};

/// The shipped configuration of Envoy.
fn shipped() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/envoy/envoy.yaml");
    serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What the doctor says of this text.
fn run(text: &str) -> Ran {
    Desk::new().run_with(&["doctor", "--json", "-"], text)
}

/// The report on this text.
fn report(text: &str) -> Value {
    let ran = run(text);
    serde_json::from_str(&ran.output).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// `error rule` or `warning rule` of each finding.
fn rules(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let name = |field: &Value| field.as_str().unwrap().to_owned();
    let mut rules: Vec<_> = findings
        .map(|it| format!("{} {}", name(&it["severity"]), name(&it["rule"])))
        .collect();
    rules.dedup();
    rules
}

/// What is there, what is added, and the one finding: `error rule`, or nothing.
type Hole = (&'static str, &'static str, &'static str);

/// Both documents, and the items of a list as `kubectl get … -A -o yaml` prints it, give this finding; `check` warns of it.
fn assert_named(holes: &[Hole]) {
    for (base, added, expected) in holes {
        let text = format!("{base}---\n{added}\n");
        let wanted: &[&str] = match *expected {
            "" => &[],
            _ => &[expected],
        };
        for text in [&text, &list(&text)] {
            let report = report(text);
            assert_eq!(rules(&report), wanted, "{added}: {report:#}");
        }
        let ran = Desk::new().run_with(&["check", "-"], &text);
        assert_eq!(ran.code, 0, "{added}: {ran:?}");
        assert_eq!(ran.errors.lines().count(), wanted.len(), "{added}: {ran:?}");
        if let Some((_, rule)) = expected.split_once(' ') {
            assert!(ran.errors.contains(": warning: "), "{}", ran.errors);
            assert!(ran.errors.contains(&format!("({rule}, ")), "{}", ran.errors);
            assert!(ran.errors.starts_with("standard input:"), "{}", ran.errors);
        }
        let strict = Desk::new().run_with(&["check", "--strict", "-"], &text);
        assert_eq!(strict.code, i32::from(!expected.is_empty()), "{added}");
    }
}

/// The documents of this text as a list.
fn list(text: &str) -> String {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    let items = documents.map(|it| serde::Deserialize::deserialize(it).unwrap());
    let items: Vec<Value> = items.filter(|it: &Value| !it.is_null()).collect();
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

#[test]
fn a_finding_says_where_it_is_what_an_attacker_gets_and_how_it_is_mended() {
    let text = include_str!("../../envoy/envoy.yaml")
        .replace("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN");
    let desk = Desk::new();
    desk.write("envoy.yaml", &text);
    let ran = desk.run(&["doctor", "envoy.yaml"]);
    assert_eq!((ran.code, ran.errors.as_str()), (1, ""), "{ran:?}");
    let wanted = text
        .lines()
        .position(|line| line.trim() == "config:")
        .unwrap();
    let first = ran.output.lines().next().unwrap();
    // The column is that of the first key in the object.
    assert!(
        first.starts_with(&format!("envoy.yaml:{}:", wanted + 2)),
        "{first}"
    );
    assert!(first.ends_with(": error: fail_open"), "{first}");
    for part in [
        "at       listener mtls, filter chain 0, static_resources.listeners[0]",
        "http_filters[0].typed_config.config",
        "attacker after a request that makes the filter crash",
        "cure     failure_policy: FAIL_RELOAD",
        "1 error, 0 warnings in 1 connection manager with the filter",
        "not seen: the version of Envoy",
    ] {
        assert!(ran.output.contains(part), "{part}: {}", ran.output);
    }
    let json = desk.run(&["doctor", "--json", "envoy.yaml"]);
    let json: Value = serde_json::from_str(&json.output).unwrap();
    assert_eq!(json["errors"], 1);
    let finding = &json["findings"][0];
    assert_eq!(finding["rule"], "fail_open");
    assert_eq!(finding["listener"], "mtls");
    assert!(finding["line"].as_str().unwrap().starts_with("envoy.yaml:"));
}

#[test]
fn what_cannot_be_read_or_has_nothing_to_examine_is_no_verdict() {
    let desk = Desk::new();
    desk.write("compose.yaml", "services: {}\n");
    desk.write("broken.json", "{\"static_resources\":\n {,}}");
    desk.write("broken.yaml", "a: [\nb: c");
    desk.write("bytes", [0xff, 0xfe]);
    for (arguments, words) in [
        (&["doctor", "missing.json"][..], "missing.json: "),
        (
            &["doctor", "compose.yaml"],
            "compose.yaml: found no listener of Envoy",
        ),
        (&["doctor", "broken.json"], "broken.json:2:"),
        (&["doctor", "broken.yaml"], "broken.yaml:"),
        (&["doctor", "bytes"], "this is not UTF-8"),
        (&["doctor", "-", "-"], "given twice"),
        (&["doctor"], "required"),
    ] {
        let ran = desk.run(arguments);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.errors.contains(words), "{arguments:?}: {}", ran.errors);
    }
}

#[test]
fn what_a_dump_does_not_show_is_said() {
    let dump = r#"{"configs": [{
        "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
        "dynamic_listeners": [{"active_state": {"listener": {"name": "in", "filter_chains": [{
            "transport_socket": {"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": true,
                "common_tls_context": {
                    "tls_certificate_sds_secret_configs": [{"name": "own"}],
                    "validation_context_sds_secret_config": {"name": "clients"}
                }
            }},
            "filters": [{"typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "rds": {"route_config_name": "routes"},
                "http_filters": [{"name": "extensions.istio.io/wasmplugin/a.mtls-identity", "config_discovery": {}}]
            }}]
        }]}}}]
    }]}"#;
    let report = report(dump);
    let unseen = report["unseen"].to_string();
    for part in [
        "the secret \\\"own\\\"",
        "the secret \\\"clients\\\"",
        "the route configuration \\\"routes\\\"",
        "the filter \\\"extensions.istio.io/wasmplugin/a.mtls-identity\\\"",
        "the version of Envoy",
    ] {
        assert!(unseen.contains(part), "{part}: {unseen}");
    }
    // What is missing for sure is said all the same; whether the listener trusts somebody is not known.
    assert_eq!(
        rules(&report),
        [
            "error early_removal",
            "error guard",
            "warning underscores_allowed"
        ]
    );
}

/// An ingress of Istio 1.31 in the overlay `gateway`, as its Envoy showed it, cut down to what is examined.
const INGRESS: &str = include_str!("../fixtures/doctor/ingress.json");
/// The overlay `waypoint`, cut down in the same way.
const OBJECTS: &str = include_str!("../fixtures/doctor/objects.json");

#[test]
fn a_dump_and_a_list_of_objects_that_were_real_are_clean() {
    assert_eq!(rules(&report(INGRESS)), [""; 0]);
    assert_eq!(rules(&report(OBJECTS)), ["warning module_digest"]);
}

#[test]
fn what_comes_by_discovery_is_found_where_the_dump_has_it() {
    for (from, to, expected, path) in [
        (
            "FAIL_RELOAD",
            "FAIL_OPEN",
            "error fail_open",
            "ecds_filters[0].ecds_filter.typed_config.config",
        ),
        (
            "x_ssl_client_verify",
            "x_other",
            "error last_word",
            "dynamic_route_configs[0].route_config",
        ),
        (
            "\"prefix\": \"x-ssl-client-\"",
            "\"prefix\": \"x-other-\"",
            "",
            "",
        ),
        ("\"SANITIZE_SET\"", "\"ALWAYS_FORWARD_ONLY\"", "", ""),
        (
            "envoy.extensions.filters.http.rbac.v3.RBAC",
            "envoy.extensions.filters.http.fault.v3.HTTPFault",
            "error guard",
            "dynamic_listeners[0].active_state.listener.filter_chains[0]",
        ),
    ] {
        assert!(INGRESS.contains(from), "{from}");
        let report = report(&INGRESS.replace(from, to));
        let wanted: &[&str] = if expected.is_empty() {
            &[]
        } else {
            &[expected]
        };
        assert_eq!(rules(&report), wanted, "{to}: {report:#}");
        let found = report["findings"][0]["path"].as_str().unwrap_or_default();
        assert!(found.contains(path), "{found}");
    }
}

/// The page has each finding, with its severity, and each advisory.
#[test]
fn the_page_has_every_finding_and_every_advisory() {
    let page = include_str!("../../envoy/DOCTOR.md");
    let rows: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let names = mtls_identity::doctor::Rule::all().map(|rule| format!("| `{rule}` | "));
    let names: Vec<_> = names.collect();
    for name in &names {
        let found = rows.iter().filter(|row| row.starts_with(name.as_str()));
        assert_eq!(found.count(), 1, "{name}");
    }
    assert_eq!(rows.len(), names.len());
    let dump = r#"{"configs": [{"bootstrap": {"node": {"user_agent_build_version": {"version":
        {"major_number": 1, "minor_number": 20}}}}}]}"#;
    let mut old: Value = serde_json::from_str(INGRESS).unwrap();
    old["configs"][0] = serde_json::from_str::<Value>(dump).unwrap()["configs"][0].clone();
    let report = report(&old.to_string());
    let findings = report["findings"].as_array().unwrap();
    let lacking = findings
        .iter()
        .find(|it| it["rule"] == "old_envoy")
        .unwrap();
    let lacking = lacking["found"].as_str().unwrap();
    let advisories: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("| CVE-"))
        .collect();
    for row in &advisories {
        let name = row.split(' ').nth(1).unwrap();
        assert!(lacking.contains(name), "{name}: {lacking}");
    }
    assert_eq!(advisories.len(), lacking.matches("CVE-").count());
}
