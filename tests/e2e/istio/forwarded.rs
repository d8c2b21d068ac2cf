//! An ingress gateway that forwards what it should not: its own word is believed, and only where it reads in one way.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::mesh::Mesh;
use super::release::RELEASES;
use crate::harness::certs::Credentials;
use crate::harness::forged::assert_only_user;
use crate::harness::raw::get_bytes;

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

fn cert(credentials: &Credentials) -> String {
    let pem = credentials.pem();
    format!("Cert=\"{}\"", utf8_percent_encode(&pem, NON_ALPHANUMERIC))
}

/// An element as Envoy writes it for this certificate.
pub(super) fn element(credentials: &Credentials) -> String {
    format!("Hash={};{}", credentials.sha256(), cert(credentials))
}

/// What the ingress forwards, and who that is; nobody where it is refused.
fn cases(alice: &Credentials, admin: &Credentials) -> Vec<(String, Option<&'static str>)> {
    let [alice_element, admin_element] = [alice, admin].map(element);
    let [alice_hash, admin_hash] = [alice, admin].map(Credentials::sha256);
    vec![
        (alice_element.clone(), Some(ALICE)),
        (
            format!("By=spiffe://a/b;{alice_element};Subject=\"CN=alice@example.com\";URI=;DNS=a"),
            Some(ALICE),
        ),
        // Two elements.
        (format!("{alice_element},{admin_element}"), None),
        (format!("{admin_element},{alice_element}"), None),
        (format!("Hash={admin_hash},{alice_element}"), None),
        // A subject is not believed, nor a name.
        (format!("Hash={admin_hash};Subject=\"CN={ADMIN}\""), None),
        (format!("Subject=\"CN={ADMIN}\""), None),
        (
            format!("Hash={admin_hash};URI=spiffe://cluster.local/ns/agents/sa/x"),
            None,
        ),
        // A second one in the same element.
        (
            format!("{alice_element};URI=spiffe://a/b;{}", cert(admin)),
            None,
        ),
        (format!("{alice_element};URI=a;Hash={admin_hash}"), None),
        (format!("Hash={alice_hash};{}", cert(admin)), None),
        (cert(admin), None),
        // An element of a SAN.
        (
            format!("{alice_element};URI=spiffe://a/b,{admin_element}"),
            None,
        ),
        // Quotes that swallow what follows.
        (format!("{alice_element};Subject=\""), None),
        (format!("{alice_element};URI=\"x,{admin_element}"), None),
        (format!("Subject=\"x;{admin_element}"), None),
        ("\"".to_owned(), None),
        (",".to_owned(), None),
        (String::new(), None),
    ]
}

#[tokio::test]
async fn what_the_ingress_forwards_is_the_true_client_or_nobody() {
    for release in RELEASES {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar().await;
        let [alice, admin] = [ALICE, ADMIN].map(|name| mesh.users.client(name));
        let ingress = mesh.caller(&sidecar, &mesh.ingress_id());
        let mut connection = ingress.connect_raw().await.unwrap();
        for (header, expected) in cases(&alice, &admin) {
            let line = format!("X-Forwarded-Client-Cert: {header}");
            let answer = connection.exchange(&get_bytes("/", [&line])).await.unwrap();
            match expected {
                Some(user) => assert_only_user(&answer.gateway(), user),
                None => assert_eq!(answer.denial().0, 403, "{release:?} {header}"),
            }
        }
        // In two lines it is still two.
        let lines =
            [&alice, &admin].map(|client| format!("X-Forwarded-Client-Cert: {}", element(client)));
        let answer = connection.exchange(&get_bytes("/", &lines)).await.unwrap();
        answer.assert_denied(403, "forwarded_ambiguous");
        // Nothing forwarded: the ingress speaks for nobody, and is no user itself.
        let answer = connection.exchange(&get_bytes("/", [""; 0])).await.unwrap();
        answer.assert_denied(403, "no_certificate");
        assert_eq!(mesh.application.received().len(), 2);
    }
}
