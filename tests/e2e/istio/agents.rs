//! Workloads of the mesh that call the MCP gateway's sidecar themselves.

use hyper::Request;

use super::forwarded::element;
use super::mesh::{AGENT, AGENT_USER, Mesh};
use super::release::{RELEASES, Release};
use crate::harness::client::empty;
use crate::harness::forged::{assert_only_user, lines};
use crate::harness::leaf::{Leaf, common_name, san_uri};
use crate::harness::raw::get_bytes;

const RBAC: &str = "RBAC: access denied";

#[tokio::test]
async fn an_agent_is_its_mapped_spiffe_id() {
    for release in RELEASES {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar().await;
        let agent = mesh.caller(&sidecar, AGENT);
        for client in [agent.clone(), agent.http2()] {
            let received = client.get("/mcp").await.unwrap().gateway();
            assert_only_user(&received, AGENT_USER);
            assert!(received.values("x-forwarded-client-cert").is_empty());
        }
    }
}

#[tokio::test]
async fn an_agent_that_forges_a_forwarded_certificate_is_itself() {
    for release in RELEASES {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar().await;
        let admin = mesh.users.client("admin@example.com");
        let ingress = mesh.workload(&mesh.ingress_id());
        let mut connection = mesh.caller(&sidecar, AGENT).connect_raw().await.unwrap();
        for header in [
            element(&admin),
            format!("{};Subject=\"CN=admin@example.com\"", element(&admin)),
            format!("{},{}", element(&admin), element(&ingress)),
            format!("Hash={};URI={}", ingress.sha256(), mesh.ingress_id()),
            format!("{};Subject=\"", element(&admin)),
            "Cert=\"".to_owned(),
            "\"".to_owned(),
        ] {
            let line = format!("X-Forwarded-Client-Cert: {header}");
            let request = get_bytes("/", [&line]);
            let answer = connection.exchange(&request).await.unwrap();
            if answer.status == 200 {
                assert_only_user(&answer.gateway(), AGENT_USER);
            } else {
                // Where an older Envoy's own element cannot be found behind an open quote.
                assert_eq!(answer.denial().0, 403, "{release:?} {header}");
            }
        }
        let received = mesh.application.received();
        assert!(received.len() >= 5, "{release:?}: {}", received.len());
    }
}

#[tokio::test]
async fn an_agent_that_writes_identity_headers_is_itself() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let agent = mesh.caller(&sidecar, AGENT);
    for name in [
        "x-ssl-client-s-dn-cn",
        "x-authenticated-user",
        "client-cert",
    ] {
        let request = Request::get("/").header(name, "admin@example.com");
        let request = request.header("x-ssl-client-verify", "SUCCESS");
        let answer = agent.send(request.body(empty()).unwrap()).await.unwrap();
        assert_only_user(&answer.gateway(), AGENT_USER);
    }
    let free = ["x-organization", "x-tenant", "x-role"];
    for line in lines().iter().filter(|line| line.contains('_')) {
        let name = line.split(':').next().unwrap();
        let folded = name.to_ascii_lowercase().replace('_', "-");
        if name.contains('_') && !free.contains(&folded.as_str()) {
            let answer = agent.raw(&get_bytes("/", [line])).await.unwrap();
            assert_only_user(&answer.gateway(), AGENT_USER);
        }
    }
}

/// The filter knows them all; the policy behind it lets in whom the manifests name.
#[tokio::test]
async fn a_workload_that_is_no_agent_and_no_ingress_gets_in_as_nobody() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let ingress = mesh.ingress_id();
    let victim = mesh.users.client("admin@example.com");
    let forwarded = element(&victim);
    let header = [("x-forwarded-client-cert", forwarded.as_str())];
    for id in [
        "spiffe://cluster.local/ns/default/sa/indexer".to_owned(),
        "spiffe://cluster.local/ns/agents-evil/sa/indexer".to_owned(),
        "spiffe://other.local/ns/agents/sa/indexer".to_owned(),
        format!("{ingress}/x"),
        ingress.replace("cluster.local", "evil.local"),
        ingress.to_uppercase(),
    ] {
        let answer = mesh.caller(&sidecar, &id).get_with("/", &header).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status, 403, "{id}: {answer:?}");
    }
    // Two names: the proxy finds the ingress among them, the filter takes no peer for two.
    let two = [san_uri(&ingress), san_uri(AGENT)];
    let caller = mesh.caller_with(&sidecar, &mesh.workload_with(&two));
    let answer = caller.get_with("/", &header).await.unwrap();
    answer.assert_denied(403, "ambiguous_identity");
    assert_eq!(mesh.application.received(), []);
}

/// Istio's CA writes the SPIFFE ID itself as a CN, where a workload asks for one. That is nobody.
#[tokio::test]
async fn an_agent_with_its_spiffe_id_as_cn_is_refused() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let leaf = Leaf::of([common_name(AGENT)]).subject_alt_names(&[san_uri(AGENT)]);
    let caller = mesh.caller_with(&sidecar, &mesh.authority.issue(&leaf));
    let answer = caller.get("/").await.unwrap();
    answer.assert_denied(403, "invalid_identity");
    assert_eq!(mesh.application.received(), []);
}

#[tokio::test]
async fn who_is_not_of_the_mesh_does_not_get_to_the_sidecars_filter() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let user = mesh.users.client("admin@example.com");
    let client = mesh.caller_with(&sidecar, &user);
    assert!(client.get("/").await.is_err());
    let other = Mesh::of("sidecar", Release::newest()).await;
    let client = mesh.caller_with(&sidecar, &other.workload(AGENT));
    assert!(client.get("/").await.is_err());
    assert_eq!(mesh.application.received(), []);
}

/// In the `gateway` overlay the sidecar has no filter: it lets the ingress in, and nobody else.
#[tokio::test]
async fn behind_a_filter_in_the_ingress_alone_nobody_else_reaches_the_sidecar() {
    let mesh = Mesh::of("gateway", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let marks = [
        ("x-ssl-client-s-dn-cn", "admin@example.com"),
        ("x-ssl-client-verify", "SUCCESS"),
    ];
    let answer = mesh.caller(&sidecar, AGENT).get_with("/", &marks).await;
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.body), (403, RBAC.into()));
    assert_eq!(mesh.application.received(), []);
}
