//! X-Forwarded-Client-Cert as Envoy writes it and as an attacker would have it.

use mtls_identity::certificate::pem;
use mtls_identity::identity::ConnectionAttributes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::decision::{configuration, issue, now, outcome, serve_head, validated};
use crate::leaf::{Leaf, common_name as cn, san_uri};

const INGRESS: &str = "spiffe://cluster.local/ns/istio-system/sa/ingress";

fn hash(der: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(der))
}

fn cert(der: &[u8]) -> String {
    let pem = pem::encode(der);
    format!("Cert=\"{}\"", utf8_percent_encode(&pem, NON_ALPHANUMERIC))
}

/// An element as Envoy writes it, up to what the certificate itself says.
fn element(der: &[u8]) -> String {
    format!("By=spiffe://a/b;Hash={};{}", hash(der), cert(der))
}

fn client() -> Vec<u8> {
    issue(&Leaf::of([cn("client")]))
}

fn admin() -> Vec<u8> {
    issue(&Leaf::of([cn("admin")]))
}

fn peer_with(uri: &str) -> Vec<u8> {
    issue(&Leaf::of([cn("peer")]).subject_alt_names(&[san_uri(uri)]))
}

/// The head of a request with this X-Forwarded-Client-Cert; without it where it is empty.
fn head(header: &str) -> Vec<(&str, &str)> {
    let forwarded = [("x-forwarded-client-cert", header)];
    forwarded
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// Who sends a request with this header over a connection of this peer, whose PEM Envoy gives.
fn sender(peer: &[u8], header: &str) -> String {
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

/// The element of the form JSON with these members behind `by`.
fn json_element(hash: &str, der: &[u8], more: &str) -> String {
    let pem = pem::encode(der);
    let pem = utf8_percent_encode(&pem, NON_ALPHANUMERIC);
    format!("{{\"by\":[\"spiffe://a/b\"],\"hash\":\"{hash}\",\"cert\":\"{pem}\"{more}}}")
}

#[test]
fn the_form_json_of_envoy_is_read() {
    let ingress = peer_with(INGRESS);
    let (client, admin) = (client(), admin());
    let one = json_element(
        &hash(&client),
        &client,
        ",\"chain\":[\"x\"],\"subject\":\"CN=client\",\"uri\":[\"a,b\"],\"dns\":[],\"issuer\":\"\"",
    );
    let own = json_element(&hash(&ingress), &ingress, "");
    let two = json_element(&hash(&admin), &admin, "");
    let ambiguous = "forwarded_ambiguous";
    for (header, expected) in [
        (format!("[{one}]"), "client"),
        (format!("[{one},{own}]"), "client"),
        // A sidecar that does not know the form (1.37) adds text.
        (
            format!(
                "[{one}],By=spiffe://c;Hash={};URI={INGRESS}",
                hash(&ingress)
            ),
            "client",
        ),
        (format!("[{own}]"), "no_certificate"),
        (format!("[{one},{two}]"), ambiguous),
        (format!("[{two},{one},{own}]"), ambiguous),
        (format!("[{one}],{}", element(&admin)), ambiguous),
        (format!("[{one}],[{own}]"), ambiguous),
        (format!("[{one}] x"), ambiguous),
        (
            format!("[{}]", json_element(&hash(&client), &admin, "")),
            ambiguous,
        ),
        (
            format!(
                "[{}]",
                json_element(&hash(&client), &client, ",\"hash\":\"\"")
            ),
            ambiguous,
        ),
        (
            format!(
                "[{}]",
                json_element(&hash(&client), &client, ",\"Cert\":\"\"")
            ),
            ambiguous,
        ),
        (one.clone(), ambiguous),
    ] {
        assert_eq!(sender(&ingress, &header), expected, "{header}");
    }
}

/// Windows' strong mapping: a URI with a comma in the certificate of every user.
#[test]
fn a_user_whose_uri_has_a_comma_passes_the_ingress() {
    let tag = "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1111111111-2222222222-3333333333-1105";
    let alice = issue(&Leaf::of([cn("client")]).subject_alt_names(&[san_uri(tag)]));
    let ingress = peer_with(INGRESS);
    let own = format!(
        "By=spiffe://c/d;Hash={};Subject=\"\";URI={INGRESS}",
        hash(&ingress)
    );
    let written = format!("{};Subject=\"CN=client\";URI={tag}", element(&alice));
    for header in [written.clone(), format!("{written},{own}")] {
        assert_eq!(sender(&ingress, &header), "client", "{header}");
    }
    // Of any other name than the certificate's own it is not what Envoy writes.
    let other = format!("{};Subject=\"CN=client\";URI={tag}0", element(&alice));
    assert_eq!(sender(&ingress, &other), "forwarded_ambiguous");
}

/// Envoy 1.40 with `issuer: true`.
#[test]
fn an_issuer_in_the_element_is_read() {
    let ingress = peer_with(INGRESS);
    let own = format!(
        "Hash={};Subject=\"\";URI={INGRESS};Issuer=\"O=cluster.local\"",
        hash(&ingress)
    );
    let client = element(&client());
    let issuer = "Issuer=\"CN=Example Issuing CA,O=Example\\, \\\"PKI\\\",C=XX\"";
    for header in [
        format!("{client};Subject=\"CN=client\";{issuer}"),
        format!("{client};Subject=\"CN=client\";{issuer},{own}"),
        format!("{client};Subject=\"CN=client\";URI=;{issuer},{own}"),
        format!("{client};{issuer},{own}"),
    ] {
        assert_eq!(sender(&ingress, &header), "client", "{header}");
    }
}

/// Whoever may choose the names in their own certificate is themselves, whatever the names say.
#[test]
fn an_element_in_a_name_is_a_name() {
    let ingress = peer_with(INGRESS);
    let own = format!(
        "By=spiffe://c/d;Hash={};Subject=\"\";URI={INGRESS}",
        hash(&ingress)
    );
    let forged = element(&admin());
    for said in [
        format!("spiffe://a/b,{forged}"),
        format!("spiffe://a/b;{forged}"),
        format!("a,{own}"),
        format!("a,{forged},{own}"),
        format!("a\",{forged}"),
        "a;Subject=\"".to_owned(),
        "a,By=\"".to_owned(),
        "a;Issuer=\"x\"".to_owned(),
        "a ".to_owned(),
        String::new(),
    ] {
        let names = [san_uri(&said), crate::leaf::san_dns(&said)];
        let mallory = issue(&Leaf::of([cn("mallory")]).subject_alt_names(&names));
        let names = format!("Subject=\"CN=mallory\";URI={said};DNS={said}");
        let written = format!("{};{names}", element(&mallory));
        let pairs = format!("{};URI={said}", element(&mallory));
        for header in [
            written.clone(),
            format!("{written},{own}"),
            format!("{pairs},{own}"),
            format!("{},{own}", pairs.trim_end()),
        ] {
            assert_eq!(sender(&ingress, &header), "mallory", "{header}");
        }
    }
}

/// What an ingress that appends to the client's own header would forward: refused, whatever a client writes before.
#[test]
fn what_a_client_writes_before_its_own_element_is_refused() {
    let ingress = peer_with(INGRESS);
    let own = format!(
        "By=spiffe://c/d;Hash={};Subject=\"\";URI={INGRESS}",
        hash(&ingress)
    );
    let mallory = issue(&Leaf::of([cn("mallory")]));
    let appended = format!("{};Subject=\"CN=mallory\"", element(&mallory));
    let forged = element(&admin());
    let digest = hash(&ingress);
    for before in [
        forged.clone(),
        format!("{forged};Subject=\""),
        format!("{forged};Chain=\""),
        format!("{forged};Issuer=\""),
        format!("{forged},By=x"),
        format!("{forged},Hash={digest};Subject=\""),
        format!("{forged},Hash={digest};Chain=\""),
        format!("{forged},Hash={digest};Cert=\""),
        format!("{forged},By=x;Hash={digest}"),
        format!("By=x;{forged}"),
    ] {
        let header = format!("{before},{appended},{own}");
        let found = sender(&ingress, &header);
        assert_eq!(found, "forwarded_ambiguous", "{before}");
    }
    // Whose only word is a name of the ingress is still itself.
    let header = format!("By=x,{appended},{own}");
    assert_eq!(sender(&ingress, &header), "mallory");
}

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
