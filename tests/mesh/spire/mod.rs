//! A real SPIRE behind `spiffe` identities: Envoy has its certificate and the authorities from SPIRE's agent by SDS, and a
//! workload has its SVID from there.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::client::Client;
use crate::harness::forged::FORGED;
use crate::harness::gateway::{USER, VERIFY};
use crate::harness::leaf::{Leaf, san_uri};
use crate::harness::{BOOT_PATIENCE, Fixture, Site, eventually};

mod server;

use server::{INDEXER, Spire, Svid};

/// Envoy's certificate and its authorities by SDS, as SPIRE's documentation has it.
fn by_sds(agent: std::path::PathBuf, authorities: String) -> impl FnOnce(&mut Bootstrap) + 'static {
    move |envoy| {
        let source = json!({
            "resource_api_version": "V3",
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "spire_agent"}}],
            },
        });
        let secret = |name: &str| json!({"name": name, "sds_config": source});
        let tls = &mut envoy.downstream_tls()["common_tls_context"];
        let tls = tls.as_object_mut().unwrap();
        tls.remove("tls_certificates").unwrap();
        tls.remove("validation_context").unwrap();
        tls.insert(
            "tls_certificate_sds_secret_configs".to_owned(),
            json!([secret("default")]),
        );
        tls.insert(
            "validation_context_sds_secret_config".to_owned(),
            secret(&authorities),
        );
        let cluster = json!({
            "name": "spire_agent",
            "type": "STATIC",
            "connect_timeout": "1s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {}},
                },
            },
            "load_assignment": {"cluster_name": "spire_agent", "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": {"pipe": {"path": agent}}},
            }]}]},
        });
        let clusters = &mut envoy.value()["static_resources"]["clusters"];
        clusters.as_array_mut().unwrap().push(cluster);
        envoy.value()["node"] = json!({"id": "gateway", "cluster": "gateways"});
    }
}

/// The shipped configuration, for workloads, in an Envoy that has its certificate.
async fn site(spire: &Spire, envoy: &'static str, authorities: &str) -> Site {
    let site = Fixture::new()
        .on(envoy)
        .plugin(json!({"identity": {"sources": ["spiffe"]}}))
        .edit(by_sds(spire.socket(), authorities.to_owned()))
        .start()
        .await;
    eventually("Envoy has its certificate", BOOT_PATIENCE, async || {
        client(&site, &spire.fetched()?).handshake().await.ok()
    })
    .await;
    site
}

/// A workload with this SVID, which trusts the last of the authorities that came with it.
fn client(site: &Site, svid: &Svid) -> Client {
    let authorities = CertificateDer::pem_slice_iter(svid.bundle.as_bytes());
    let last = authorities.last().unwrap().unwrap();
    Client::new(site.envoy.address(), &last).presenting(&svid.credentials)
}

/// Its SPIFFE ID is the user, whatever it writes.
async fn is_the_indexer(client: &Client) -> Option<()> {
    let forged = [(USER, FORGED), (VERIFY, "SUCCESS")];
    for headers in [&[][..], &forged] {
        let answer = client.get_with("/", headers).await.ok()?;
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = answer.gateway();
        assert_eq!(received.owned(), [(USER, INDEXER), (VERIFY, "SUCCESS")]);
    }
    Some(())
}

/// The certificate that Envoy shows to a new connection.
async fn shown_to(client: &Client) -> Vec<u8> {
    let stream = client.handshake().await.unwrap();
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    chain[0].to_vec()
}

/// SVIDs are renewed, and so is Envoy's certificate: the workload is itself all the while, and an SVID is worth nothing
/// after its end.
async fn a_workload_is_its_svid(envoy: &'static str, authorities: &str) {
    let spire = Spire::start(envoy).await;
    let site = site(&spire, envoy, authorities).await;
    let svid = spire.svid().await;
    let first = client(&site, &svid);
    is_the_indexer(&first).await.unwrap();
    let mut kept = first.connect().await.unwrap();
    let shown = shown_to(&first).await;

    // The same name from an authority of somebody else's.
    let leaf = Leaf::of([]).subject_alt_names(&[san_uri(INDEXER)]);
    let stranger = first.clone().presenting(&Authority::new().issue(&leaf));
    assert!(stranger.get("/").await.is_err());

    let second = client(&site, &spire.next_svid(&svid).await);
    is_the_indexer(&second).await.unwrap();
    eventually("Envoy has a new certificate", BOOT_PATIENCE, async || {
        is_the_indexer(&second).await.unwrap();
        (shown_to(&second).await != shown).then_some(())
    })
    .await;

    let answer = eventually("the first SVID has ended", BOOT_PATIENCE, async || {
        let answer = kept.get("/").await.unwrap();
        (answer.status != 200).then_some(answer)
    })
    .await;
    answer.assert_denied(403, "certificate_expired");
    assert!(first.get("/").await.is_err());
}

#[tokio::test]
async fn a_workload_is_its_svid_on_1_40() {
    a_workload_is_its_svid("1.40.0", "ALL").await;
}

#[tokio::test]
async fn a_workload_is_its_svid_on_1_39() {
    a_workload_is_its_svid("1.39.3", "ROOTCA").await;
}

/// It cannot say what it validated; the configuration speaks for it.
#[tokio::test]
async fn a_workload_is_its_svid_on_1_38() {
    a_workload_is_its_svid("1.38.2", TRUST_DOMAIN_ID).await;
}

/// SPIRE's name for the authorities of the trust domain alone.
const TRUST_DOMAIN_ID: &str = "spiffe://mesh.example.com";

/// The authority is replaced, and the old one revoked.
#[tokio::test]
async fn who_has_an_svid_of_a_revoked_authority_gets_no_connection() {
    let envoy = "1.40.0";
    let spire = Spire::start(envoy).await;
    let site = site(&spire, envoy, TRUST_DOMAIN_ID).await;
    let svid = spire.svid().await;
    let old = client(&site, &svid);
    is_the_indexer(&old).await.unwrap();

    let authority = |command: &str, id: &[&str]| {
        let printed = spire.administer(&[&["localauthority", "x509", command], id].concat());
        let line = printed.lines().find(|line| line.contains("Authority ID:"));
        line.unwrap().split(' ').next_back().unwrap().to_owned()
    };
    let newer = authority("prepare", &[]);
    authority("activate", &["-authorityID", &newer]);
    let old_id = spire.administer(&["localauthority", "x509", "show"]);
    println!("{old_id}");
    let old_id = old_id
        .split("Authority ID:")
        .filter_map(|part| part.split_whitespace().next())
        .find(|id| *id != newer && id.len() == newer.len())
        .unwrap()
        .to_owned();
    authority("taint", &["-authorityID", &old_id]);
    let mut newest = spire.next_svid(&svid).await;
    eventually(
        "the workload's SVID is of the new authority",
        BOOT_PATIENCE,
        async || {
            newest = spire.fetched()?;
            is_the_indexer(&client(&site, &newest)).await
        },
    )
    .await;
    authority("revoke", &["-authorityID", &old_id]);
    eventually(
        "Envoy knows that it is revoked",
        BOOT_PATIENCE,
        async || old.get("/").await.is_err().then_some(()),
    )
    .await;
    is_the_indexer(&client(&site, &spire.fetched().unwrap()))
        .await
        .unwrap();
}
