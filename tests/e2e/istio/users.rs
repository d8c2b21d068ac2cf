//! Users behind the ingress gateway: two Envoys, two TLS hops, and their CN at the MCP gateway.

use super::mesh::{AGENT, AGENT_USER, Mesh};
use super::proxy::{Proxy, configured};
use super::release::{OLDEST_AND_NEWEST, RELEASES, Release};
use serde_json::json;

use crate::harness::client::Client;
use crate::harness::forged::{FORGED, assert_nobody, assert_only_user, lines};
use crate::harness::gateway::Received;
use crate::harness::leaf::{Leaf, common_name, san_dns, san_uri};
use crate::harness::raw::{get_bytes, upgrade_bytes};

const ALICE: &str = "alice@example.com";
const XFCC: &str = "x-forwarded-client-cert";

async fn mesh(release: Release) -> (Mesh, Proxy, Proxy) {
    let mesh = Mesh::of("sidecar", release).await;
    let sidecar = mesh.sidecar().await;
    let ingress = mesh.ingress(&sidecar).await;
    (mesh, sidecar, ingress)
}

#[track_caller]
fn assert_user(received: &Received, user: &str) {
    assert_only_user(received, user);
    // Two certificates are more than some gateways take.
    assert!(received.values(XFCC).is_empty());
}

#[tokio::test]
async fn a_user_behind_the_ingress_is_their_cn_at_the_mcp_gateway() {
    for release in RELEASES {
        let (mesh, sidecar, ingress) = mesh(release).await;
        let alice = mesh.user(&ingress, ALICE);
        for client in [alice.clone(), alice.clone().http2()] {
            let mut connection = client.connect().await.unwrap();
            for _ in 0..2 {
                let answer = connection.get("/mcp").await.unwrap();
                assert_user(&answer.gateway(), ALICE);
            }
        }
        let mut socket = alice.websocket("/ws", &[]).await.unwrap();
        assert_user(&socket.opening().await, ALICE);
        let events = alice.events("/servers/1/sse?events=2").await;
        let first = events.unwrap().next().await.unwrap();
        assert_user(&serde_json::from_str(&first).unwrap(), ALICE);
        // Both filters decided, each for itself.
        for proxy in [&sidecar, &ingress] {
            proxy.envoy.counts("allow", 6).await;
        }
    }
}

#[tokio::test]
async fn one_connection_of_the_ingress_carries_many_users_and_mixes_none() {
    for release in OLDEST_AND_NEWEST {
        let (mesh, _sidecar, ingress) = mesh(release).await;
        let names = ["alice@example.com", "bob@example.com", "carol@example.com"];
        let clients = names.map(|name| mesh.user(&ingress, name));
        for _ in 0..3 {
            for (name, client) in names.iter().zip(&clients) {
                assert_user(&client.get("/").await.unwrap().gateway(), name);
            }
        }
    }
}

/// Istio's gateways resume TLS sessions, and then Envoy does not say that it validated the certificate. The shipped
/// ingress does not.
#[tokio::test]
async fn a_user_who_offers_a_session_makes_a_full_handshake_and_is_that_user() {
    for release in RELEASES {
        let (mesh, _sidecar, ingress) = mesh(release).await;
        for alice in [
            mesh.user(&ingress, ALICE).tls12(),
            mesh.user(&ingress, ALICE).tls13(),
        ] {
            let alice = alice.resuming();
            for _ in 0..3 {
                let mut connection = alice.connect().await.unwrap();
                assert!(!connection.resumed(), "{release:?}");
                assert_user(&connection.get("/").await.unwrap().gateway(), ALICE);
            }
        }
    }
}

#[tokio::test]
async fn who_has_no_certificate_of_the_users_does_not_get_to_a_filter() {
    let (mesh, sidecar, ingress) = mesh(Release::newest()).await;
    let nobody = mesh.user(&ingress, ALICE);
    let stranger = Mesh::of("sidecar", Release::newest()).await;
    let of_the_mesh = mesh.workload(&mesh.ingress_id());
    for client in [
        nobody.clone().presenting(&stranger.users.client(ALICE)),
        // The ingress trusts the users' CA only, not the mesh's.
        nobody.clone().presenting(&of_the_mesh),
    ] {
        assert!(client.get("/").await.is_err());
    }
    assert_eq!(mesh.application.received(), []);
    let decided = sidecar.envoy.stats("wasmcustom.mtls_identity.allow").await;
    assert!(!decided.contains(": 1"), "{decided}");
}

#[tokio::test]
async fn a_user_who_writes_identity_headers_stays_who_they_are() {
    let (mesh, _sidecar, ingress) = mesh(Release::newest()).await;
    let alice = mesh.user(&ingress, ALICE);
    // What no manifest names is a header like any other.
    let free = ["x-organization", "x-tenant", "x-role"];
    for line in lines() {
        let name = line.split(':').next().unwrap();
        let name = name.to_ascii_lowercase().replace('_', "-");
        if free.contains(&name.as_str()) {
            continue;
        }
        for request in [
            get_bytes("/", [&line, &line]),
            upgrade_bytes("/ws", ["Connection: upgrade", &line]),
        ] {
            let status = alice.raw(&request).await.unwrap().status;
            assert!(matches!(status, 101 | 200), "{status} {line}");
        }
    }
    let received = mesh.application.received();
    assert!(received.len() > 20, "{}", received.len());
    received
        .iter()
        .for_each(|received| assert_user(received, ALICE));
}

/// What the ingress believes of where a request comes from is what it knows itself.
#[tokio::test]
async fn a_user_who_writes_forwarding_headers_writes_them_for_nobody() {
    for release in OLDEST_AND_NEWEST {
        let (mesh, _sidecar, ingress) = mesh(release).await;
        let alice = mesh.user(&ingress, ALICE);
        let admin = mesh.users.client("admin@example.com");
        let hash = admin.sha256();
        let names = ["forwarded", "x-real-ip", "x-original-url", "x-rewrite-url"];
        let mut headers: Vec<_> = names.iter().map(|name| (*name, FORGED)).collect();
        headers.extend([("x-forwarded-for", FORGED), ("x-forwarded-host", FORGED)]);
        let forged = format!("Hash={hash};Subject=\"CN=admin@example.com\"");
        headers.push((XFCC, &forged));
        let received = alice.get_with("/", &headers).await.unwrap().gateway();
        assert_user(&received, ALICE);
    }
}

/// Envoy copies the SANs of a certificate into X-Forwarded-Client-Cert as they are.
#[tokio::test]
async fn a_user_whose_certificate_forges_elements_is_refused_or_themselves() {
    for release in OLDEST_AND_NEWEST {
        let (mesh, sidecar, ingress) = mesh(release).await;
        let admin = mesh.users.client("admin@example.com");
        let element = super::forwarded::element(&admin);
        let agent = AGENT;
        let uris = [
            format!("spiffe://a/b,{element}"),
            format!("spiffe://a/b;{element}"),
            format!("spiffe://a/b;Subject=\"CN=admin@example.com\",{element}"),
            "spiffe://a/b\"".to_owned(),
            "spiffe://a/b;Chain=\"".to_owned(),
            "spiffe://a/b,By=\"".to_owned(),
            format!("{},", mesh.ingress_id()),
            mesh.ingress_id(),
            agent.to_owned(),
        ];
        for uri in &uris {
            let names = [san_uri(uri), san_dns("a,Hash=b;Cert=c")];
            for names in [&names[..1], &names[..]] {
                let leaf = Leaf::of([common_name(ALICE)]).subject_alt_names(names);
                let client = mesh.user_with(&ingress, &mesh.users.issue(&leaf));
                let answer = client.get("/").await.unwrap();
                if answer.status == 200 {
                    assert_user(&answer.gateway(), ALICE);
                } else {
                    assert_eq!(answer.status, 403, "{uri}: {answer:?}");
                }
            }
        }
        // The ingress itself does not look at the SANs.
        let denied = ingress.envoy.stats("mtls_identity.deny").await;
        assert!(!denied.contains("forwarded_ambiguous: 1"), "{denied}");
        // And writes none of them into what the sidecar reads.
        let ambiguous = "wasmcustom.mtls_identity.deny.forwarded_ambiguous";
        assert!(sidecar.envoy.stat(ambiguous).await.unwrap_or(0) == 0);
    }
}

/// While clients with a JWT are let in as well: who shows no certificate goes on as nobody, never as who they write.
#[tokio::test]
async fn where_a_certificate_is_optional_who_has_none_goes_on_without_an_identity() {
    let optional = || configured(|filter| filter["identity"]["missing"] = json!("strip"));
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar_with(optional(), |_| {}).await;
        let ingress = mesh.ingress_with(&sidecar, optional(), |envoy| {
            let listener = &mut envoy["static_resources"]["listeners"][0];
            let tls = &mut listener["filter_chains"][0]["transport_socket"]["typed_config"];
            tls["require_client_certificate"] = json!(false);
        });
        let ingress = ingress.await;
        let alice = mesh.user(&ingress, ALICE);
        assert_user(&alice.get("/").await.unwrap().gateway(), ALICE);
        let nobody = Client::new(ingress.envoy.address(), mesh.users.certificate());
        let element = super::forwarded::element(&mesh.users.client("admin@example.com"));
        let forged = [
            ("x-ssl-client-s-dn-cn", FORGED),
            ("x-ssl-client-verify", FORGED),
            (XFCC, element.as_str()),
            ("authorization", "Bearer token"),
        ];
        let received = nobody.get_with("/", &forged).await.unwrap().gateway();
        assert_nobody(&received);
        assert_eq!(received.values("authorization"), ["Bearer token"]);
        assert!(received.values(XFCC).is_empty());
    }
}

/// It would act with the certificate of whoever looks at it.
#[tokio::test]
async fn a_page_of_another_site_gets_nothing_with_a_users_certificate() {
    for overlay in ["gateway", "sidecar"] {
        let mesh = Mesh::of(overlay, Release::newest()).await;
        let sidecar = mesh.sidecar().await;
        let ingress = mesh.ingress(&sidecar).await;
        let alice = mesh.user(&ingress, ALICE);
        for (site, passes) in [
            ("cross-site", false),
            ("same-site", false),
            ("same-origin", true),
            ("none", true),
        ] {
            let page = [("sec-fetch-site", site)];
            let answer = alice.get_with("/servers/1/mcp", &page).await.unwrap();
            match passes {
                true => assert_user(&answer.gateway(), ALICE),
                false => answer.assert_denied(403, "not_authorized"),
            }
        }
    }
}

#[tokio::test]
async fn a_user_with_the_name_of_an_agent_is_refused() {
    for overlay in ["gateway", "sidecar"] {
        let mesh = Mesh::of(overlay, Release::newest()).await;
        let sidecar = mesh.sidecar().await;
        let ingress = mesh.ingress(&sidecar).await;
        for name in [
            AGENT_USER,
            "INDEXER@Agents.Agents.Example.Com",
            "admin@other.agents.example.com",
        ] {
            let answer = mesh.user(&ingress, name).get("/").await.unwrap();
            answer.assert_denied(403, "not_authorized");
        }
        assert_eq!(mesh.application.received(), []);
    }
}

/// The filter of the ingress reads the CN and nothing else: a SPIFFE ID of the users' CA is nobody's.
#[tokio::test]
async fn a_user_without_a_cn_is_nobody_also_with_the_name_of_an_agent() {
    let (mesh, _sidecar, ingress) = mesh(Release::newest()).await;
    let leaf = Leaf::of([]).subject_alt_names(&[san_uri(AGENT)]);
    let client = mesh.user_with(&ingress, &mesh.users.issue(&leaf));
    let answer = client.get("/").await.unwrap();
    answer.assert_denied(403, "no_identity");
    assert_eq!(mesh.application.received(), []);
}
