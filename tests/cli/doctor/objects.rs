//! Objects of Kubernetes with one hole each: `doctor` gives it a severity, `check` warns of it.

use serde_json::Value;

use super::{report, rules};
use crate::desk::Desk;

/// A filter in an ingress of Istio, with its Pods.
const INGRESS: &str = "
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: mtls-identity, namespace: in}
spec:
  selector: {matchLabels: {istio: in}}
  phase: AUTHN
  url: oci://registry.example.com/mtls-identity:1
  sha256: \"1111111111111111111111111111111111111111111111111111111111111111\"
  pluginConfig: {}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: in, namespace: in}
spec:
  template:
    metadata: {labels: {istio: in, sidecar.istio.io/inject: \"true\"}}
";

/// A filter in Envoy Gateway, with its guard.
pub(super) const ENVOY_GATEWAY: &str = "
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: mtls-identity, namespace: in}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}]
  wasm:
  - name: mtls_identity
    code: {type: Image, image: {url: \"a/mtls-identity:1\", sha256: \"11\"}}
    config: {certificate: {validation: listener}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: route, namespace: app}
spec:
  parentRefs: [{name: mcp, namespace: in}]
  rules: [{backendRefs: [{name: app, port: 80}]}]
";

/// (what is there, what is added, the one finding)
const HOLES: [(&str, &str, &str); 25] = [
    (INGRESS, "", ""),
    (ENVOY_GATEWAY, "", ""),
    (
        INGRESS,
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: in}
spec:
  selector: {istio: in}
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: MUTUAL, insecureSkipVerify: true}}]",
        "error accept_untrusted",
    ),
    (
        INGRESS,
        "apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: in}
spec:
  selector: {istio: in}
  servers: [{port: {number: 443, name: https, protocol: HTTPS}, tls: {mode: SIMPLE}}]",
        "warning certificate_optional",
    ),
    // A Gateway of others: with our label, with a label of the injector, without a selector; and one that is elsewhere.
    (INGRESS, "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: other}\nspec: {selector: {istio: in}}", "error foreign_gateway"),
    (INGRESS, "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: other}\nspec: {selector: {sidecar.istio.io/inject: \"true\"}}", "error foreign_gateway"),
    (INGRESS, "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: other}\nspec: {servers: []}", "error foreign_gateway"),
    (INGRESS, "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: other}\nspec: {selector: {istio: other}}", ""),
    (
        INGRESS,
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: other}
spec: {http: [{route: [{destination: {host: a}, headers: {request: {set: {X_SSL_Client_S_DN_CN: admin}}}}]}]}",
        "error owned_header_written",
    ),
    (
        INGRESS,
        "apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: other}
spec: {http: [{headers: {request: {add: {x-forwarded-client-cert: a}, remove: [x-ssl-client-verify]}}}]}",
        "error owned_header_written",
    ),
    (
        INGRESS,
        "apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: f, namespace: other}
spec: {configPatches: [{applyTo: NETWORK_FILTER, match: {context: WAYPOINT}, patch: {operation: MERGE, value: {}}}]}",
        "error patch_without_effect",
    ),
    (
        INGRESS,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: way, namespace: other}
spec: {gatewayClassName: istio-waypoint}
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: f, namespace: other}
spec:
  targetRefs: [{kind: Gateway, group: gateway.networking.k8s.io, name: way}]
  configPatches: [{applyTo: ROUTE_CONFIGURATION, match: {context: SIDECAR_INBOUND}, patch: {operation: MERGE, value: {}}}]",
        "error patch_without_effect",
    ),
    // Behind the ingress stands a workload without a filter.
    (
        INGRESS,
        "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers, namespace: app}
spec:
  selector: {matchLabels: {app: a}}
  action: ALLOW
  rules: [{from: [{source: {principals: [cluster.local/ns/in/sa/in]}}]}]",
        "warning second_allow",
    ),
    (
        INGRESS,
        "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers, namespace: app}
spec:
  selector: {matchLabels: {app: a}}
  rules: [{from: [{source: {principals: [cluster.local/ns/in/sa/in]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: metrics, namespace: app}
spec: {rules: [{to: [{operation: {paths: [/metrics]}}]}]}",
        "error second_allow",
    ),
    (
        INGRESS,
        "apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers, namespace: app}
spec:
  selector: {matchLabels: {app: a}}
  rules: [{from: [{source: {principals: [cluster.local/ns/in/sa/in]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers-only, namespace: app}
spec:
  selector: {matchLabels: {app: a}}
  action: DENY
  rules: [{from: [{source: {notPrincipals: [cluster.local/ns/in/sa/in]}}]}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: metrics, namespace: app}
spec: {rules: [{to: [{operation: {paths: [/metrics]}}]}]}",
        "",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {tls: {frontend: {default: {validation: {mode: AllowInsecureFallback}}}}}",
        "error accept_untrusted",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {listeners: [{name: https, allowedRoutes: {namespaces: {from: All}}}]}",
        "error shared_gateway",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {allowedListeners: {namespaces: {from: Selector}}, listeners: [{name: https, allowedRoutes: {namespaces: {from: Same}}}]}",
        "error shared_gateway",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: ours, namespace: in}
spec: {mergeGateways: true}",
        "error shared_gateway",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: theirs, namespace: app}
spec: {rules: [{backendRefs: [{name: a, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Authenticated-User, value: a}]}}]}]}]}",
        "error owned_header_written",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: HTTPRouteFilter
metadata: {name: theirs, namespace: app}
spec: {credentialInjection: {header: x-ssl-client-s-dn-cn}}",
        "error owned_header_written",
    ),
    // A policy on our route, on another route, and one that is merged.
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: cors, namespace: app}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}], cors: {}}",
        "error policy_displaced",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {name: lua, namespace: app}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}], lua: []}",
        "error policy_displaced",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: cors, namespace: app}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: another}], cors: {}}",
        "",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {name: cors, namespace: app}
spec: {mergeType: StrategicMerge, targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: route}], cors: {}}",
        "",
    ),
];

#[test]
fn each_hole_between_objects_is_named_and_check_warns_of_it() {
    for (base, added, expected) in HOLES {
        let text = format!("{base}---\n{added}\n");
        let report = report(&text);
        let wanted: &[&str] = if expected.is_empty() {
            &[]
        } else {
            &[expected]
        };
        assert_eq!(rules(&report), wanted, "{added}: {report:#}");
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

/// What `kubectl get … -A -o yaml` prints.
#[test]
fn the_objects_of_a_list_are_examined_as_documents_are() {
    for (base, added, expected) in HOLES {
        let documents = serde_yaml_ng::Deserializer::from_str(base);
        let more = serde_yaml_ng::Deserializer::from_str(added);
        let items: Vec<Value> = documents
            .chain(more)
            .map(|it| serde::Deserialize::deserialize(it).unwrap())
            .filter(|it: &Value| !it.is_null())
            .collect();
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items});
        let report = report(&list.to_string());
        let wanted: &[&str] = if expected.is_empty() {
            &[]
        } else {
            &[expected]
        };
        assert_eq!(rules(&report), wanted, "{report:#}");
    }
}

#[test]
fn a_plugin_that_fails_open_has_no_digest_or_stands_behind_the_guard_is_named() {
    for (from, to, expected) in [
        (
            "phase: AUTHN",
            "failStrategy: FAIL_OPEN\n  phase: AUTHN",
            "error fail_open",
        ),
        ("phase: AUTHN", "phase: STATS", "warning plugin_phase"),
        (
            "pluginConfig: {}",
            "pluginConfig: {certificate: {bound: required, bound_metadata: jwt}}",
            "error jwt_behind",
        ),
        (
            "1111111111111111111111111111111111111111111111111111111111111111",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "warning module_digest",
        ),
        (
            "sha256: \"1111111111111111111111111111111111111111111111111111111111111111\"",
            "imagePullPolicy: Always",
            "warning module_digest",
        ),
        (
            "pluginConfig: {}",
            "pluginConfig: {audit: {log: some}}",
            "error filter_configuration",
        ),
        (
            "pluginConfig: {}",
            "pluginConfig: {identity: {sources: [cn, spiffe], map: [{from: \"spiffe://a/{rest...}\", to: \"{rest...}\"}]}}",
            "warning unmapped_user",
        ),
        (
            "pluginConfig: {}",
            "pluginConfig: {authorization: {default: allow, rules: [{name: a, action: deny, identities: [\"spiffe://*\"]}]}, identity: {sources: [cn, spiffe], map: [{from: \"spiffe://a/ns/{ns}\", to: \"{ns}\"}]}}",
            "",
        ),
    ] {
        let report = report(&INGRESS.replace(from, to));
        let wanted: &[&str] = if expected.is_empty() {
            &[]
        } else {
            &[expected]
        };
        assert_eq!(rules(&report), wanted, "{to}: {report:#}");
    }
}

/// A guard that asks for the mark alone is none when the filter and the early removal are gone.
#[test]
fn a_guard_of_envoy_gateway_asks_envoy_as_well() {
    let policies = |rule: &str| {
        format!(
            "{ENVOY_GATEWAY}---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {{name: c, namespace: in}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}}]
  headers:
    earlyRequestHeaders:
      remove: [x-authenticated-user, x-user-organization, client-cert, client-cert-chain]
      removeOnMatch: [{{type: Prefix, value: x-ssl-client-}}]
  tls: {{clientValidation: {{mode: MODE}}}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: SecurityPolicy
metadata: {{name: guard, namespace: in}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}}]
  authorization:
    defaultAction: Deny
    rules: [{{action: Allow, {rule}}}]
"
        )
    };
    let mark = "principal: {headers: [{name: x-ssl-client-verify, values: [SUCCESS]}]}";
    let both = format!("cel: connection.peer_certificate_valid, {mark}");
    for (rule, mode, expected) in [
        (both.as_str(), "RequireAndVerify", &[][..]),
        (mark, "RequireAndVerify", &["error guard_by_header_alone"]),
        (
            "principal: {clientCIDRs: [10.0.0.0/8]}",
            "RequireAndVerify",
            &["error guard"],
        ),
        (&both, "RequireAny", &["error accept_untrusted"]),
    ] {
        let report = report(&policies(rule).replace("MODE", mode));
        assert_eq!(rules(&report), expected, "{rule}: {report:#}");
    }
    let without = policies(&both)
        .replace("MODE", "VerifyIfGiven")
        .replace("x-ssl-client-}", "x-ssl-client-s-}");
    assert_eq!(rules(&report(&without)), ["error early_removal"]);
}
