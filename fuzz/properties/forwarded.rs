//! X-Forwarded-Client-Cert: a certificate is believed by its digest, whatever stands around it.

use mtls_identity::certificate::{PeerCertificate, pem};
use mtls_identity::identity::{ForwardedHeader, Sha256Digest, digest_of_hex, direct_peer};

/// For any header: of the digests in it, each is tried as the one that Envoy attests.
pub fn any_header(header: &[u8]) {
    only_what_has_its_hash_is_a_client(header, None);
    let mut attested: Vec<Sha256Digest> = digests(header).take(4).collect();
    attested.push([0; 32]);
    for digest in &attested {
        if let Ok(Some(certificate)) = direct_peer(header, digest) {
            assert_eq!(certificate.sha256(), digest);
            only_what_has_its_hash_is_a_client(header, Some(&certificate));
        }
    }
}

fn only_what_has_its_hash_is_a_client(header: &[u8], direct: Option<&PeerCertificate>) {
    // In JSON a digit may be written with an escape.
    if let Ok(Some(certificate)) = ForwardedHeader::Xfcc.client(header, direct)
        && !(header.starts_with(b"[") && header.contains(&b'\\'))
    {
        let digits: String = hex(certificate.sha256());
        let header = header.to_ascii_lowercase();
        let mut windows = header.windows(digits.len());
        assert!(windows.any(|window| window == digits.as_bytes()));
        assert_ne!(
            Some(certificate.sha256()),
            direct
                .map(PeerCertificate::sha256)
                .filter(|_| is_one(&header)),
            "the direct peer's own element"
        );
    }
}

/// Whether the text has one `hash` at most.
fn is_one(lower: &[u8]) -> bool {
    lower.windows(4).filter(|window| *window == b"hash").count() < 2
}

/// The digest in hexadecimal.
pub(super) fn hex(digest: &Sha256Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For any text that a client sends, before the element that Envoy writes for this certificate: the direct
/// peer is still the one of the certificate.
pub fn whatever_stands_before_the_own_element(before: &[u8], der: &[u8], digest: &Sha256Digest) {
    let header = [before, b",", own_element(der, digest).as_bytes()].concat();
    let peer = direct_peer(&header, digest).expect("the certificate can be read");
    assert_eq!(peer.expect("it is found").der(), der);
    any_header(&header);
}

/// An element as Envoy writes it.
pub fn own_element(der: &[u8], digest: &Sha256Digest) -> String {
    let digits = hex(digest);
    let escape = |byte: char| match byte {
        '\n' | ' ' | '+' | '/' | '=' => format!("%{:02X}", u32::from(byte)),
        other => other.to_string(),
    };
    let text: String = pem::encode(der).chars().map(escape).collect();
    // The names are those of no certificate.
    format!("By=spiffe://a/b;Hash={digits};Cert=\"{text}\";Subject=\"CN=a\";URI=")
}

fn digests(header: &[u8]) -> impl Iterator<Item = Sha256Digest> {
    const KEY: &[u8] = b"Hash=";
    let places = header.windows(KEY.len()).enumerate();
    let places = places
        .filter(|(_, window)| *window == KEY)
        .map(|(place, _)| place);
    places.filter_map(|place| {
        let value = header.get(place + KEY.len()..)?;
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        digest_of_hex(value.get(..64)?)
    })
}
