//! The overlay with a Gateway and an HTTPRoute of the Gateway API.

use serde_json::{Value, json};

use crate::caller::{ADMIN, ALICE, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::certs::Authority;
use crate::harness::eventually;
use crate::harness::gateway::USER;
use crate::overlay::{GATEWAY_API, Mesh};
use crate::plugin::configuration;
use crate::release::ISTIO_1_31;
use crate::tenants::TENANT;
use crate::{admission, changes, failures, lines, order, people, rows};

#[tokio::test]
async fn the_overlay_with_the_gateway_api_holds() {
    let mesh = Mesh::of(GATEWAY_API, ISTIO_1_31).await;
    admission::a_misspelt_object_is_refused(&mesh);
    people::each_is_who_the_certificate_says(&mesh);
    people::a_user_is_herself_over_every_protocol(&mesh);
    order::each_connection_manager_has_its_lines_in_order(&mesh);
    order::the_ingress_resumes_no_session(&mesh);
    rows::a_header_name_with_an_underscore_is_dropped_and_the_request_served(&mesh);
    rows::a_client_that_tls_refuses_leaves_a_line(&mesh).await;
    rows::a_key_of_ed25519_is_taken(&mesh);
    a_gateway_that_takes_any_certificate_makes_nobody_a_user(&mesh).await;
    a_route_writes_no_identity(&mesh).await;
    a_route_or_a_listener_of_a_tenant_is_not_taken(&mesh).await;
    lines::a_second_policy_that_allows_opens_nothing(&mesh).await;
    lines::without_the_filter_the_removal_and_the_guard_hold(&mesh).await;
    changes::a_new_image_changes_nobody(&mesh).await;
    changes::a_restart_of_istiod_changes_nobody(&mesh).await;
    failures::a_wrong_digest_refuses_everybody(&mesh).await;
    failures::a_refused_configuration_leaves_the_old_one(&mesh).await;
    failures::a_registry_that_was_away_is_healed_by_a_touch_of_the_plugin(&mesh).await;
}

/// `AllowInsecureFallback` in place of `AllowValidOnly`.
async fn a_gateway_that_takes_any_certificate_makes_nobody_a_user(mesh: &Mesh) {
    let gateway = mesh.object("Gateway", "mcp-ingress", "mcp-ingress");
    let mut open = gateway.clone();
    let validation = &mut open["spec"]["tls"]["frontend"]["default"]["validation"];
    assert_eq!(validation["mode"], "AllowValidOnly");
    validation["mode"] = json!("AllowInsecureFallback");
    mesh.put_back(&open);
    let admin = mesh.user(&Authority::named("Strangers CA").client(ADMIN));
    admin
        .gets(403)
        .await
        .assert_reason("certificate_not_validated");
    assert_is(&mesh.alice().get(), ALICE);

    // The line: with the word of a listener that believes everybody, everybody is anybody.
    let plugin = mesh.plugin("mcp-ingress");
    let mut believing = plugin.clone();
    configuration(&mut believing)["certificate"]["validation"] = json!("listener");
    mesh.put_back(&believing);
    admin.is(ADMIN).await;

    mesh.put_back(plugin);
    mesh.put_back(gateway);
    admin.gets(0).await;
    mesh.alice().is(ALICE).await;
}

/// A route of the ingress's own namespace, which Envoy prefers to ours.
fn route(namespace: &str) -> Value {
    let set = [(USER, ADMIN), ("x-tenant", "1")];
    let set = set.map(|(name, value)| json!({"name": name, "value": value}));
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": TENANT, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "mcp-ingress", "namespace": "mcp-ingress"}],
            "rules": [{
                "matches": [{"path": {"type": "PathPrefix", "value": "/mcp"}}],
                "filters": [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": set}}],
                "backendRefs": [{"name": "mcp-gateway", "namespace": "mcp-system", "port": 4444}],
            }],
        },
    })
}

async fn a_route_writes_no_identity(mesh: &Mesh) {
    let leading = route("mcp-ingress");
    mesh.put_back(&leading);
    eventually("the route leads", SLOW, async || {
        let answer = mesh.alice().get();
        let led = answer.status == 200 && answer.gateway().values("x-tenant") == ["1"];
        led.then_some(())
    })
    .await;
    assert_is(&mesh.alice().get_with(&FORGED), ALICE);
    let last_word = mesh.object("EnvoyFilter", "mcp-ingress", "last-word");
    mesh.take_out(last_word);
    mesh.alice().is(ADMIN).await;
    mesh.put_back(last_word);
    mesh.alice().is(ALICE).await;
    mesh.take_out(&leading);
}

/// The Gateway takes routes of its own namespace, and no listeners of others.
async fn a_route_or_a_listener_of_a_tenant_is_not_taken(mesh: &Mesh) {
    mesh.tenant();
    let set = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "ListenerSet",
        "metadata": {"name": TENANT, "namespace": TENANT},
        "spec": {
            "parentRef": {"name": "mcp-ingress", "namespace": "mcp-ingress"},
            "listeners": [{"name": "http", "port": 8080, "protocol": "HTTP"}],
        },
    });
    let route = route(TENANT);
    for (object, reason) in [(&route, "NotAllowedByListeners"), (&set, "NotAllowed")] {
        mesh.put_back(object);
        let kind = object["kind"].as_str().unwrap().to_lowercase();
        let get = format!("{kind}.gateway.networking.k8s.io {TENANT} -n {TENANT}");
        eventually(&format!("{kind}: {reason}"), SLOW, async || {
            let status = mesh.world.cluster.get(&get)["status"].to_string();
            status.contains(&format!("\"{reason}\"")).then_some(())
        })
        .await;
    }
    assert_is(&mesh.alice().get_with(&FORGED), ALICE);
    mesh.take_out(&route);
    mesh.take_out(&set);
}
