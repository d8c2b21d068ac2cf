//! One hole after another in the shipped configuration of Envoy.

use serde_json::{Value, json};

use super::{report, rules, shipped};

type Edit = fn(&mut Value);

fn listener(envoy: &mut Value) -> &mut Value {
    &mut envoy["static_resources"]["listeners"][0]
}

fn chain(envoy: &mut Value) -> &mut Value {
    &mut listener(envoy)["filter_chains"][0]
}

fn tls(envoy: &mut Value) -> &mut Value {
    &mut chain(envoy)["transport_socket"]["typed_config"]
}

fn manager(envoy: &mut Value) -> &mut Value {
    &mut chain(envoy)["filters"][0]["typed_config"]
}

fn filters(envoy: &mut Value) -> &mut Vec<Value> {
    manager(envoy)["http_filters"].as_array_mut().unwrap()
}

fn plugin(envoy: &mut Value) -> &mut Value {
    &mut filters(envoy)[0]["typed_config"]["config"]
}

fn configure(envoy: &mut Value, configuration: &Value) {
    plugin(envoy)["configuration"]["value"] = json!(configuration.to_string());
}

fn remove(object: &mut Value, key: &str) {
    object.as_object_mut().unwrap().remove(key).unwrap();
}

/// A filter that is configured by its type alone.
fn filter(kind: &str) -> Value {
    let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
    json!({"name": "other", "typed_config": {"@type": kind}})
}

/// Each hole in the shipped configuration, and what the doctor calls it.
const HOLES: [(Edit, &str); 23] = [
    (
        |it| {
            tls(it)["common_tls_context"]["validation_context"]["trust_chain_verification"] =
                json!("ACCEPT_UNTRUSTED")
        },
        "error accept_untrusted",
    ),
    (
        |it| {
            tls(it)["common_tls_context"]["validation_context"]["trust_chain_verification"] =
                json!(1)
        },
        "error accept_untrusted",
    ),
    (
        |it| remove(&mut tls(it)["common_tls_context"], "validation_context"),
        "warning no_trusted_ca",
    ),
    (
        |it| tls(it)["require_client_certificate"] = json!(false),
        "warning certificate_optional",
    ),
    (
        |it| remove(chain(it), "transport_socket"),
        "warning plaintext",
    ),
    (
        |it| tls(it)["disable_stateless_session_resumption"] = json!(false),
        "warning session_resumption",
    ),
    (
        |it| remove(tls(it), "disable_stateful_session_resumption"),
        "warning session_resumption",
    ),
    (
        |it| plugin(it)["failure_policy"] = json!("FAIL_OPEN"),
        "error fail_open",
    ),
    (
        |it| {
            plugin(it)["configuration"] = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"audit": {}}})
        },
        "error filter_configuration",
    ),
    (
        |it| configure(it, &json!({"audit": {"log": "some"}})),
        "error filter_configuration",
    ),
    (|it| drop(filters(it).remove(0)), "warning filter_missing"),
    (
        |it| filters(it)[0]["disabled"] = json!(true),
        "warning filter_off",
    ),
    (
        |it| remove(manager(it), "early_header_mutation_extensions"),
        "error early_removal",
    ),
    (|it| drop(filters(it).remove(1)), "error guard"),
    (
        |it| {
            remove(
                &mut manager(it)["route_config"],
                "request_headers_to_remove",
            )
        },
        "error last_word",
    ),
    (
        |it| manager(it)["route_config"]["most_specific_header_mutations_wins"] = json!(true),
        "error last_word",
    ),
    (
        |it| {
            manager(it)["common_http_protocol_options"]["headers_with_underscores_action"] =
                json!("ALLOW")
        },
        "warning underscores_allowed",
    ),
    (
        |it| filters(it).insert(0, filter("ratelimit.v3.RateLimit")),
        "warning rate_limit_in_front",
    ),
    (
        |it| filters(it).insert(1, filter("jwt_authn.v3.JwtAuthentication")),
        "warning jwt_behind",
    ),
    (
        |it| {
            configure(
                it,
                &json!({"certificate": {"bound": "if_present", "bound_metadata": "jwt"}}),
            )
        },
        "error jwt_behind",
    ),
    (
        |it| it["admin"]["address"]["socket_address"]["address"] = json!("0.0.0.0"),
        "error admin_exposed",
    ),
    (
        |it| {
            configure(
                it,
                &json!({"mcp": {"paths": ["/mcp"], "max_body": 2_097_152}}),
            )
        },
        "warning mcp_buffers",
    ),
    (
        |it| {
            configure(
                it,
                &json!({"identity": {"sources": ["spiffe"], "map": [{"from": "spiffe://a/ns/{ns}/sa/{sa}", "to": "{sa}@{ns}.a"}]}}),
            )
        },
        "warning unmapped_user",
    ),
];

#[test]
fn each_hole_is_named_and_nothing_else() {
    assert_eq!(rules(&report(&shipped().to_string())), [""; 0]);
    for (edit, expected) in HOLES {
        let mut envoy = shipped();
        edit(&mut envoy);
        let report = report(&envoy.to_string());
        assert_eq!(rules(&report), [expected], "{report:#}");
    }
}

/// Protobuf reads both `filter_chains` and `filterChains`.
#[test]
fn a_file_in_the_spelling_of_json_is_read_alike() {
    for (edit, expected) in HOLES {
        let mut envoy = shipped();
        edit(&mut envoy);
        let report = report(&in_camel_case(&envoy).to_string());
        assert_eq!(rules(&report), [expected], "{report:#}");
    }
}

fn in_camel_case(value: &Value) -> Value {
    // The keys of maps stay: names of policies, say.
    let is_field = |key: &str| !key.contains(['.', '@', '-']) && key != "passed_mtls_identity";
    match value {
        Value::Object(members) => {
            let camel = members.iter().map(|(key, value)| {
                let key = if is_field(key) {
                    camel(key)
                } else {
                    key.clone()
                };
                (key, in_camel_case(value))
            });
            camel.collect()
        }
        Value::Array(entries) => entries.iter().map(in_camel_case).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn camel(key: &str) -> String {
    let mut parts = key.split('_');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |name, part| {
        name + &part[..1].to_ascii_uppercase() + &part[1..]
    })
}

/// As Envoy shows it, with its version.
fn dump(envoy: &Value, version: Value) -> Value {
    let mut bootstrap = envoy.clone();
    bootstrap["node"]["user_agent_build_version"]["version"] = version;
    json!({"configs": [
        {"@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump", "bootstrap": bootstrap},
        {
            "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
            "static_listeners": [{"listener": envoy["static_resources"]["listeners"][0]}],
        },
    ]})
}

#[test]
fn the_version_in_a_dump_decides_what_envoy_lacks() {
    let version = |minor: u32, patch: u32| match patch {
        0 => json!({"major_number": 1, "minor_number": minor}),
        patch => json!({"major_number": 1, "minor_number": minor, "patch": patch}),
    };
    for (minor, patch, expected) in [
        (40, 0, &[][..]),
        (39, 2, &[]),
        (39, 1, &["CVE-2026-35189"]),
        (38, 5, &["certificate_not_shown"]),
        (
            38,
            3,
            &["certificate_not_shown", "CVE-2026-73548", "CVE-2026-35189"],
        ),
        (38, 2, &["certificate_not_shown", "CVE-2026-47778"]),
        (37, 0, &["certificate_not_shown", "CVE-2026-26308"]),
        (36, 2, &["certificate_not_shown", "CVE-2025-66220"]),
        (
            30,
            0,
            &[
                "certificate_not_shown",
                "CVE-2025-66220",
                "still gets security fixes",
            ],
        ),
    ] {
        let report = report(&dump(&shipped(), version(minor, patch)).to_string());
        let findings = report["findings"].to_string();
        for part in expected {
            assert!(
                findings.contains(part),
                "1.{minor}.{patch}, {part}: {findings}"
            );
        }
        assert_eq!(findings == "[]", expected.is_empty(), "{findings}");
        assert_eq!(report["errors"], 0);
    }
}

#[test]
fn an_upgrade_that_is_no_websocket_is_an_error_on_a_version_that_mixes_them_up() {
    let mut envoy = shipped();
    let upgrades = manager(&mut envoy)["upgrade_configs"]
        .as_array_mut()
        .unwrap();
    upgrades.push(json!({"upgrade_type": "other"}));
    for (patch, expected) in [(0, true), (1, false)] {
        let version = json!({"major_number": 1, "minor_number": 39, "patch": patch});
        let report = report(&dump(&envoy, version).to_string());
        let named = rules(&report).contains(&"error upgrade_smuggling".to_owned());
        assert_eq!(named, expected, "{report:#}");
    }
}

#[test]
fn a_filter_that_reads_bodies_needs_envoy_to_hand_them_over() {
    let mut envoy = shipped();
    configure(
        &mut envoy,
        &json!({"mcp": {"paths": ["/mcp"], "max_body": 32768}}),
    );
    assert_eq!(rules(&report(&envoy.to_string())), [""; 0]);
    remove(plugin(&mut envoy), "allow_on_headers_stop_iteration");
    assert_eq!(
        rules(&report(&envoy.to_string())),
        ["warning mcp_not_handed_over"]
    );
}

#[test]
fn certificates_that_end_are_named_at_the_time_that_is_asked_for() {
    let issued = crate::desk::issue("server");
    let mut envoy = shipped();
    let common = &mut tls(&mut envoy)["common_tls_context"];
    common["tls_certificates"][0]["certificate_chain"] = json!({"inline_string": issued.pem});
    common["validation_context"]["trusted_ca"] = json!({"inline_string": issued.pem});
    let desk = crate::desk::Desk::new();
    // Certificates of the desk are valid from 1975 to 4096.
    for (at, expected) in [
        ("2026-12-01", &[][..]),
        ("4095-12-25", &["ends", "ends"]),
        ("4097-01-01", &["ended", "ended"]),
    ] {
        let arguments = ["doctor", "--json", "--at", at, "-"];
        let ran = desk.run_with(&arguments, &envoy.to_string());
        let report: Value = serde_json::from_str(&ran.output).unwrap();
        let findings = report["findings"].as_array().unwrap();
        assert_eq!(findings.len(), expected.len(), "{at}: {report:#}");
        for (finding, word) in findings.iter().zip(expected) {
            assert_eq!(finding["rule"], "certificate_expires");
            let found = finding["found"].as_str().unwrap();
            assert!(
                found.contains(&format!("the certificate {word} ")),
                "{found}"
            );
        }
    }
}

#[test]
fn the_same_in_every_chain_of_a_listener_is_said_once() {
    let mut envoy = shipped();
    filters(&mut envoy).remove(1);
    let one = chain(&mut envoy).clone();
    let chains = listener(&mut envoy)["filter_chains"]
        .as_array_mut()
        .unwrap();
    chains.extend([one.clone(), one]);
    let report = report(&envoy.to_string());
    assert_eq!(rules(&report), ["error guard"]);
    assert_eq!(report["findings"][0]["more"], 2);
    assert_eq!(report["filters"], 3);
}

#[test]
fn two_configurations_that_revoke_others_need_names_of_their_own() {
    let (nobody, somebody) = (
        json!({}),
        json!({"revoked": [{"issuer": "CN=CA", "serial": "0x0a"}]}),
    );
    let same: Edit = |_| {};
    let root: Edit = |it| plugin(it)["root_id"] = json!("others");
    let name: Edit = |it| plugin(it)["name"] = json!("others");
    let machine: Edit = |it| plugin(it)["vm_config"]["vm_id"] = json!("others");
    for (edit, configuration, count) in [
        (same, &nobody, 0),
        (same, &json!({"revoked": []}), 0),
        (same, &somebody, 1),
        (root, &somebody, 0),
        (name, &somebody, 0),
        (machine, &somebody, 0),
    ] {
        let (mut envoy, mut other) = (shipped(), shipped());
        configure(&mut envoy, &nobody);
        configure(&mut other, configuration);
        edit(&mut other);
        let mut second = listener(&mut other).take();
        second["name"] = json!("second");
        let listeners = &mut envoy["static_resources"]["listeners"];
        listeners.as_array_mut().unwrap().push(second);
        let report = report(&envoy.to_string());
        let expected = vec!["warning plugin_name_shared"; count];
        assert_eq!(rules(&report), expected, "{configuration}: {report:#}");
    }
}
