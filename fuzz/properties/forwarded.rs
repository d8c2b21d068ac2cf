//! X-Forwarded-Client-Cert: a certificate is believed by its digest, whatever stands around it.

use mtls_identity::certificate::pem;
use mtls_identity::identity::{Sha256Digest, client, digest_of_hex, direct_peer};

/// For any header: of the digests in it, each is tried as the one that Envoy attests.
pub fn any_header(header: &[u8]) {
    let mut attested: Vec<Sha256Digest> = digests(header).take(4).collect();
    attested.push([0; 32]);
    only_what_has_its_hash_is_a_client(header, None);
    for digest in &attested {
        only_what_has_its_hash_is_a_client(header, Some(digest));
        if let Ok(Some(certificate)) = direct_peer(header, digest) {
            assert_eq!(certificate.sha256(), digest);
        }
    }
}

fn only_what_has_its_hash_is_a_client(header: &[u8], attested: Option<&Sha256Digest>) {
    if let Ok(Some(certificate)) = client(header, attested) {
        let mut digests = digests(header);
        assert!(digests.any(|digest| digest == *certificate.sha256()));
    }
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
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let escape = |byte: char| match byte {
        '\n' | ' ' | '+' | '/' | '=' => format!("%{:02X}", u32::from(byte)),
        other => other.to_string(),
    };
    let text: String = pem::encode(der).chars().map(escape).collect();
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
