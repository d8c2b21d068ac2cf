//! `mtls-identity doctor` finds no hole in what istiod makes of the manifests.

use super::mesh::Mesh;
use super::release::RELEASES;
use crate::doctor::Diagnosis;

#[tokio::test]
async fn every_proxy_with_the_filter_is_clean_on_every_release() {
    for release in RELEASES {
        for overlay in ["gateway", "sidecar", "waypoint"] {
            let mesh = Mesh::of(overlay, release).await;
            let behind = match overlay {
                "waypoint" => mesh.waypoint().await,
                _ => mesh.sidecar().await,
            };
            let ingress = mesh.ingress(&behind).await;
            for proxy in [&behind, &ingress] {
                let diagnosis = Diagnosis::of(&proxy.envoy).await;
                diagnosis.assert_clean(&format!("{overlay} on {}", release.envoy));
            }
        }
    }
}
