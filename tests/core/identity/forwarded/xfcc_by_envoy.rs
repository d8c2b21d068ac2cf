//! X-Forwarded-Client-Cert just as Envoy writes it: as text and as JSON, whatever the names in a certificate are.

use mtls_identity::certificate::pem;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::decision::issue;
use crate::identity::forwarded::xfcc::{INGRESS, admin, client, element, hash, peer_with, sender};
use crate::leaf::{Leaf, common_name as cn, san_uri};

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
