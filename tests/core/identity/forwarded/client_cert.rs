//! Peers that are known by a pin, and Client-Cert (RFC 9440).

use mtls_identity::certificate::pem;
use serde_json::json;

use crate::decision::{configuration, issue, now, outcome, serve_head, validated};
use crate::identity::forwarded::xfcc::{admin, client, element, hash, head};
use crate::leaf::{Leaf, common_name as cn};

/// Who sends a request with this Client-Cert over a connection of this peer, which is pinned.
fn sender_by_client_cert(peer: &[u8], headers: &[(&str, &str)]) -> String {
    let text = pem::encode(peer);
    let configuration = configuration(&json!({"certificate": {
        "forwarded_by": [format!("sha256:{}", hash(peer))],
        "forwarded_header": "rfc9440",
    }}));
    outcome(&serve_head(
        &configuration,
        &validated(&text),
        headers,
        now(),
    ))
}

#[test]
fn a_pinned_peer_speaks_for_the_client_in_client_cert() {
    let balancer = issue(&Leaf::of([cn("balancer")]));
    let written = |der: &[u8]| format!(":{}:", data_encoding::BASE64.encode(der));
    let (client, admin) = (written(&client()), written(&admin()));
    let xfcc = element(&issue(&Leaf::of([cn("admin")])));
    let ambiguous = "forwarded_ambiguous";
    for (headers, expected) in [
        (vec![("client-cert", client.as_str())], "client"),
        (vec![("client-cert", &format!(" {client}\t"))], "client"),
        (
            vec![("client-cert", &client), ("x-forwarded-client-cert", &xfcc)],
            "client",
        ),
        (vec![("x-forwarded-client-cert", &xfcc)], "no_certificate"),
        (vec![("client-cert-chain", &client)], "no_certificate"),
        (vec![("client_cert", &client)], "no_certificate"),
        (
            vec![("client-cert", &client), ("client-cert", &admin)],
            ambiguous,
        ),
        (
            vec![("client-cert", &client), ("client-cert", &client)],
            ambiguous,
        ),
        (
            vec![("client-cert", ""), ("client-cert", &client)],
            ambiguous,
        ),
        (
            vec![("client-cert", &format!("{client}, {admin}"))],
            ambiguous,
        ),
        (vec![("client-cert", &format!("{client};a=1"))], ambiguous),
        (vec![("client-cert", client.trim_matches(':'))], ambiguous),
        (
            vec![(
                "client-cert",
                &format!("{}=:", client.trim_end_matches(':')),
            )],
            ambiguous,
        ),
        (vec![("client-cert", "::")], ambiguous),
        (vec![("client-cert", ":")], ambiguous),
        (vec![("client-cert", "")], ambiguous),
        (vec![("client-cert", &pem::encode(b"x"))], ambiguous),
        (vec![("client-cert", ":AAAA:")], "certificate_unreadable"),
        (vec![], "no_certificate"),
    ] {
        assert_eq!(
            sender_by_client_cert(&balancer, &headers),
            expected,
            "{headers:?}"
        );
    }
}

#[test]
fn a_pin_names_one_peer_and_its_twin_is_another() {
    let balancer = issue(&Leaf::of([cn("balancer")]));
    let other = issue(&Leaf::of([cn("other")]));
    let header = element(&client());
    let key = crate::openssl::spki_sha256(&balancer);
    for pin in [
        format!("sha256:{}", hash(&balancer)),
        format!("SHA256:{}", hash(&balancer).to_uppercase()),
        format!("spki-sha256:{key}"),
    ] {
        let configuration = configuration(&json!({"certificate": {"forwarded_by": [pin]}}));
        for (peer, expected) in [(&balancer, "client"), (&other, "other")] {
            let text = pem::encode(peer);
            let head = head(&header);
            let served = serve_head(&configuration, &validated(&text), &head, now());
            assert_eq!(outcome(&served), expected, "{pin}");
        }
    }
}
