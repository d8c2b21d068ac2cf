//! `certificate.bound`: `explain --token-thumbprint`, and what `check` says of a plugin that runs too early.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::desk::{Desk, issue};

const BOUND: &str = r#"{"certificate": {"bound": "required", "bound_metadata": "jwt"}}"#;

#[test]
fn explain_compares_the_thumbprint_of_a_token_with_the_certificate() {
    let desk = Desk::new();
    let alice = issue("alice");
    desk.write("alice.crt", &alice.pem);
    desk.write("bound.json", BOUND);
    let own = BASE64URL_NOPAD.encode(&Sha256::digest(&alice.der));
    let other = BASE64URL_NOPAD.encode(&Sha256::digest(b"other"));
    for (thumbprint, code, fact) in [
        (Some(own), 0, "the source cn gives the user \"alice\""),
        (Some(other), 1, "the token is bound to another certificate"),
        // As one of 64 begins.
        (
            Some("-".repeat(43)),
            1,
            "the token's cnf.x5t#S256 is no SHA-256 in base64url",
        ),
        (
            Some(format!("-{}A", "A".repeat(41))),
            1,
            "the token is bound to another certificate",
        ),
        (
            Some("x".to_owned()),
            1,
            "the token's cnf.x5t#S256 is no SHA-256 in base64url",
        ),
        (None, 1, "no verified token has cnf.x5t#S256"),
    ] {
        let mut arguments = vec![
            "explain",
            "--json",
            "--config",
            "bound.json",
            "--cert",
            "alice.crt",
        ];
        arguments.extend(
            thumbprint
                .as_deref()
                .map_or(vec![], |it| vec!["--token-thumbprint", it]),
        );
        let ran = desk.run(&arguments);
        assert_eq!(ran.code, code, "{ran:?}");
        let json: Value = serde_json::from_str(&ran.output).unwrap();
        assert_eq!(json["reason"] == "token_not_bound", code == 1);
        assert!(
            json["because"]
                .to_string()
                .contains(&fact.replace('"', "\\\"")),
            "{}",
            ran.output
        );
    }
}

fn plugin(kind: &str, phase: &str, bound: &str) -> String {
    let wasm = match kind {
        "WasmPlugin" => "",
        _ => "  wasm:\n",
    };
    format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: {kind}\nspec:\n{phase}{wasm}    pluginConfig:\n      \
         certificate:\n        bound: {bound}\n        bound_metadata: payload\n"
    )
}

#[test]
fn in_istios_phase_authn_no_token_has_been_read_yet() {
    let desk = Desk::new();
    for kind in ["WasmPlugin", "TrafficExtension"] {
        let indented = |phase: &str| match kind {
            "WasmPlugin" => format!("    phase: {phase}\n"),
            _ => format!("  phase: {phase}\n"),
        };
        for (phase, bound, code) in [
            (indented("AUTHN"), "required", 1),
            (indented("AUTHN"), "if_present", 1),
            (indented("AUTHN"), "\"off\"", 0),
            (indented("AUTHZ"), "required", 0),
            (String::new(), "required", 0),
        ] {
            let text = plugin(kind, &phase, bound);
            desk.write("plugin.yaml", &text);
            let ran = desk.run(&["check", "plugin.yaml"]);
            assert_eq!(ran.code, code, "{text}\n{ran:?}");
            let says = ran
                .errors
                .contains("certificate.bound: the plugin is in phase AUTHN");
            assert_eq!(says, code == 1, "{ran:?}");
        }
    }
    // Another object's phase is none of this plugin's.
    let text = format!(
        "{}---\nkind: Other\nspec:\n  phase: AUTHN\n",
        plugin("WasmPlugin", "    phase: AUTHZ\n", "required")
    );
    desk.write("plugin.yaml", text);
    assert_eq!(desk.run(&["check", "plugin.yaml"]).code, 0);
}
