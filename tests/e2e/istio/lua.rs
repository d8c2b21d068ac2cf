//! Beside the Lua EnvoyFilter of `istio/FROM-LUA.md`: on the way to mtls-identity, and on the way back.

use serde_json::{Value, json};

use super::mesh::Mesh;
use super::proxy::the_filter;
use super::release::OLDEST_AND_NEWEST;
use crate::harness::forged::assert_only_user;
use crate::harness::gateway::USER;
use crate::harness::leaf::{Leaf, common_name, organizational_unit};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

/// What such EnvoyFilters do: the text behind `CN=` in the subject becomes the header.
const CODE: &str = r#"
function envoy_on_request(handle)
  local tls = handle:streamInfo():downstreamSslConnection()
  local name = tls and tls:subjectPeerCertificate():match("CN=([^,/]+)")
  if name then handle:headers():replace("X-SSL-Client-S-DN-CN", name) end
end
"#;

fn filters(bootstrap: &mut Value) -> &mut Vec<Value> {
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_filters"].as_array_mut().unwrap()
}

/// Where Istio puts an INSERT_BEFORE without a subFilter.
fn with_lua_in_front(bootstrap: &mut Value) {
    let lua = json!({
        "name": "envoy.filters.http.lua",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            "default_source_code": {"inline_string": CODE},
        },
    });
    filters(bootstrap).insert(0, lua);
}

/// The way back: no guard, no filter, no last word, and the removal of identity headers still there.
fn with_lua_alone(bootstrap: &mut Value) {
    let listener = &mut bootstrap["static_resources"]["listeners"][0];
    let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
    let routes = manager["route_config"].as_object_mut().unwrap();
    for line in ["request_headers_to_remove", "request_headers_to_add"] {
        routes.remove(line).unwrap();
    }
    let is_gone = |filter: &Value| {
        let is_guard = filter["typed_config"]["rules"]["action"] == "DENY";
        is_guard || !filter["config_discovery"].is_null()
    };
    filters(bootstrap).retain(|filter| !is_gone(filter));
    with_lua_in_front(bootstrap);
}

/// A subject that Lua takes for the administrator's.
fn mallory() -> Leaf {
    Leaf::of([
        common_name("mallory@example.com"),
        organizational_unit(&format!("CN={ADMIN}")),
    ])
}

#[tokio::test]
async fn beside_lua_the_filter_alone_decides() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar_with(the_filter(), with_lua_in_front).await;
        let ingress = mesh.ingress_with(&sidecar, the_filter(), with_lua_in_front);
        let ingress = ingress.await;
        let received = mesh.user(&ingress, ALICE).get("/").await.unwrap().gateway();
        assert_only_user(&received, ALICE);
        let mallory = mesh.user_with(&ingress, &mesh.users.issue(&mallory()));
        let received = mallory.get("/").await.unwrap().gateway();
        assert_only_user(&received, "mallory@example.com");
    }
}

#[tokio::test]
async fn on_the_way_back_lua_decides_again_and_no_header_of_a_client_passes() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar_with(the_filter(), with_lua_alone).await;
        // A workload of the mesh has no CN. Before, what it wrote here passed.
        let agent = mesh.caller(&sidecar, super::mesh::AGENT);
        let received = agent.get_with("/", &[(USER, ADMIN)]).await.unwrap();
        assert_eq!(received.gateway().owned(), []);
        // And this is why nobody should stay here.
        let leaf =
            mallory().subject_alt_names(&[crate::harness::leaf::san_uri(super::mesh::AGENT)]);
        let mallory = mesh.caller_with(&sidecar, &mesh.authority.issue(&leaf));
        let received = mallory.get("/").await.unwrap().gateway();
        assert_eq!(received.user(), [ADMIN]);
    }
}
