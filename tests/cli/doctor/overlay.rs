//! The overlays of `istio/`, rendered, and with one line taken out; a Gateway beside a policy.

use serde_json::Value;

use super::envoy_gateway::ENVOY_GATEWAY;
use super::{report, rules};
use crate::desk::Desk;
use crate::manifests::{Manifests, OVERLAYS};

fn text(objects: &[Value]) -> String {
    serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// As an operator has it who has pushed the image.
fn with_digest(overlay: &'static str) -> Vec<Value> {
    let mut objects = Manifests::of(overlay).all().to_vec();
    for object in &mut objects {
        for place in ["/spec/sha256", "/spec/wasm/sha256"] {
            if let Some(digest) = object.pointer_mut(place) {
                *digest = "1".repeat(64).into();
            }
        }
    }
    objects
}

#[test]
fn every_overlay_is_clean_and_check_has_nothing_to_warn_of() {
    for overlay in OVERLAYS {
        let shipped = report(&text(Manifests::of(overlay).all()));
        assert_eq!(rules(&shipped), ["warning module_digest"], "{overlay}");
        let objects = text(&with_digest(overlay));
        assert_eq!(rules(&report(&objects)), [""; 0], "{overlay}");
        let ran = Desk::new().run_with(&["check", "--strict", "-"], &objects);
        assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{overlay}");
    }
}

#[test]
fn a_line_that_is_taken_out_of_an_overlay_is_missed() {
    for overlay in OVERLAYS {
        for (kind, name, rule) in [
            ("EnvoyFilter", "identity-headers", "error early_removal"),
            ("AuthorizationPolicy", "mtls-identity-guard", "error guard"),
            ("EnvoyFilter", "last-word", "error last_word"),
        ] {
            let mut objects = with_digest(overlay);
            objects.retain(|object| {
                object["kind"] != kind
                    || object["metadata"]["name"] != name
                    || object["metadata"]["namespace"] != "mcp-ingress"
            });
            let named = rules(&report(&text(&objects)));
            assert_eq!(named, [rule], "{overlay} without {name}");
        }
    }
}

/// The filter as an EnvoyFilter, which has the rules for tools.
#[test]
fn a_filter_that_an_envoy_filter_brings_is_examined_as_a_plugin_is() {
    let shipped = Manifests::with("gateway", &["mcp"]).all().to_vec();
    let named = rules(&report(&text(&shipped)));
    assert_eq!(named, ["warning module_digest"]);
    let mut open = text(&shipped).replace("FAIL_RELOAD", "FAIL_OPEN");
    open = open.replace(&"0".repeat(64), &"1".repeat(64));
    assert_eq!(rules(&report(&open)), ["error fail_open"]);
    let mut bare = shipped.clone();
    bare.retain(|object| object["metadata"]["name"] != "last-word");
    assert_eq!(
        rules(&report(&text(&bare))),
        ["error last_word", "warning module_digest"]
    );
}

/// The waypoint's removal does nothing in the context that its definition has a name for.
#[test]
fn a_patch_for_the_context_waypoint_is_no_line() {
    let mut objects = with_digest("waypoint");
    for object in &mut objects {
        let is_waypoints = object["metadata"]["namespace"] == "mcp-system";
        if object["kind"] == "EnvoyFilter" && is_waypoints {
            object["spec"]["configPatches"][0]["match"]["context"] = "WAYPOINT".into();
        }
    }
    let named = rules(&report(&text(&objects)));
    assert_eq!(
        named,
        [
            "error patch_without_effect",
            "error early_removal",
            "error last_word"
        ]
    );
}

/// Row 4: without the rule, everybody is the ingress where the trust domain was forgotten.
#[test]
fn a_plugin_without_the_rule_for_raw_spiffe_ids_is_a_warning() {
    for overlay in ["sidecar", "traffic-extension/waypoint"] {
        let mut objects = with_digest(overlay);
        for object in &mut objects {
            for place in ["/spec/pluginConfig", "/spec/wasm/pluginConfig"] {
                if object["metadata"]["namespace"] == "mcp-system"
                    && let Some(config) = object.pointer_mut(place)
                {
                    config.as_object_mut().unwrap().remove("authorization");
                }
            }
        }
        let text = text(&objects);
        assert_eq!(
            rules(&report(&text)),
            ["warning unmapped_user"],
            "{overlay}"
        );
        let ran = Desk::new().run_with(&["check", "-"], &text);
        assert!(ran.errors.contains("(unmapped_user, "), "{}", ran.errors);
    }
}

#[test]
fn a_gateway_that_says_again_who_gets_through_tls_is_named() {
    let gateway = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {tls: {frontend: {default: {validation: {mode: AllowValidOnly}}}}}";
    let policy = "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {name: mcp, namespace: in}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}], tls: {clientValidation: {caCertificateRefs: []}}}";
    let named = |text: &str| {
        let report = report(text);
        rules(&report).contains(&"error frontend_beside_policy".to_owned())
    };
    assert!(named(&format!(
        "{ENVOY_GATEWAY}---\n{gateway}\n---\n{policy}\n"
    )));
    assert!(!named(&format!("{ENVOY_GATEWAY}---\n{gateway}\n")));
    assert!(!named(&format!("{ENVOY_GATEWAY}---\n{policy}\n")));
}
