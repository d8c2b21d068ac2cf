//! X-Forwarded-Client-Cert as Envoy writes it and as an attacker would have it.

use mtls_identity::certificate::pem;
use mtls_identity::identity::ConnectionAttributes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::decision::{configuration, issue, now, outcome, serve_head, validated};
use crate::leaf::{Leaf, common_name as cn, san_uri};

pub(crate) const INGRESS: &str = "spiffe://cluster.local/ns/istio-system/sa/ingress";

pub(crate) fn hash(der: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(der))
}

pub(crate) fn cert(der: &[u8]) -> String {
    let pem = pem::encode(der);
    format!("Cert=\"{}\"", utf8_percent_encode(&pem, NON_ALPHANUMERIC))
}

/// An element as Envoy writes it, up to what the certificate itself says.
pub(crate) fn element(der: &[u8]) -> String {
    format!("By=spiffe://a/b;Hash={};{}", hash(der), cert(der))
}

pub(crate) fn client() -> Vec<u8> {
    issue(&Leaf::of([cn("client")]))
}

pub(crate) fn admin() -> Vec<u8> {
    issue(&Leaf::of([cn("admin")]))
}

pub(crate) fn peer_with(uri: &str) -> Vec<u8> {
    issue(&Leaf::of([cn("peer")]).subject_alt_names(&[san_uri(uri)]))
}

/// The head of a request with this X-Forwarded-Client-Cert; without it where it is empty.
pub(crate) fn head(header: &str) -> Vec<(&str, &str)> {
    let forwarded = [("x-forwarded-client-cert", header)];
    forwarded
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Who sends a request with this header over a connection of this peer, whose PEM Envoy gives.
pub(crate) fn sender(peer: &[u8], header: &str) -> String {
    let pem = pem::encode(peer);
    let configuration = configuration(&json!({"certificate": {"forwarded_by": [INGRESS]}}));
    let head = head(header);
    outcome(&serve_head(&configuration, &validated(&pem), &head, now()))
}

#[test]
fn a_trusted_peer_speaks_for_its_client() {
    let ingress = peer_with(INGRESS);
    let own = format!("Hash={};Subject=\"\";URI={INGRESS}", hash(&ingress));
    let client = element(&client());
    for header in [
        format!("{client},{own}"),
        client.clone(),
        format!("{client};Subject=\"CN=client\";URI=spiffe://c/d;DNS=a;DNS=b,{own}"),
        format!("{client};Subject=\"CN=a\\\"\\\\\",{own}"),
        format!("{client};Chain=\"x\";Subject=\"O=a,OU=b;c\",{own}"),
    ] {
        assert_eq!(sender(&ingress, &header), "client", "{header}");
    }
}

#[test]
fn a_trusted_peer_that_names_no_certificate_speaks_for_nobody() {
    let ingress = peer_with(INGRESS);
    let own = format!("Hash={};{}", hash(&ingress), cert(&ingress));
    for header in [
        String::new(),
        own.clone(),
        format!(
            "Hash={};Subject=\"CN=admin\";URI=spiffe://a/admin",
            hash(&admin())
        ),
        format!("Subject=\"CN=admin\",{own}"),
        format!("[{{\"hash\":\"{}\"}}]", hash(&client())),
        "[]".to_owned(),
        "[{}]".to_owned(),
    ] {
        assert_eq!(sender(&ingress, &header), "no_certificate", "{header}");
    }
}

#[test]
fn any_other_peer_is_only_itself() {
    let stranger = peer_with("spiffe://cluster.local/ns/default/sa/mallory");
    let nearly = peer_with(&format!("{INGRESS}/x"));
    let two_uris =
        Leaf::of([cn("peer")]).subject_alt_names(&[san_uri(INGRESS), san_uri("spiffe://a/b")]);
    let latin_1 = crate::der::implicit(6, b"https://a/\xe9");
    let unreadable = Leaf::of([cn("peer")]).subject_alt_names(&[san_uri(INGRESS), latin_1]);
    let by_name = issue(&Leaf::of([cn(INGRESS)]));
    let header = element(&admin());
    for peer in [&stranger, &nearly, &issue(&two_uris), &issue(&unreadable)] {
        assert_eq!(sender(peer, &header), "peer");
    }
    assert_eq!(sender(&by_name, &header), "invalid_identity");
}

/// What a client can write into its own SANs, which Envoy copies without quotes or escapes.
#[test]
fn a_name_in_the_certificate_forges_nothing() {
    let ingress = peer_with(INGRESS);
    let own = format!("Hash={};Subject=\"\";URI={INGRESS}", hash(&ingress));
    let (client, admin) = (element(&client()), admin());
    let (admin_hash, admin_cert, admin_element) = (hash(&admin), cert(&admin), element(&admin));
    let ambiguous = "forwarded_ambiguous";
    for (said, expected) in [
        (format!("URI=spiffe://a/b,{admin_element}"), ambiguous),
        (format!("URI=spiffe://a/b;{admin_cert}"), ambiguous),
        (format!("URI=spiffe://a/b;Hash={admin_hash}"), ambiguous),
        (
            format!("URI=spiffe://a/b;Hash={admin_hash};{admin_cert}"),
            ambiguous,
        ),
        ("URI=spiffe://a/b\"".to_owned(), ambiguous),
        ("URI=\"spiffe://a/b".to_owned(), ambiguous),
        (format!("URI=a;Subject=\"x,{admin_element}"), ambiguous),
        ("URI=a;Subject=\"".to_owned(), ambiguous),
        ("URI=a;Chain=\"".to_owned(), ambiguous),
        ("URI=a,By=\"".to_owned(), ambiguous),
        ("DNS=a;DNS=b;By=c".to_owned(), "client"),
        ("URI=a;cert=\"x\"".to_owned(), ambiguous),
        ("URI=a; Hash=b".to_owned(), ambiguous),
        ("URI=a;".to_owned(), ambiguous),
        ("URI=a,".to_owned(), ambiguous),
        ("URI=a;b".to_owned(), ambiguous),
        ("URI=a=b=c".to_owned(), "client"),
        (format!("DNS=x,Hash={}", hash(&ingress)), "client"),
    ] {
        let header = format!("{client};Subject=\"CN=client\";{said},{own}");
        let found = sender(&ingress, &header);
        // One element too many whose Hash is this Envoy's own makes three, and is refused as well.
        let allowed = [expected, ambiguous];
        assert!(allowed.contains(&found.as_str()), "{said}: {found}");
        assert_ne!(found, "admin");
    }
}

#[test]
fn a_header_that_reads_in_two_ways_is_refused() {
    let ingress = peer_with(INGRESS);
    let own = format!("Hash={}", hash(&ingress));
    let (client, admin) = (client(), admin());
    let unreadable = "certificate_unreadable";
    for (header, expected) in [
        (
            format!("{},{},{own}", element(&client), element(&admin)),
            "forwarded_ambiguous",
        ),
        (
            format!("{},{}", element(&client), element(&admin)),
            "forwarded_ambiguous",
        ),
        (format!("{own},{}", element(&admin)), "forwarded_ambiguous"),
        (
            format!("{},{own},{own}", element(&client)),
            "forwarded_ambiguous",
        ),
        (
            format!("{};{},{own}", element(&client), cert(&client)),
            "forwarded_ambiguous",
        ),
        (
            format!("Hash={};{},{own}", hash(&client), cert(&admin)),
            "forwarded_ambiguous",
        ),
        (format!("{},{own}", cert(&client)), "forwarded_ambiguous"),
        (
            format!("Hash=xyz;{},{own}", cert(&client)),
            "forwarded_ambiguous",
        ),
        (
            format!("Hash={};Cert=\"\",{own}", hash(&client)),
            unreadable,
        ),
        (
            format!("Hash={};Cert=\"%2D\",{own}", hash(&client)),
            unreadable,
        ),
        (
            format!("{}{},{own}", element(&client), "x"),
            "forwarded_ambiguous",
        ),
        (
            format!("[{{\"hash\":\"{}\",\"id\":1}}]", hash(&client)),
            "forwarded_ambiguous",
        ),
        (format!("[{{}}{own}"), "forwarded_ambiguous"),
        ("[".to_owned(), "forwarded_ambiguous"),
        ("[]]".to_owned(), "forwarded_ambiguous"),
        (",".to_owned(), "forwarded_ambiguous"),
        ("=".to_owned(), "forwarded_ambiguous"),
        ("\"".to_owned(), "forwarded_ambiguous"),
        ("URI=a;".repeat(10_000), "forwarded_ambiguous"),
        ("DNS=a,".repeat(10_000), "forwarded_ambiguous"),
    ] {
        assert_eq!(sender(&ingress, &header), expected, "{:.200}", header);
    }
}

#[test]
fn the_client_of_a_trusted_peer_must_be_valid_now_and_so_must_the_peer() {
    let past = std::time::SystemTime::now() - std::time::Duration::from_secs(9);
    let expired = issue(&Leaf::of([cn("client")]).not_after(past));
    let ingress = peer_with(INGRESS);
    assert_eq!(sender(&ingress, &element(&expired)), "certificate_expired");
    let leaf = Leaf::of([cn("peer")]).subject_alt_names(&[san_uri(INGRESS)]);
    let ingress = issue(&leaf.not_after(past));
    assert_eq!(sender(&ingress, &element(&client())), "certificate_expired");
}

/// Envoys without `connection.peer_certificate`: only a digest, and this Envoy's own element.
fn sender_by_digest(peer: &[u8], header: &str) -> String {
    let digest = hash(peer);
    let attributes = ConnectionAttributes {
        sha256_peer_certificate_digest: Some(digest.as_bytes()),
        ..ConnectionAttributes::default()
    };
    let configuration = configuration(&json!({
        "certificate": {"validation": "listener"},
        "identity": {"missing": "strip"},
    }));
    outcome(&serve_head(
        &configuration,
        &attributes,
        &head(header),
        now(),
    ))
}

#[test]
fn without_the_attribute_the_element_with_the_attested_digest_is_believed() {
    let (client, admin) = (client(), admin());
    let own = element(&client);
    for header in [
        own.clone(),
        format!("{},{own}", element(&admin)),
        format!("Subject=\",{own}"),
        format!("URI=\"{};Cert=\"x,{own}", element(&admin)),
        format!("{own};URI=a,{}", element(&admin)),
        format!("{own};URI=a;{}", cert(&admin)),
        format!("Cert=\"x\",{own};DNS=\"Cert=\""),
    ] {
        assert_eq!(sender_by_digest(&client, &header), "client", "{header}");
    }
}

#[test]
fn without_the_element_a_client_with_a_certificate_is_never_nobody() {
    let (client, admin) = (client(), admin());
    for header in [
        String::new(),
        element(&admin),
        format!("Hash={};{}", hash(&client), cert(&admin)),
        format!("Hash={};Subject=\"CN=client\"", hash(&client)),
        "Cert=\"".repeat(10_000),
        "Cert=\"\"".repeat(8_000),
    ] {
        assert_eq!(sender_by_digest(&client, &header), "certificate_unreadable");
    }
}
