//! The filter in the ingress gateway alone.

use serde_json::json;

use super::mesh::Mesh;
use super::proxy::configured;
use super::release::OLDEST_AND_NEWEST;
use crate::harness::forged::assert_only_user;

const ALICE: &str = "alice@example.com";

#[tokio::test]
async fn the_ingress_says_who_the_user_is_and_the_sidecar_passes_it_on() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("gateway", release).await;
        let sidecar = mesh.sidecar().await;
        let ingress = mesh.ingress(&sidecar).await;
        let forged = [
            ("x-ssl-client-s-dn-cn", "forged-admin@example.com"),
            ("x-ssl-client-verify", "forged-admin@example.com"),
        ];
        let alice = mesh.user(&ingress, ALICE);
        for client in [alice.clone(), alice.http2()] {
            let received = client.get_with("/mcp", &forged).await.unwrap().gateway();
            assert_only_user(&received, ALICE);
            assert!(received.values("x-forwarded-client-cert").is_empty());
        }
    }
}

/// Istio gives all plugins of a proxy one place for what their VMs share.
#[tokio::test]
async fn a_limit_in_the_ingress_is_one_for_each_user() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("gateway", release).await;
        let sidecar = mesh.sidecar().await;
        let limited = configured(|filter| {
            filter["rate_limit"] = json!({"default": {"rate": "1/h", "burst": 1}});
        });
        let ingress = mesh.ingress_with(&sidecar, limited, |_| {}).await;
        for user in [ALICE, "bob@example.com"] {
            let client = mesh.user(&ingress, user);
            for _ in 0..2 {
                assert_only_user(&client.get("/").await.unwrap().gateway(), user);
            }
            let answer = client.get("/").await.unwrap();
            answer.assert_denied(429, "rate_limited");
        }
    }
}
