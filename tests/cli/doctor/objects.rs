//! Objects of Kubernetes with one hole each: `doctor` gives it a severity, `check` warns of it.

use super::{Hole, assert_named, report, rules};

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

const HOLES: [Hole; 14] = [
    (INGRESS, "", ""),
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
];

#[test]
fn each_hole_between_objects_is_named_and_check_warns_of_it() {
    assert_named(&HOLES);
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
