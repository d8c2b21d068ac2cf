//! Who is who to the MCP gateway.

use crate::caller::{AGENT, ALICE, FORGED, assert_is};
use crate::overlay::Mesh;

/// Users by their CN, agents by their SPIFFE ID, everybody else nobody, whatever they write.
pub(crate) fn each_is_who_the_certificate_says(mesh: &Mesh) {
    let admin = mesh.users.client(crate::caller::ADMIN);
    let forwarded = crate::harness::certs::forwarded_element(admin.certificate());
    let mut forged = FORGED.to_vec();
    forged.push(("x-forwarded-client-cert", &forwarded));
    for headers in [&[][..], &FORGED, &forged] {
        assert_is(&mesh.alice().get_with(headers), ALICE);
        match mesh.admitted_agent() {
            Some(agent) => assert_is(&agent.get_with(headers), AGENT),
            None => assert_eq!(mesh.agent().get_with(headers).status, 403),
        }
        assert_eq!(mesh.intruder().get_with(headers).status, 403);
        // TLS ends without an answer.
        assert_eq!(mesh.nobody().get_with(headers).status, 0);
    }
}

/// Over HTTP/1.1 and HTTP/2, with the TLS versions that there are.
pub(crate) fn a_user_is_herself_over_every_protocol(mesh: &Mesh) {
    for options in [
        ["--http1.1", "--tls-max", "1.2"],
        ["--http1.1", "--tls-max", "1.3"],
        ["--http2", "--tls-max", "1.2"],
        ["--http2", "--tls-max", "1.3"],
    ] {
        let alice = mesh.alice().with(&options);
        assert_is(&alice.get_with(&FORGED), ALICE);
    }
}
