//! Objects of Envoy Gateway with one hole each.

use super::{Hole, assert_named, report, rules};

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

const HOLES: [Hole; 17] = [
    (ENVOY_GATEWAY, "", ""),
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
    // A header name with an underscore, on our Gateway and on another one.
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: {name: c, namespace: other}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}], headers: {withUnderscoresAction: Allow}}",
        "",
    ),
    // A port has another validation than the default.
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {tls: {frontend: {default: {validation: {}}, perPort: [{port: 8443, tls: {validation: {mode: AllowInsecureFallback}}}]}}}",
        "error accept_untrusted",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {tls: {frontend: {default: {validation: {}}, perPort: [{port: 8443, tls: {}}]}}}",
        "warning certificate_optional",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {tls: {frontend: {default: {validation: {}}, perPort: [{port: 8443, tls: {validation: {mode: AllowValidOnly}}}]}}}",
        "",
    ),
    // The EnvoyProxy of another Gateway, and the one of ours.
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {infrastructure: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: ours}}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: theirs, namespace: in}
spec: {mergeGateways: true, filterOrder: [{name: envoy.filters.http.rbac, before: envoy.filters.http.wasm}]}",
        "",
    ),
    (
        ENVOY_GATEWAY,
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: mcp, namespace: in}
spec: {gatewayClassName: eg}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec: {parametersRef: {group: gateway.envoyproxy.io, kind: EnvoyProxy, name: ours, namespace: system}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {name: ours, namespace: system}
spec: {filterOrder: [{name: envoy.filters.http.rbac, before: envoy.filters.http.wasm}]}",
        "error guard",
    ),
];

#[test]
fn each_hole_between_objects_of_envoy_gateway_is_named_and_check_warns_of_it() {
    assert_named(&HOLES);
}

/// `filterOrder` of Envoy Gateway: a move at a time, and one whose filters a listener does not have is passed over.
#[test]
fn an_order_in_which_the_guard_can_stand_in_front_of_the_filter_is_named() {
    let proxy = |moves: &[(&str, &str, &str)]| {
        let filter = |name: &str| format!("envoy.filters.http.{name}");
        let moves = moves.iter().map(|(name, place, other)| {
            format!("{{name: {}, {place}: {}}}", filter(name), filter(other))
        });
        let moves: Vec<_> = moves.collect();
        format!(
            "---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyProxy
metadata: {{name: ours, namespace: in}}
spec: {{filterOrder: [{}]}}
",
            moves.join(", ")
        )
    };
    let bound = ENVOY_GATEWAY.replace(
        "validation: listener",
        "validation: listener, bound: required, bound_metadata: jwt",
    );
    for (moves, expected) in [
        (&[][..], &[][..]),
        (&[("rbac", "before", "wasm")], &["error guard"]),
        (&[("rbac", "before", "ext_proc")], &["error guard"]),
        (&[("wasm", "after", "rbac")], &["error guard"]),
        (&[("rbac", "after", "cors")], &["error guard"]),
        (&[("rbac", "after", "wasm")], &[]),
        (&[("wasm", "before", "cors")], &[]),
        // A later move undoes an earlier one; here only where the listener has a CORS filter.
        (
            &[("rbac", "before", "wasm"), ("wasm", "before", "rbac")],
            &[],
        ),
        (
            &[("rbac", "before", "wasm"), ("wasm", "before", "cors")],
            &["error guard"],
        ),
        // Nothing moves: by its own name, without a place, with a name that Envoy Gateway does not know.
        (&[("wasm", "after", "wasm")], &[]),
        (&[("wasm", "beside", "rbac")], &[]),
        (&[("wasm", "after", "tap")], &[]),
        (
            &[("ratelimit", "before", "wasm")],
            &["warning rate_limit_in_front"],
        ),
        (
            &[("wasm", "after", "ratelimit")],
            &["error guard", "warning rate_limit_in_front"],
        ),
        (&[("jwt_authn", "after", "wasm")], &[]),
    ] {
        let report = report(&format!("{ENVOY_GATEWAY}{}", proxy(moves)));
        assert_eq!(rules(&report), expected, "{moves:?}: {report:#}");
    }
    let report = report(&format!(
        "{bound}{}",
        proxy(&[("jwt_authn", "after", "wasm")])
    ));
    assert_eq!(rules(&report), ["error jwt_behind"], "{report:#}");
}

/// The name of a patch is that of what Envoy Gateway makes of a listener.
#[test]
fn a_patch_of_what_is_not_there_is_named_and_gives_no_last_word() {
    let objects = |name: &str, kind: &str, operation: &str| {
        format!(
            "{ENVOY_GATEWAY}---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: mcp, namespace: in}}
spec: {{gatewayClassName: eg, listeners: [{{name: https, port: 443, protocol: HTTPS}}]}}
---
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyPatchPolicy
metadata: {{name: last-word, namespace: in}}
spec:
  targetRef: {{group: gateway.networking.k8s.io, kind: Gateway, name: mcp}}
  jsonPatches:
  - {{type: type.googleapis.com/envoy.config.{kind}, name: {name}, operation: {operation}}}
"
        )
    };
    let routes = "route.v3.RouteConfiguration";
    let listener = "listener.v3.Listener";
    let removing = "{op: add, path: /request_headers_to_remove, value: [x-ssl-client-s-dn-cn]}";
    for (name, kind, is_there) in [
        ("in/mcp/https", routes, true),
        ("in/mcp/https", listener, true),
        ("in/mcp/https-quic", listener, true),
        ("in/mcp/https-quic", routes, false),
        // Of a ListenerSet.
        ("in/mcp/other/set/http", routes, true),
        // Where the runtime flag XDSNameSchemeV2 is on.
        ("tcp-443", listener, true),
        ("udp-443", listener, true),
        ("http-443", routes, true),
        ("tcp-80", listener, false),
        ("tcp-443", routes, false),
        ("mcp/https", routes, false),
        ("in/mcp/http", routes, false),
        ("in/other/https", routes, false),
        ("other/mcp/https", listener, false),
        ("\"\"", routes, false),
        // What a cluster is called is not known.
        ("in/mcp/https", "cluster.v3.Cluster", true),
    ] {
        let report = report(&objects(name, kind, removing));
        let expected: &[&str] = if is_there {
            &[]
        } else {
            &["error patch_without_effect"]
        };
        assert_eq!(rules(&report), expected, "{name} {kind}: {report:#}");
    }
    // A resource of its own, and a Gateway that is not in the files.
    let own = objects("mine", listener, "{op: add, value: {name: mine}}");
    assert_eq!(rules(&report(&own)), [""; 0]);
    let elsewhere = objects("in/mcp/none", routes, removing).replace(
        "kind: Gateway\nmetadata: {name: mcp,",
        "kind: Gateway\nmetadata: {name: else,",
    );
    assert_eq!(rules(&report(&elsewhere)), [""; 0]);
    // With merged Gateways the policy is for their class.
    let of_class = |name: &str| {
        objects(name, routes, removing).replace(
            "targetRef: {group: gateway.networking.k8s.io, kind: Gateway, name: mcp}",
            "targetRef: {group: gateway.networking.k8s.io, kind: GatewayClass, name: eg}",
        )
    };
    assert_eq!(rules(&report(&of_class("in/mcp/https"))), [""; 0]);
    let misses = report(&of_class("in/mcp/http"));
    assert_eq!(rules(&misses), ["error patch_without_effect"]);
    assert_eq!(misses["findings"][0]["cure"], "name: in/mcp/https");

    let writing = "---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: theirs, namespace: app}
spec: {rules: [{filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-SSL-Client-S-DN-CN, value: a}]}}]}]}
";
    for (name, expected) in [
        ("in/mcp/https", &["warning owned_header_written"][..]),
        (
            "in/mcp/http",
            &["error owned_header_written", "error patch_without_effect"],
        ),
    ] {
        let mut found = rules(&report(&format!(
            "{}{writing}",
            objects(name, routes, removing)
        )));
        found.sort();
        assert_eq!(found, expected, "{name}");
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
    let allowing = policies(&both).replace("MODE", "RequireAndVerify").replace(
        "  headers:\n",
        "  headers:\n    withUnderscoresAction: Allow\n",
    );
    assert_eq!(rules(&report(&allowing)), ["warning underscores_allowed"]);
    let without = policies(&both)
        .replace("MODE", "VerifyIfGiven")
        .replace("x-ssl-client-}", "x-ssl-client-s-}");
    assert_eq!(rules(&report(&without)), ["error early_removal"]);
}
