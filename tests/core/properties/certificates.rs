//! Certificates that are damaged, and headers that bring them, by whoever makes them.

use std::sync::LazyLock;

use mtls_identity::certificate::pem;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sha2::{Digest, Sha256};

use super::shared::xfcc::{Form, Names};
use super::{config, damage, damaged, shared};
use crate::decision::issue;
use crate::identity::names::attribute;
use crate::identity::sources::upn;
use crate::leaf::{Leaf, common_name, name_of_rdns, organization, san_dns, san_email, san_uri};

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn a_damaged_certificate_is_none_or_names_nobody_in_two_ways(
        certificate in select(CERTIFICATES.as_slice()),
        damage in damage(),
    ) {
        let bytes = damaged(&certificate, &damage);
        shared::certificate::any_bytes(&bytes);
        shared::certificate::any_text(pem::encode(&bytes).as_bytes());
    }

    #[test]
    fn damaged_pem_is_one_certificate_or_none(
        certificate in select(CERTIFICATES.as_slice()),
        damage in damage(),
    ) {
        shared::certificate::any_text(&damaged(pem::encode(&certificate).as_bytes(), &damage));
    }

    #[test]
    fn a_certificate_is_forwarded_by_its_digest_alone(header in header()) {
        shared::forwarded::any_header(header.as_bytes());
    }

    #[test]
    fn whatever_the_names_are_what_envoy_writes_is_that_client(
        (client, proxy) in (names(), names()),
        (form, own) in (0..64_u8, 0..64_u8),
    ) {
        let (form, own) = (Form::numbered(form), Form::numbered(own));
        shared::xfcc::what_envoy_writes_is_the_client(&client, form, &proxy, own);
    }

    #[test]
    fn a_client_cert_is_one_certificate_in_one_writing(
        certificate in select(CERTIFICATES.as_slice()),
        damage in damage(),
    ) {
        shared::client_cert::any_value(&damaged(&certificate, &damage));
        let written = format!(":{}:", data_encoding::BASE64.encode(&certificate));
        shared::client_cert::any_value(&damaged(written.as_bytes(), &damage));
    }

    #[test]
    fn nothing_a_client_sends_hides_the_direct_peer(
        header in header(),
        own in select(CERTIFICATES.as_slice()),
    ) {
        let digest = Sha256::digest(&own).into();
        shared::forwarded::whatever_stands_before_the_own_element(header.as_bytes(), &own, &digest);
    }
}

static CERTIFICATES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let cn = || common_name("alice@example.com");
    let names = [
        san_email("a@example.com"),
        san_dns("a.example.com"),
        san_uri("spiffe://example.org/a"),
    ];
    let multi = name_of_rdns([vec![organization("a"), cn()], vec![common_name("b")]]);
    let leaves = [
        Leaf::of([cn()]),
        Leaf::of([]).subject_alt_names(&names),
        Leaf::of([cn(), organization("CN=x")]).subject_alt_names(&names),
        Leaf::with_subject(multi),
        Leaf::of([common_name("J\u{fc}rgen")]).version_1(),
        Leaf::of([
            attribute("1.2.840.113549.1.9.1", "a@example.com"),
            attribute("2.5.4.5", "PNOEE-1"),
            attribute("0.9.2342.19200300.100.1.1", "u1"),
        ])
        .subject_alt_names(&[upn("alice@corp.local")]),
    ];
    leaves.iter().map(issue).collect()
});

/// Names of which some are parts of an element, or whole ones of somebody else.
fn names() -> impl Strategy<Value = Names> {
    const PIECES: &[&[u8]] = &[
        b"tag:m.com,2022:sid",
        b",",
        b";",
        b"\"",
        b"\\",
        b"=",
        b" ",
        b"\t",
        b"a",
        b"URI=",
        b"DNS=",
        b"By=x",
        b"Hash=",
        b"Subject=\"",
        b"Issuer=\"",
        b"Chain=\"",
        b"[{",
        b"}]",
        b"\xe9",
        b"\xc3\xa9",
        b"%0A",
    ];
    let victim = select(CERTIFICATES.as_slice()).prop_map(|der| {
        let digest = Sha256::digest(&der).into();
        shared::forwarded::own_element(&der, &digest).into_bytes()
    });
    let piece = prop_oneof![12 => select(PIECES).prop_map(<[u8]>::to_vec), 1 => victim];
    let name = || vec(piece.clone(), 0..6).prop_map(|pieces| pieces.concat());
    ("[ -~]{0,12}", vec(name(), 0..3), vec(name(), 0..3)).prop_map(|(common_name, uris, dns)| {
        Names {
            common_name,
            uris,
            dns,
        }
    })
}

/// Whole elements and parts of them, in any order.
fn header() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        ",",
        ";",
        "\"",
        "\\",
        "=",
        "Hash=",
        "Cert=\"",
        "Cert=",
        "Subject=\"",
        "Subject=\"CN=a\"",
        "URI=spiffe://a/b",
        "DNS=a",
        "By=",
        "Chain=\"",
        "-----BEGIN CERTIFICATE-----",
        "%0A",
        "[{",
        "a",
    ];
    let certificates = || select(CERTIFICATES.as_slice());
    // The certificate, and the one whose digest stands beside it.
    let both = prop_oneof![
        3 => certificates().prop_map(|der| (der.clone(), der)),
        1 => (certificates(), certificates()),
    ];
    let element = both.prop_map(|(der, other)| {
        let digest = Sha256::digest(&other).into();
        shared::forwarded::own_element(&der, &digest)
    });
    let part = prop_oneof![2 => select(PIECES).prop_map(str::to_owned), 1 => element];
    vec(part, 0..6).prop_map(|parts| parts.concat())
}

/// Every byte of the header may be the client's: what it does must not grow faster than the header.
#[test]
fn a_header_of_64_kib_is_read_in_one_pass() {
    let element = shared::forwarded::own_element(&CERTIFICATES[0], &[0xab; 32]);
    for piece in [
        "Cert=\"", "Cert=", "\"", "\\", ",", ";", "=", "Hash=", "A", &element,
    ] {
        for end in ["", "\"", "Cert=\""] {
            let header = piece.repeat(65_536 / piece.len()) + end;
            shared::forwarded::any_header(header.as_bytes());
        }
    }
}
