//! A proxy in front that speaks for its clients in Client-Cert (RFC 9440), known by a pin.

use data_encoding::BASE64;
use serde_json::json;

use crate::harness::certs::Credentials;
use crate::harness::forged::{assert_only_user, filter_alone};
use crate::harness::raw::get_bytes;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

fn client_cert(credentials: &Credentials) -> String {
    format!(
        "Client-Cert: :{}:",
        BASE64.encode(credentials.certificate())
    )
}

/// The site, and the proxy whose pin of this kind it trusts.
async fn site(pin: fn(&Credentials) -> String) -> (Site, Credentials) {
    let fixture = Fixture::new();
    let proxy = fixture.authority().client("proxy");
    let plugin = json!({"certificate": {
        "forwarded_by": [pin(&proxy)],
        "forwarded_header": "rfc9440",
    }});
    // The listener's early removal would take the header away before the filter sees it.
    let site = fixture.plugin(plugin).edit(filter_alone).start().await;
    (site, proxy)
}

#[tokio::test]
async fn a_pinned_proxy_speaks_for_the_client_of_each_request() {
    let pins: [fn(&Credentials) -> String; 2] = [
        |proxy| format!("sha256:{}", proxy.sha256()),
        Credentials::spki_pin,
    ];
    for pin in pins {
        let (site, proxy) = site(pin).await;
        let [alice, admin] = [ALICE, ADMIN].map(|name| site.authority.client(name));
        let mut connection = site.client_with(&proxy).connect_raw().await.unwrap();
        // One connection for all: what was said of one request is forgotten with the next.
        for (credentials, user) in [(&alice, ALICE), (&admin, ADMIN), (&alice, ALICE)] {
            let request = get_bytes("/", [client_cert(credentials)]);
            let received = connection.exchange(&request).await.unwrap().gateway();
            assert_only_user(&received, user);
            assert!(received.values("client-cert").is_empty());
            let nobody = get_bytes("/", [""; 0]);
            let answer = connection.exchange(&nobody).await.unwrap();
            answer.assert_denied(403, "no_certificate");
        }
        let both = get_bytes("/", [client_cert(&alice), client_cert(&admin)]);
        let answer = connection.exchange(&both).await.unwrap();
        answer.assert_denied(403, "forwarded_ambiguous");
        let unreadable = get_bytes("/", ["Client-Cert: :AAAA:"]);
        let answer = connection.exchange(&unreadable).await.unwrap();
        answer.assert_denied(403, "certificate_unreadable");
    }
}

#[tokio::test]
async fn client_cert_of_anybody_else_is_worth_nothing() {
    let (site, _) = site(|proxy| format!("sha256:{}", proxy.sha256())).await;
    let admin = site.authority.client(ADMIN);
    let mut connection = site.client(ALICE).connect_raw().await.unwrap();
    let request = get_bytes("/", [client_cert(&admin)]);
    let received = connection.exchange(&request).await.unwrap().gateway();
    assert_only_user(&received, ALICE);
    assert!(received.values("client-cert").is_empty());
}
