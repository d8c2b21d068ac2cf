//! What those write who share the mesh: objects of a namespace of their own, and routes.

use serde_json::{Value, json};

use crate::caller::{
    ADMIN, AGENT, ALICE, Caller, FORGED, HOST, SERVICE, assert_is, assert_refused,
};
use crate::cluster::SLOW;
use crate::harness::answer::Answer;
use crate::harness::certs::{Authority, forwarded_element};
use crate::harness::eventually;
use crate::harness::gateway::{USER, VERIFY};
use crate::manifests::documents;
use crate::overlay::Mesh;
use crate::people;

pub(crate) const TENANT: &str = "tenant";
/// The tenant's own host.
pub(crate) const ELSEWHERE: &str = "tenant.example.com";
/// Set by each of the tenant's routes, so that a test sees whose route it met.
const MARK: &str = "x-tenant";

fn object(kind: &str, version: &str, namespace: &str, spec: Value) -> Value {
    json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": TENANT, "namespace": namespace},
        "spec": spec,
    })
}

fn gateway(namespace: &str, spec: Value) -> Value {
    object("Gateway", "networking.istio.io/v1", namespace, spec)
}

/// A Gateway for this host, with the secret that lies beside our ingress.
pub(crate) fn taking(selector: &Value, host: &str, bind: Option<&str>) -> Value {
    let mut server = json!({
        "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
        "hosts": [host],
        "tls": {"mode": "MUTUAL", "credentialName": "mcp-ingress-tls"},
    });
    if let Some(address) = bind {
        server["bind"] = json!(address);
    }
    let mut spec = json!({"servers": [server]});
    if !selector.is_null() {
        spec["selector"] = selector.clone();
    }
    gateway(TENANT, spec)
}

/// Everything that could make somebody the administrator, and the mark of whose route it is.
fn headers(mark: &str) -> Value {
    let nobodys = Authority::named("Nobody's CA").client(ADMIN);
    let forwarded = forwarded_element(nobodys.certificate());
    json!({"request": {"set": {
        MARK: mark,
        USER: ADMIN,
        VERIFY: "SUCCESS",
        "x_ssl_client_s_dn_cn": ADMIN,
        "x-authenticated-user": ADMIN,
        "x.ssl.client.s.dn.cn": ADMIN,
        // In a route a percent sign begins a command of Envoy's.
        "x-forwarded-client-cert": forwarded.replace('%', "%%"),
    }}})
}

/// The tenant's route of this host to our Service.
pub(crate) fn route(namespace: &str, host: &str, gateways: &[&str], mark: &str) -> Value {
    let destination = json!({"host": SERVICE, "port": {"number": 4444}});
    object(
        "VirtualService",
        "networking.istio.io/v1",
        namespace,
        json!({
            "hosts": [host],
            "gateways": gateways,
            // At the route, and at the cluster that it leads to.
            "http": [{
                "route": [{"destination": destination, "headers": headers(mark)}],
                "headers": headers(mark),
            }],
        }),
    )
}

/// The first answer of a request that the tenant's route has led.
pub(crate) async fn led_by(caller: &Caller, mark: &str) -> Answer {
    eventually("the tenant's route leads", SLOW, async || {
        let answer = caller.get();
        let led = answer.status == 200 && answer.gateway().values(MARK) == [mark];
        led.then_some(answer)
    })
    .await
}

/// What the MCP gateway could take for an identity is this user's, whoever led the request.
#[track_caller]
fn assert_still(mesh: &Mesh, answer: &Answer, user: &str) {
    let received = answer.gateway();
    assert_eq!(received.owned(), [(USER, user), (VERIFY, "SUCCESS")]);
    // Behind the ingress of the waypoint's overlay there is no further hop that could drop other names.
    if !mesh.overlay.ends_with("waypoint") {
        let forged = received
            .headers
            .iter()
            .find(|(_, value)| value.contains(ADMIN));
        assert_eq!(forged, None);
        assert_eq!(received.values("x-forwarded-client-cert"), [""; 0]);
    }
}

impl Mesh {
    fn apply(&self, objects: &[Value]) {
        self.world.cluster.apply(objects);
    }

    pub(crate) fn tenant(&self) {
        let labels = json!({"istio-injection": "enabled"});
        self.apply(&[json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": TENANT, "labels": labels}})]);
    }
}

/// His Gateway takes our Pods, and his route writes headers behind the filter.
pub(crate) async fn a_route_of_a_tenant_makes_nobody_somebody_else(mesh: &Mesh) {
    mesh.tenant();
    let alice = mesh.user_at(&mesh.ingress, &mesh.alice, ELSEWHERE, 8443);
    let selectors = [
        json!({"istio": "mcp-ingress"}),
        Value::Null,
        json!({"sidecar.istio.io/inject": "true"}),
    ];
    for (number, selector) in selectors.iter().enumerate() {
        let mark = number.to_string();
        mesh.apply(&[
            taking(selector, ELSEWHERE, None),
            route(TENANT, ELSEWHERE, &[TENANT], &mark),
        ]);
        assert_still(mesh, &led_by(&alice, &mark).await, ALICE);
    }
    without_the_last_word_she_is_the_administrator(mesh, &alice).await;

    // A listener that asks for no certificate makes nobody somebody.
    let mut simple = taking(&selectors[0], ELSEWHERE, None);
    simple["spec"]["servers"][0]["tls"]["mode"] = json!("SIMPLE");
    mesh.apply(&[simple]);
    let nobody = mesh.nobody_at(ELSEWHERE);
    nobody.gets(403).await.assert_reason("no_certificate");
    assert_refused(&nobody.get_with(&FORGED));

    // Our own host, taken by its address.
    let address = mesh.ingress.network.address.as_str();
    mesh.apply(&[
        taking(&selectors[0], HOST, Some(address)),
        route(TENANT, HOST, &[TENANT], "ours"),
    ]);
    assert_still(mesh, &led_by(&mesh.alice(), "ours").await, ALICE);
    mesh.world
        .cluster
        .delete("gateways.networking.istio.io", TENANT, TENANT);
    mesh.world
        .cluster
        .delete("virtualservices.networking.istio.io", TENANT, TENANT);
    mesh.alice().is_untouched().await;
}

/// The line: what the tenant's route writes is heard.
async fn without_the_last_word_she_is_the_administrator(mesh: &Mesh, alice: &Caller) {
    let name = match mesh.overlay.ends_with("sidecar") {
        true => "forwarded-certificate",
        false => "last-word",
    };
    let last_word = mesh.object("EnvoyFilter", "mcp-ingress", name);
    mesh.take_out(last_word);
    alice.is(ADMIN).await;
    mesh.put_back(last_word);
    alice.is(ALICE).await;
    if !mesh.overlay.ends_with("gateway") {
        return;
    }
    // Other spellings are the next hop's.
    let removal = mesh.object("EnvoyFilter", "mcp-system", "identity-headers");
    mesh.take_out(removal);
    eventually("another spelling arrives", SLOW, async || {
        let received = alice.get().gateway();
        (received.values("x.ssl.client.s.dn.cn") == [ADMIN]).then_some(())
    })
    .await;
    mesh.put_back(removal);
    eventually("no other spelling arrives", SLOW, async || {
        let received = alice.get().gateway();
        received
            .values("x.ssl.client.s.dn.cn")
            .is_empty()
            .then_some(())
    })
    .await;
}

/// A VirtualService or an HTTPRoute of the Service's own namespace: in a waypoint they write behind the filter.
pub(crate) async fn a_route_beside_the_service_makes_no_agent_somebody_else(mesh: &Mesh) {
    let Some(agent) = mesh.admitted_agent() else {
        return;
    };
    mesh.apply(&[route("mcp-system", SERVICE, &["mesh"], "beside")]);
    assert_still(mesh, &led_by(&agent, "beside").await, AGENT);
    if mesh.waypoint.is_some() {
        without_the_last_word_the_agent_is_the_administrator(mesh, &agent).await;
    }
    mesh.world
        .cluster
        .delete("virtualservices.networking.istio.io", "mcp-system", TENANT);
    agent.is_untouched().await;
    if mesh.waypoint.is_some() {
        mesh.apply(&[http_route()]);
        assert_still(mesh, &led_by(&agent, "http-route").await, AGENT);
        mesh.world
            .cluster
            .delete("httproutes.gateway.networking.k8s.io", "mcp-system", TENANT);
        agent.is_untouched().await;
    }
}

fn http_route() -> Value {
    let set = [
        (MARK, "http-route"),
        (USER, ADMIN),
        ("x-authenticated-user", ADMIN),
    ];
    let set = set.map(|(name, value)| json!({"name": name, "value": value}));
    object(
        "HTTPRoute",
        "gateway.networking.k8s.io/v1",
        "mcp-system",
        json!({
            "parentRefs": [{"group": "", "kind": "Service", "name": "mcp-gateway", "port": 4444}],
            "rules": [{
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": set}}],
                "backendRefs": [{"name": "mcp-gateway", "port": 4444}],
            }],
        }),
    )
}

async fn without_the_last_word_the_agent_is_the_administrator(mesh: &Mesh, agent: &Caller) {
    let lines = mesh.object("EnvoyFilter", "mcp-system", "identity-headers");
    let mut without = lines.clone();
    let manager = &mut without["spec"]["configPatches"][0]["patch"]["value"]["typed_config"];
    manager
        .as_object_mut()
        .unwrap()
        .remove("route_config")
        .unwrap();
    mesh.put_back(&without);
    agent.is(ADMIN).await;
    mesh.put_back(lines);
    agent.is(AGENT).await;
}

impl Caller {
    /// Waits until no route of a tenant leads it.
    async fn is_untouched(&self) {
        eventually("the tenant's route is gone", SLOW, async || {
            let answer = self.get();
            let untouched = answer.status == 200 && answer.gateway().values(MARK).is_empty();
            untouched.then_some(())
        })
        .await;
    }
}

/// Each is admitted, and everybody is who they were.
pub(crate) async fn other_objects_of_a_tenant_lead_nowhere(mesh: &Mesh) {
    mesh.tenant();
    let mut objects = documents(include_str!("tenant.yaml"));
    assert_eq!(objects.len(), 9);
    // The last of them shows that istiod has seen all.
    objects.push(taking(&json!({"istio": "mcp-ingress"}), ELSEWHERE, None));
    objects.push(route(TENANT, ELSEWHERE, &[TENANT], "all"));
    mesh.apply(&objects);
    let alice = mesh.user_at(&mesh.ingress, &mesh.alice, ELSEWHERE, 8443);
    assert_still(mesh, &led_by(&alice, "all").await, ALICE);
    people::each_is_who_the_certificate_says(mesh);
    assert_is(&mesh.alice().get(), ALICE);
    for object in objects.iter().rev() {
        mesh.take_out(object);
    }
    mesh.user_at(&mesh.ingress, &mesh.alice, ELSEWHERE, 8443)
        .gets(0)
        .await;
}
