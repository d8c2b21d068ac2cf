//! The filter in the ingress gateway alone.

use super::mesh::Mesh;
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
