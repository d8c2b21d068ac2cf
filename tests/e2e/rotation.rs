//! Certificates, CAs and CRLs change while Envoy serves: by the files of `envoy/xds`.

use tokio::task::LocalSet;

use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::Client;
use crate::harness::forged::assert_only_user;
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::load::{Keeping, Load};
use crate::xds::{Crl, Xds};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

/// The files of `envoy/certs`.
fn files(
    server: &Credentials,
    authorities: &[&Authority],
    crl: String,
) -> Vec<(&'static str, String)> {
    let trusted = authorities.iter().map(|authority| authority.pem());
    vec![
        ("server.crt", server.pem()),
        ("server.key", server.key_pem()),
        ("ca.crt", trusted.collect()),
        ("ca.crl", crl),
    ]
}

/// A site that watches its certificates, and the folder that it watches.
async fn site(crl: Crl, list: impl FnOnce(&Authority) -> String) -> (Site, Xds, Credentials) {
    let fixture = Fixture::new();
    let authority = fixture.authority();
    let server = authority.server();
    let xds = Xds::with_certificates(&files(&server, &[authority], list(authority)));
    let site = fixture.edit(xds.certificates(crl)).start().await;
    (site, xds, server)
}

async fn is_admitted(client: &Client) -> bool {
    client
        .get("/")
        .await
        .is_ok_and(|answer| answer.status == 200)
}

async fn until_admitted(client: &Client) {
    let admitted = async || is_admitted(client).await.then_some(());
    eventually("the client is admitted", PATIENCE, admitted).await;
}

async fn until_refused(client: &Client) {
    let refused = async || client.get("/").await.is_err().then_some(());
    eventually("the client is refused", PATIENCE, refused).await;
}

/// The certificate that Envoy shows to a new connection.
async fn shown_to(client: &Client) -> Vec<u8> {
    let stream = client.handshake().await.unwrap();
    let certificates = stream.get_ref().1.peer_certificates().unwrap();
    certificates[0].to_vec()
}

/// Waits until Envoy shows this one to new connections.
pub(crate) async fn until_shown(client: &Client, credentials: &Credentials) {
    eventually("Envoy shows its new certificate", PATIENCE, async || {
        (shown_to(client).await == credentials.certificate().to_vec()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn certificates_and_cas_rotate_under_load_and_no_open_connection_notices() {
    LocalSet::new().run_until(rotation()).await;
}

async fn rotation() {
    let (site, xds, server) = site(Crl::None, |_| String::new()).await;
    let (old, new) = (&site.authority, Authority::named("New CA"));
    let alice = site.client(ALICE);
    let bob = site.client_with(&new.client(BOB));
    let http2 = alice.clone().http2();
    let load = Load::of(
        vec![
            (alice.clone(), Keeping::Open),
            (alice.clone(), Keeping::Open),
            (http2.clone(), Keeping::Open),
            (http2, Keeping::Open),
        ],
        &["/"],
    );
    assert_eq!(shown_to(&alice).await, server.certificate().to_vec());
    assert!(!is_admitted(&bob).await);

    let renewed = old.server();
    xds.rotate(&files(&renewed, &[old], String::new()));
    until_shown(&alice, &renewed).await;
    load.goes_on(5).await;

    xds.rotate(&files(&renewed, &[old, &new], String::new()));
    until_admitted(&bob).await;
    assert!(is_admitted(&alice).await);
    load.goes_on(5).await;

    xds.rotate(&files(&renewed, &[&new], String::new()));
    until_refused(&alice).await;
    assert!(is_admitted(&bob).await);
    load.goes_on(5).await;

    for answers in load.end().await {
        for (_, answer) in answers {
            assert_only_user(&answer.gateway(), ALICE);
        }
    }
    for stat in [
        "sds.server.key_rotation_failed",
        "sds.clients.update_rejected",
    ] {
        assert_eq!(site.envoy.stat(stat).await, Some(0), "{stat}");
    }
}

#[tokio::test]
async fn a_crl_takes_effect_on_new_connections_when_its_file_changes() {
    let (site, xds, server) = site(Crl::Asked, |authority| authority.revocation_list(&[])).await;
    let authority = &site.authority;
    let leaf = Leaf::of([common_name(ALICE)]).serial(&[0x0a, 0xbc]);
    let alice = site.client_with(&authority.issue(&leaf));
    let bob = site.client(BOB);
    let mut open = alice.connect().await.unwrap();
    assert_eq!(open.get("/").await.unwrap().status, 200);

    let list = authority.revocation_list(&[&[0x0a, 0xbc]]);
    xds.rotate(&files(&server, &[authority], list));
    until_refused(&alice).await;
    assert!(is_admitted(&bob).await);
    let line = eventually("the refusal in the access log", PATIENCE, async || {
        let mut lines = site.envoy.access_log().into_iter();
        lines.find(|line| line.get("failure").is_some())
    })
    .await;
    assert_eq!(line["claimed_subject"], format!("CN={ALICE}"));
    let failure = line["failure"].as_str().unwrap();
    assert!(failure.contains("certificate_revoked"), "{failure}");
    // A connection that is open is not the CRL's: that is what `revoked` is for.
    assert_eq!(open.get("/").await.unwrap().status, 200);
}

#[tokio::test]
async fn with_a_crl_every_ca_needs_its_own() {
    let (site, xds, server) = site(Crl::Asked, |authority| authority.revocation_list(&[])).await;
    let (old, new) = (&site.authority, Authority::named("New CA"));
    let bob = site.client_with(&new.client(BOB));
    let alice = site.client(ALICE);
    assert!(is_admitted(&alice).await);

    let only_old = old.revocation_list(&[]);
    let before = site.envoy.stats("ssl_context_update_by_sds").await;
    xds.rotate(&files(&server, &[old, &new], only_old.clone()));
    eventually("Envoy has read both CAs", PATIENCE, async || {
        let now = site.envoy.stats("ssl_context_update_by_sds").await;
        (now != before).then_some(())
    })
    .await;
    assert!(!is_admitted(&bob).await);
    assert!(is_admitted(&alice).await);

    let both = only_old + &new.revocation_list(&[]);
    xds.rotate(&files(&server, &[old, &new], both));
    until_admitted(&bob).await;
    assert!(is_admitted(&alice).await);
}
