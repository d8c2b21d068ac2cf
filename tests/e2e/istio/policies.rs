//! AuthorizationPolicies as Envoy's RBAC filters: those that deny come first.

use serde_json::{Value, json};

use super::manifests::{Manifests, Workload, strings};

const RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";

/// Where the proxy finds who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerOf {
    /// In the certificate of the connection.
    Tls,
    /// In the filter state that the end of the tunnel left.
    Tunnel,
}

/// The filters of all policies of this workload.
pub(super) fn filters(manifests: &Manifests, workload: &Workload, peer: PeerOf) -> Vec<Value> {
    let policies = manifests.attached("AuthorizationPolicy", workload);
    let of = |action: &str| {
        let named = policies.iter().filter(|policy| {
            let stated = policy["spec"]["action"].as_str().unwrap();
            assert!(["ALLOW", "DENY"].contains(&stated), "{stated}");
            stated == action
        });
        let rules = named.flat_map(|policy| rules(policy, peer));
        let rules: serde_json::Map<String, Value> = rules.collect();
        (!rules.is_empty()).then(|| filter(json!({"action": action, "policies": rules})))
    };
    ["DENY", "ALLOW"].into_iter().filter_map(of).collect()
}

fn filter(rules: Value) -> Value {
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {"@type": RBAC, "rules": rules},
    })
}

/// What Istio's agent puts in the place of a plugin whose image it cannot have.
pub(super) fn deny_all() -> Value {
    json!({"@type": RBAC, "rules": {}})
}

fn rules(policy: &Value, peer: PeerOf) -> Vec<(String, Value)> {
    let metadata = &policy["metadata"];
    let [namespace, name] = ["namespace", "name"].map(|field| metadata[field].as_str().unwrap());
    let rules = policy["spec"]["rules"].as_array().unwrap().iter();
    let named = rules.enumerate().map(|(index, rule)| {
        let name = format!("ns[{namespace}]-policy[{name}]-rule[{index}]");
        (name, translated(rule, peer))
    });
    named.collect()
}

/// All sources and all conditions must fit. Anything that is not known here fails the test.
fn translated(rule: &Value, peer: PeerOf) -> Value {
    let mut all = Vec::new();
    for (key, parts) in rule.as_object().unwrap() {
        let parts = parts.as_array().unwrap().iter();
        match key.as_str() {
            "from" => all.push(any(parts.flat_map(|from| sources(from, peer)).collect())),
            "when" => all.extend(parts.map(condition)),
            other => panic!("{other} in {rule}"),
        }
    }
    json!({"permissions": [{"any": true}], "principals": [{"and_ids": {"ids": all}}]})
}

fn any(ids: Vec<Value>) -> Value {
    json!({"or_ids": {"ids": ids}})
}

fn sources(from: &Value, peer: PeerOf) -> Vec<Value> {
    let source = from["source"].as_object().unwrap();
    let keys: Vec<_> = source.keys().map(String::as_str).collect();
    let named = |key: &str| {
        let principals = strings(&source[key]).into_iter();
        principals
            .map(|principal| peer_is(principal, peer))
            .collect()
    };
    match keys[..] {
        ["principals"] => named("principals"),
        ["notPrincipals"] => vec![json!({"not_id": any(named("notPrincipals"))})],
        _ => panic!("{keys:?}"),
    }
}

fn peer_is(principal: &str, peer: PeerOf) -> Value {
    let name = match principal.strip_suffix('*') {
        Some(prefix) => json!({"prefix": format!("spiffe://{prefix}")}),
        None => json!({"exact": format!("spiffe://{principal}")}),
    };
    match peer {
        PeerOf::Tls => json!({"authenticated": {"principal_name": name}}),
        PeerOf::Tunnel => {
            json!({"filter_state": {"key": "io.istio.peer_principal", "string_match": name}})
        }
    }
}

fn condition(when: &Value) -> Value {
    assert_eq!(when["notValues"], json!(["*"]), "{when}");
    assert_eq!(when["values"], Value::Null, "{when}");
    let key = when["key"].as_str().unwrap();
    let name = key.strip_prefix("request.headers[").unwrap();
    let name = name.strip_suffix(']').unwrap();
    let present = json!({"header": {"name": name, "present_match": true}});
    json!({"not_id": any(vec![present])})
}
