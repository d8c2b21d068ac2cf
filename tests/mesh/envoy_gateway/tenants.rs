//! What those write who share the cluster.

use serde_json::{Value, json};

use super::edge::{BACKEND, Edge, INGRESS, is_administrator, is_nameless};
use super::order::admitted;
use crate::caller::{ADMIN, ALICE, Caller, HOST, assert_is};
use crate::cluster::SLOW;
use crate::harness::eventually;
use crate::harness::gateway::USER;

pub(super) const TENANT: &str = "tenant";
const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";
const EXTENSIONS: &str = "gateway.envoyproxy.io/v1alpha1";

fn object(version: &str, kind: &str, namespace: &str, spec: Value) -> Value {
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": TENANT, "namespace": namespace},
        "spec": spec,
    })
}

/// A rule's filter that makes each user the administrator.
pub(super) fn forging(verb: &str, name: &str) -> Value {
    let header = json!([{"name": name, "value": ADMIN}]);
    json!({"type": "RequestHeaderModifier", "requestHeaderModifier": {verb: header}})
}

/// A route of a longer path than ours, so that Envoy prefers it.
pub(super) fn route(namespace: &str, at_rule: &[Value], at_backend: &[Value]) -> Value {
    object(
        GATEWAY_API,
        "HTTPRoute",
        namespace,
        json!({
            "parentRefs": [{"name": INGRESS, "namespace": INGRESS}],
            "hostnames": [HOST],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/mcp"}}],
                "filters": at_rule,
                "backendRefs": [{"name": "mcp-gateway", "port": 4444, "filters": at_backend}],
            }],
        }),
    )
}

/// A filter that a route refers to, and the secret that it takes the header's value from.
pub(super) fn injected(header: &str) -> [Value; 2] {
    let credential = json!({"valueRef": {"name": TENANT}});
    let filter = json!({"credentialInjection":
        {"header": header, "overwrite": true, "credential": credential}});
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TENANT, "namespace": BACKEND},
        "stringData": {"credential": ADMIN},
    });
    [
        secret,
        object(EXTENSIONS, "HTTPRouteFilter", BACKEND, filter),
    ]
}

pub(super) fn reference() -> Value {
    json!({"type": "ExtensionRef", "extensionRef":
        {"group": "gateway.envoyproxy.io", "kind": "HTTPRouteFilter", "name": TENANT}})
}

/// A policy for our route, with more in it.
fn policy(kind: &str, target: &Value, more: &Value) -> Value {
    let mut spec = json!({"targetRefs": [target]});
    spec.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    object(EXTENSIONS, kind, BACKEND, spec)
}

fn our_route() -> Value {
    json!({"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "mcp-gateway"})
}

fn cross_origin() -> Value {
    json!({"cors": {"allowOrigins": ["https://example.com"]}})
}

/// Our policies and their bindings.
pub(super) fn admission(edge: &Edge) -> Vec<Value> {
    let is_of_admission = |object: &&Value| {
        let kind = object["kind"].as_str().unwrap();
        kind.starts_with("ValidatingAdmissionPolicy")
    };
    let policies: Vec<_> = edge
        .objects
        .iter()
        .filter(is_of_admission)
        .cloned()
        .collect();
    assert_eq!(policies.len(), 6);
    policies
}

/// Rules, backendRefs and the filters that routes refer to.
pub(super) async fn admission_refuses_what_writes_an_identity(edge: &Edge) {
    let cluster = &edge.world.cluster;
    let header = "must not write an identity header";
    eventually("the admission policies are in force", SLOW, async || {
        cluster
            .refuses(&route(BACKEND, &[forging("set", USER)], &[]), header)
            .then_some(())
    })
    .await;
    for name in [
        USER,
        "X-SSL-Client-Verify",
        "x_ssl_client_s_dn_cn",
        "x.ssl.client.s.dn.cn",
        "X-Authenticated-User",
        "x-user-organization",
        "client-cert",
        "Client-Cert-Chain",
        "x-forwarded-client-cert",
    ] {
        for verb in ["set", "add"] {
            let filters = [forging(verb, name)];
            assert!(
                cluster.refuses(&route(BACKEND, &filters, &[]), header),
                "{verb} {name}"
            );
            assert!(
                cluster.refuses(&route(BACKEND, &[], &filters), header),
                "{verb} {name}"
            );
        }
        assert!(cluster.refuses(&injected(name)[1], header), "{name}");
    }
    for name in ["x-team", "x-ssl", "authorization", "client-certificate"] {
        let filters = [forging("set", name)];
        assert!(
            !cluster.refuses(&route(BACKEND, &filters, &filters), header),
            "{name}"
        );
        assert!(!cluster.refuses(&injected(name)[1], header), "{name}");
    }
}

pub(super) fn admission_refuses_what_displaces_and_nothing_else(edge: &Edge) {
    let cluster = &edge.world.cluster;
    let header = "must not write an identity header";
    let displaces = "would displace the filter";
    assert!(cluster.refuses(
        &policy("SecurityPolicy", &our_route(), &cross_origin()),
        displaces
    ));
    assert!(cluster.refuses(
        &policy("EnvoyExtensionPolicy", &our_route(), &json!({})),
        displaces
    ));
    // Other namespaces are none of its business, and our own objects are in one.
    edge.namespace(TENANT);
    assert!(!cluster.refuses(&route(TENANT, &[forging("set", USER)], &[]), header));
    edge.objects
        .iter()
        .for_each(|object| assert!(!cluster.refuses(object, "must not")));
}

/// The bindings are deleted, and what they would have refused is taken.
pub(super) async fn without_admission_a_route_makes_the_administrator(edge: &Edge) {
    let policies = admission(edge);
    policies.iter().for_each(|policy| edge.take_out(policy));
    admitted_at_last(edge, &route(BACKEND, &[forging("set", USER)], &[])).await;
    edge.alice().is(ADMIN).await;
    edge.put(&route(BACKEND, &[], &[forging("set", USER)]));
    edge.alice().is(ADMIN).await;
    let [secret, filter] = injected(USER);
    edge.put(&secret);
    admitted_at_last(edge, &filter).await;
    edge.put(&route(BACKEND, &[], &[]));
    edge.alice().is(ALICE).await;
    edge.put(&route(BACKEND, &[reference()], &[]));
    edge.alice().is(ADMIN).await;
    edge.take_out(&route(BACKEND, &[], &[]));
    edge.take_out(&filter);
    edge.alice().is(ALICE).await;
    a_policy_on_the_route_displaces_ours(edge).await;
    edge.world.cluster.apply(&policies);
}

/// A SecurityPolicy takes the guard away, an EnvoyExtensionPolicy the filter: or it has one of its own.
async fn a_policy_on_the_route_displaces_ours(edge: &Edge) {
    let security = policy("SecurityPolicy", &our_route(), &cross_origin());
    let mut own = json!({"wasm": edge.filter()["spec"]["wasm"].clone()});
    let map = json!([{"from": "{name}@{domain}.com", "to": ADMIN}]);
    own["wasm"][0]["config"]["identity"] = json!({"map": map});
    let own = policy("EnvoyExtensionPolicy", &our_route(), &own);
    admitted_at_last(edge, &own).await;
    edge.alice().is(ADMIN).await;
    edge.says(edge.filter(), "Overridden", "True: Overridden")
        .await;
    edge.put(&policy("EnvoyExtensionPolicy", &our_route(), &json!({})));
    edge.alice().gets(403).await;
    admitted_at_last(edge, &security).await;
    edge.says(edge.guard(), "Overridden", "True: Overridden")
        .await;
    edge.alice().forges_until("is nameless", is_nameless).await;
    edge.take_out(&security);
    edge.take_out(&own);
    edge.alice().is(ALICE).await;
}

/// The API server takes a while to know that a policy is gone.
pub(super) async fn admitted_at_last(edge: &Edge, object: &Value) {
    let what = format!("a {} is admitted", object["kind"]);
    eventually(&what, SLOW, async || {
        let objects = std::slice::from_ref(object);
        edge.world.cluster.try_apply(objects).is_ok().then_some(())
    })
    .await;
}

/// `allowedRoutes`: the MCP gateway's namespace alone.
pub(super) async fn a_route_of_another_namespace_leads_nobody(edge: &Edge) {
    edge.namespace(TENANT);
    edge.world.publish(TENANT, &edge.backend);
    let taking = route(TENANT, &[forging("set", USER)], &[]);
    edge.put(&taking);
    says_of_parent(edge, &taking, "False: NotAllowedByListeners").await;
    assert_is(&edge.alice().get(), ALICE);

    let gateway = edge.object("Gateway", "mcp-ingress");
    let mut open = gateway.clone();
    open["spec"]["listeners"][0]["allowedRoutes"]["namespaces"] = json!({"from": "All"});
    edge.put(&open);
    edge.alice().is(ADMIN).await;
    edge.put(gateway);
    edge.alice().is(ALICE).await;
    edge.take_out(&taking);
}

/// What Envoy Gateway says of a route to the Gateway that it wants.
async fn says_of_parent(edge: &Edge, route: &Value, expected: &str) {
    let get = format!(
        "httproute {TENANT} -n {}",
        route["metadata"]["namespace"].as_str().unwrap()
    );
    eventually(&format!("{get}: {expected}"), SLOW, async || {
        let status = edge.world.cluster.get(&get)["status"].clone();
        let conditions = status["parents"][0]["conditions"].as_array()?.clone();
        let accepted = conditions
            .iter()
            .find(|found| found["type"] == "Accepted")?;
        let text = |field: &str| accepted[field].as_str().unwrap().to_owned();
        (format!("{}: {}", text("status"), text("reason")) == expected).then_some(())
    })
    .await;
}

/// `allowedListeners` is not set.
pub(super) async fn a_listener_of_a_tenant_is_not_taken(edge: &Edge) {
    edge.namespace(TENANT);
    let set = object(
        GATEWAY_API,
        "ListenerSet",
        TENANT,
        json!({
            "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": INGRESS, "namespace": INGRESS},
            "listeners": [{"name": "http", "port": 8080, "protocol": "HTTP"}],
        }),
    );
    edge.put(&set);
    let get = format!("listenersets.gateway.networking.k8s.io {TENANT} -n {TENANT}");
    let what = "Envoy Gateway refuses the ListenerSet";
    eventually(what, SLOW, async || {
        let status = edge.world.cluster.get(&get)["status"].clone();
        let conditions = status["conditions"].as_array()?.clone();
        let accepted = conditions
            .iter()
            .find(|found| found["type"] == "Accepted")?;
        (accepted["status"] == "False" && accepted["reason"] == "NotAllowed").then_some(())
    })
    .await;
    assert_eq!(plain(edge, 8080).get().status, 0);
    an_allowed_listener_is_the_tenants_door(edge).await;
    edge.take_out(&set);
    edge.alice().is(ALICE).await;
}

/// With `allowedListeners`.
async fn an_allowed_listener_is_the_tenants_door(edge: &Edge) {
    let gateway = edge.object("Gateway", "mcp-ingress");
    let mut open = gateway.clone();
    open["spec"]["allowedListeners"] = json!({"namespaces": {"from": "All"}});
    edge.put(&open);
    edge.world.publish(TENANT, &edge.backend);
    let mut leading = route(TENANT, &[], &[]);
    leading["spec"]["parentRefs"] =
        json!([{"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": TENANT}]);
    edge.put(&leading);
    plain(edge, 8080)
        .gets(403)
        .await
        .assert_reason("no_certificate");
    // The tenant's own policies for it displace ours.
    let target =
        json!({"group": "gateway.networking.k8s.io", "kind": "ListenerSet", "name": TENANT});
    let kinds = [
        "ClientTrafficPolicy",
        "EnvoyExtensionPolicy",
        "SecurityPolicy",
    ];
    let policies = kinds.map(|kind| {
        let more = if kind == "SecurityPolicy" {
            cross_origin()
        } else {
            json!({})
        };
        let mut policy = policy(kind, &target, &more);
        policy["metadata"]["namespace"] = json!(TENANT);
        policy
    });
    edge.world.cluster.apply(&policies);
    plain(edge, 8080)
        .forges_until("is the administrator", is_administrator)
        .await;

    let mut closed = gateway.clone();
    closed["spec"]["allowedListeners"] = Value::Null;
    edge.put(&closed);
    plain(edge, 8080).gets(0).await;
    policies
        .iter()
        .chain([&leading])
        .for_each(|object| edge.take_out(object));
    edge.put(gateway);
}

/// Somebody without TLS, at this port of our Envoy.
fn plain(edge: &Edge, port: u16) -> Caller {
    plain_at(edge, &edge.proxy.network.address, port)
}

fn plain_at(edge: &Edge, address: &str, port: u16) -> Caller {
    let to = format!("{HOST}:80:{address}:{port}");
    Caller::curl(
        &edge.outside,
        &["--connect-to", &to],
        &format!("http://{HOST}/mcp"),
    )
}

/// With a Service of his own that leads to the MCP gateway's address. Only the network can hold him.
pub(super) async fn a_gateway_of_a_tenant_is_for_the_network_policy(edge: &Edge) {
    edge.namespace(TENANT);
    edge.world.publish(TENANT, &edge.backend);
    let gateway = object(
        GATEWAY_API,
        "Gateway",
        TENANT,
        json!({
            "gatewayClassName": INGRESS,
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        }),
    );
    edge.put(&gateway);
    let mut leading = route(TENANT, &[forging("set", USER)], &[]);
    leading["spec"]["parentRefs"] = json!([{"name": TENANT}]);
    edge.put(&leading);
    let theirs = edge.world.proxy(TENANT, TENANT, "tenant-1").await;
    // This world has no network plugin.
    plain_at(edge, &theirs.network.address, 10080)
        .is(ADMIN)
        .await;
    assert!(!admitted(edge, &theirs.pod));
    assert!(admitted(edge, &edge.proxy.pod));
    edge.take_out(&leading);
    edge.take_out(&gateway);
}
