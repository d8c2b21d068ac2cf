//! Who is who to the MCP gateway.

use crate::caller::{AGENT, ALICE, FORGED, assert_is, assert_refused};
use crate::overlay::Mesh;
use crate::release::{ISTIO_1_30, ISTIO_1_31, Release};

/// Users by their CN, agents by their SPIFFE ID, everybody else nobody, whatever they write.
async fn each_is_who_the_certificate_says(overlay: &'static str, release: Release) {
    let mesh = Mesh::of(overlay, release).await;
    for headers in [&[][..], &FORGED] {
        assert_is(&mesh.alice().get_with(headers), ALICE);
        match mesh.admitted_agent() {
            Some(agent) => assert_is(&agent.get_with(headers), AGENT),
            None => assert_refused(&mesh.agent().get_with(headers)),
        }
        assert_refused(&mesh.intruder().get_with(headers));
        assert_refused(&mesh.nobody().get_with(headers));
    }
}

#[tokio::test]
async fn in_the_sidecar_overlay_on_1_31_each_is_who_the_certificate_says() {
    each_is_who_the_certificate_says("sidecar", ISTIO_1_31).await;
}
