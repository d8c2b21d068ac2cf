//! `mtls-identity check`.

use crate::desk::Desk;

#[test]
fn a_configuration_that_loads_is_summed_up_in_one_line() {
    let desk = Desk::new();
    let pin = format!("sha256:{}", "0a".repeat(32));
    for (text, summary) in [
        ("{}".to_owned(), "ok: every user may do everything\n"),
        (
            format!(
                r#"{{"pins": {{"alice": ["{pin}"]}}, "rate_limit": {{"default": {{"rate": "5/s"}}}},
                "authorization": {{"rules": [{{"name": "a", "action": "allow"}}]}}}}"#
            ),
            "ok: 1 user pinned, 1 rule (default deny), limit 5/s\n",
        ),
        (
            r#"{"revoked": [{"issuer": "CN=a,O=b", "serial": "0x1"}], "observe": ["pins"]}"#
                .to_owned(),
            "ok: 1 serial number revoked, some checks only observed\n",
        ),
    ] {
        let ran = desk.run_with(&["check", "-"], &text);
        assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{text}");
        assert_eq!(ran.output, summary);
    }
}

#[test]
fn every_error_is_a_line_with_file_line_and_path() {
    let desk = Desk::new();
    desk.write(
        "a.json",
        "{\n \"audit\": {\"log\": \"no\"},\n \"pins\": {\"a\": [\n  \"x\"]},\n \"pin\": 1\n}",
    );
    let ran = desk.run(&["check", "a.json"]);
    assert_eq!((ran.code, ran.output.as_str()), (1, ""));
    let lines: Vec<_> = ran.errors.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, (start, words)) in lines.iter().zip([
        ("a.json:2:", ": audit.log: found \"no\", expected one of"),
        ("a.json:4:", ": pins.a[0]: found \"x\", expected"),
        (
            "a.json:5:",
            ": pin: found the unknown key \"pin\": did you mean \"pins\"?",
        ),
    ]) {
        assert!(line.starts_with(start) && line.contains(words), "{line}");
    }
}

/// A manifest in whose second document, in the eighth line, a value is wrong.
const MANIFESTS: &str = "apiVersion: v1
kind: Namespace
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
spec:
  pluginConfig:
    audit: {log: VALUE}
---
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
spec:
  wasm:
    pluginConfig:
      identity: {missing: strip}
";

/// A part of an Envoy configuration in whose tenth line a value is wrong.
const ENVOY: &str = "static_resources:
  listeners:
  - typed_config:
      config:
        root_id: mtls_identity
        vm_config: {runtime: envoy.wasm.runtime.v8}
        configuration:
          \"@type\": type.googleapis.com/google.protobuf.StringValue
          value: |
            {\"audit\": {\"log\": \"VALUE\"}}
  - typed_config:
      config: {root_id: other, vm_config: {}, configuration: {value: none of ours}}
";

#[test]
fn configurations_are_found_in_manifests_and_in_envoys_files() {
    let desk = Desk::new();
    for (text, count, line) in [
        (MANIFESTS, 2, 8),
        (ENVOY, 1, 10),
        ("# mine\naudit:\n  log: VALUE\n", 1, 3),
        ("{\"audit\":\n{\"log\": \"VALUE\"}}", 1, 2),
    ] {
        let good = desk.run_with(&["check", "-"], &text.replace("VALUE", "all"));
        assert_eq!((good.code, good.errors.as_str()), (0, ""), "{text}");
        assert_eq!(good.output.matches("ok: ").count(), count, "{text}");
        let bad = desk.run_with(&["check", "-"], &text.replace("VALUE", "some"));
        assert_eq!(bad.code, 1, "{text}");
        let start = format!("standard input:{line}:");
        assert!(bad.errors.starts_with(&start), "{}", bad.errors);
        assert!(
            bad.errors.contains(": audit.log: found \"some\""),
            "{}",
            bad.errors
        );
        assert_eq!(bad.errors.lines().count(), 1, "{}", bad.errors);
    }
}

/// An overlay may have plugins of others beside this one; what they are told is not for the filter to judge.
#[test]
fn a_plugin_that_names_another_module_is_not_checked() {
    let other = |spec: &str| {
        format!("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec:\n{spec}---\n")
    };
    let theirs = other("  url: oci://registry.example.com/waf:1\n  pluginConfig: {rules: []}\n");
    let wasm =
        "  wasm:\n    url: oci://registry.example.com/waf:1\n    pluginConfig: {rules: []}\n";
    let ours =
        "  url: oci://registry.example.com/mtls-identity:0.2.0\n  pluginConfig: {rules: []}\n";
    let desk = Desk::new();
    for text in [theirs.clone(), other(wasm)] {
        let ran = desk.run_with(
            &["check", "-"],
            &format!("{text}{MANIFESTS}").replace("VALUE", "all"),
        );
        assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{text}");
        assert_eq!(ran.output.matches("ok: ").count(), 2, "{text}");
    }
    let alone = desk.run_with(&["check", "-"], &theirs);
    assert_eq!(alone.code, 2);
    assert!(
        alone.errors.contains("no configuration"),
        "{}",
        alone.errors
    );
    assert_eq!(desk.run_with(&["check", "-"], &other(ours)).code, 1);
}

#[test]
fn a_struct_where_envoy_wants_a_string_value_is_an_error() {
    let text = ENVOY
        .replace("StringValue", "Struct")
        .replace("value: |", "value:");
    let ran = Desk::new().run_with(&["check", "-"], &text.replace("VALUE", "all"));
    assert_eq!(ran.code, 1);
    assert!(
        ran.errors.contains("found a google.protobuf.Struct"),
        "{}",
        ran.errors
    );
}

#[test]
fn what_cannot_be_read_or_has_no_configuration_is_no_verdict() {
    let desk = Desk::new();
    desk.write("compose.yaml", "services: {}\n");
    desk.write("bytes", [0xff, 0xfe]);
    desk.write("envoy.json", r#"{"static_resources": {"listeners": []}}"#);
    for arguments in [
        &["check", "missing.json"][..],
        &["check", "compose.yaml"],
        &["check", "envoy.json"],
        &["check", "bytes"],
        &["check", "-", "-"],
        &["check"],
        &["check", "--loose", "a.json"],
    ] {
        let ran = desk.run(arguments);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.errors.is_empty(), "{arguments:?}");
    }
}

#[test]
fn what_loads_and_means_something_else_is_a_warning() {
    let desk = Desk::new();
    let pin = format!("[\"sha256:{}\"]", "0a".repeat(32));
    let pinned = |user: &str, sources: &str| {
        format!(r#"{{"identity": {{"sources": [{sources}]}}, "pins": {{"{user}": {pin}}}}}"#)
    };
    let rules = |rules: &str| format!(r#"{{"authorization": {{"rules": [{rules}]}}}}"#);
    let revoked =
        |serial: &str| format!(r#"{{"revoked": [{{"issuer": "CN=a", "serial": "{serial}"}}]}}"#);
    let all = r#"{"name": "all", "action": "allow"}"#;
    let path = r#"{"name": "path", "action": "allow", "paths": ["/a"]}"#;
    for (text, warning) in [
        (
            pinned("CN=alice,O=Corp", "\"cn\""),
            Some("no certificate gives the user"),
        ),
        (
            pinned("spiffe://a/b", "\"cn\", \"email\""),
            Some("no certificate gives the user"),
        ),
        (pinned("alice", "\"email\", \"dns\", \"cn\""), None),
        (pinned("CN=alice,O=Corp", "\"cn\", \"subject\""), None),
        (
            rules(&format!("{all}, {path}")),
            Some("the rules behind it are never asked"),
        ),
        (rules(&format!("{path}, {all}")), None),
        (
            rules(&path.replace("/a", "/a/*")),
            Some("allows \"/a/\" as well"),
        ),
        (
            rules(&path.replace(
                "\"paths\": [\"/a\"]",
                "\"headers\": {\"Mcp-Name\": [\"a\"]}",
            )),
            Some("the client writes this header"),
        ),
        (
            rules(&all.replace("\"name\"", "\"identities\": [\"CN=a,O=b\"], \"name\"")),
            Some("authorization.rules[0].identities[0]: no certificate gives"),
        ),
        (
            r#"{"headers": {"set": {"Authorization": "user"}}}"#.to_owned(),
            Some("read this header"),
        ),
        (
            r#"{"headers": {"set": {"x-forwarded-for": "user"}}}"#.to_owned(),
            Some("read this header"),
        ),
        (
            r#"{"headers": {"set": {"x-forwarded-client-cert": "user"}}}"#.to_owned(),
            None,
        ),
        (
            revoked("16"),
            Some("revoked[0].serial: \"16\" revokes 16 and 10"),
        ),
        (revoked("0x16"), None),
        (revoked("00:16"), None),
        (revoked("7"), None),
        (
            r#"{"revoked": [{"issuer": "CN=a", "serials": ["0x1", "-20"]}]}"#.to_owned(),
            Some("revoked[0].serials[1]: \"-20\" revokes -20 and -14"),
        ),
        (" \n".to_owned(), Some("the file is empty, which means {}")),
        ("{}".to_owned(), None),
    ] {
        let text = text.as_str();
        let ran = desk.run_with(&["check", "-"], text);
        assert_eq!(ran.code, 0, "{text}: {ran:?}");
        let strict = desk.run_with(&["check", "--strict", "-"], text);
        assert_eq!(
            strict.code,
            i32::from(warning.is_some()),
            "{text}: {strict:?}"
        );
        match warning {
            Some(words) => {
                assert!(ran.errors.contains(": warning: "), "{text}: {}", ran.errors);
                assert!(ran.errors.contains(words), "{text}: {}", ran.errors);
                assert_eq!(ran.errors.lines().count(), 1, "{text}: {}", ran.errors);
            }
            None => assert_eq!(ran.errors, "", "{text}"),
        }
    }
}

/// A rule that denies a tool on `/mcp`.
const NO_DELETE: &str = r#"{"mcp": {"paths": ["/mcp"]}, "authorization": {"default": "allow", "rules": [
    {"name": "no", "action": "deny", "mcp": {"names": ["delete"]}}]}}"#;

#[test]
fn rules_for_tools_that_are_never_asked_are_a_warning() {
    const NO_BODY: &str =
        "mcp.paths: Envoy hands no body over without allow_on_headers_stop_iteration";
    const OTHER_PATHS: &str = "authorization.rules[0]: the default allows, and no message is read";
    let plugin = |field: &str, configuration: &str| {
        format!(
            r#"{{"static_resources": {{"name": "mtls_identity", {field} "vm_config": {{}},
            "configuration": {{"value": {configuration:?}}}}}}}"#
        )
    };
    let field = r#""allow_on_headers_stop_iteration": true,"#;
    let denies = NO_DELETE.to_owned();
    let reads = r#"{"mcp": {"paths": ["/mcp"]}}"#;
    let desk = Desk::new();
    for (text, warnings) in [
        (denies.replace("\"default\": \"allow\",", ""), &[][..]),
        (denies.clone(), &[OTHER_PATHS]),
        (plugin(field, reads), &[]),
        (plugin("", reads), &[NO_BODY]),
        (plugin(&field.replace("true", "false"), reads), &[NO_BODY]),
        (plugin("", "{}"), &[]),
        (plugin("", &denies), &[NO_BODY, OTHER_PATHS]),
        (
            format!(r#"{{"kind": "WasmPlugin", "spec": {{"pluginConfig": {reads}}}}}"#),
            &[NO_BODY],
        ),
    ] {
        let ran = desk.run_with(&["check", "-"], &text);
        let lines: Vec<_> = ran.errors.lines().collect();
        assert_eq!(lines.len(), warnings.len(), "{text}: {lines:?}");
        for (line, warning) in lines.iter().zip(warnings) {
            assert!(line.contains(warning), "{line}");
        }
    }
}
