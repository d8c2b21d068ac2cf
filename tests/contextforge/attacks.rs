//! What makes a client administrator of the gateway behind the guide's Lua filter, and does not behind this one.

use std::fs;

use hyper::header::HeaderValue;
use serde_json::json;

use crate::gateway::ContextForge;
use crate::harness::answer::Answer;
use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::Client;
use crate::harness::gateway::USER;
use crate::harness::leaf::{Leaf, common_name, organizational_unit, san_uri};
use crate::harness::{Fixture, Site};
use crate::world::{ADMIN, in_front_of, script};

/// What somebody may do, as the gateway tells them.
const PERMISSIONS: &str = "/v1/rbac/my/permissions";
const MALLORY: &str = "mallory@example.com";
const SLASH: &str = "admin@example.com/evil";
const MESH: &str = "spiffe://cluster.local/ns/partner/sa/batch";

/// A listener that lets in who has no certificate, so that the filter is what has to stand.
fn open(fixture: Fixture) -> Fixture {
    fixture.edit(Bootstrap::certificate_optional)
}

/// The guide's filter, in the listener that Istio makes for it.
fn guide() -> Fixture {
    let lua = repository().join("tests/compare/guide/envoy-lua.yaml");
    open(Fixture::new().yaml(fs::read_to_string(lua).unwrap()))
}

/// A client of each attack, by name.
fn attackers(site: &Site) -> [(&'static str, Client); 4] {
    let issued = |leaf: Leaf| site.client_with(&site.authority.issue(&leaf));
    let unit = organizational_unit("CN=admin@example.com");
    let mesh = Leaf::of([]).subject_alt_names(&[san_uri(MESH)]);
    [
        ("no certificate", site.client_without_certificate()),
        (
            "another attribute",
            issued(Leaf::of([common_name(MALLORY), unit])),
        ),
        ("a mesh certificate", issued(mesh)),
        ("a slash", issued(Leaf::of([common_name(SLASH)]))),
    ]
}

/// The deed: another administrator, planted. Each of them also writes the header itself.
async fn plant(client: &Client, number: usize) -> Answer {
    let accomplice = json!({"email": format!("planted-{number}@example.com"), "is_admin": true,
        "full_name": "Planted", "password": "Long enough for an administrator: 1"});
    let mut deed = script("/v1/auth/email/admin/users", &accomplice);
    let claim = HeaderValue::from_static(ADMIN);
    deed.headers_mut().insert(USER, claim);
    client.send(deed).await.unwrap()
}

#[tokio::test]
async fn behind_the_lua_filter_of_the_guide_each_attacker_is_administrator() {
    let gateway = ContextForge::start(&[]).await;
    let site = in_front_of(gateway.address(), guide()).await;
    for (number, (attack, client)) in attackers(&site).into_iter().enumerate() {
        let planted = plant(&client, number).await;
        assert_eq!(planted.status, 201, "{attack}: {planted:?}");
        assert_eq!(planted.json()["is_admin"], true, "{attack}");
        let asked = client.get_with(PERMISSIONS, &[(USER, ADMIN)]).await;
        assert_eq!(asked.unwrap().json(), json!(["*"]), "{attack}");
    }
}

#[tokio::test]
async fn behind_this_filter_none_of_them_is() {
    let gateway = ContextForge::start(&[]).await;
    let site = in_front_of(gateway.address(), open(Fixture::new())).await;
    let [nobody, unit, mesh, slash] = attackers(&site).map(|(_, client)| client);
    plant(&nobody, 0).await.assert_denied(403, "no_certificate");
    plant(&mesh, 1).await.assert_denied(403, "no_identity");
    assert_eq!(gateway.decisions(), []);
    // These two have names: their own, with which the gateway has nothing to do.
    for (client, name) in [(unit, MALLORY), (slash, SLASH)] {
        let refused = plant(&client, 2).await;
        assert_eq!(refused.status, 403, "{name}: {refused:?}");
        assert_eq!(refused.json(), json!({"detail": "Access denied"}));
        gateway.records(name, "admin.user_management", false).await;
        let asked = client.get_with(PERMISSIONS, &[(USER, ADMIN)]).await;
        assert_eq!(asked.unwrap().json(), json!([]), "{name}");
    }
    assert!(gateway.decisions().iter().all(|decision| !decision.2));
}
