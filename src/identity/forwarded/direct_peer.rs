//! The direct peer's certificate in X-Forwarded-Client-Cert, for Envoys without the attribute for it (before 1.38).

use sha2::{Digest, Sha256};

use super::hash::Sha256Digest;
use crate::certificate::{CertificateError, PeerCertificate, pem};

/// The certificate of the direct peer, from the element that this Envoy wrote itself.
///
/// Every `Cert` in the header is tried, the last one first. The SHA-256 that Envoy attests for the
/// connection decides, so neither the place nor the quoting of anything else in the header matters.
///
/// # Errors
/// [`CertificateError`] when the certificate with that digest cannot be read. `Ok(None)` when there is none.
pub fn direct_peer(
    header: &[u8],
    attested: &Sha256Digest,
) -> Result<Option<PeerCertificate>, CertificateError> {
    let mut candidates = quoted_certificates(header).rev();
    let found = candidates.find(|der| Sha256::digest(der)[..] == attested[..]);
    found.map(PeerCertificate::from_der).transpose()
}

/// The DER of every `Cert="…"` in the text, wherever it stands. Linear: the texts do not overlap.
fn quoted_certificates(header: &[u8]) -> impl DoubleEndedIterator<Item = Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some(text) = take_quoted_certificate(&mut rest) {
        found.extend(pem::decode_url_encoded(text).ok());
    }
    found.into_iter()
}

fn take_quoted_certificate<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    const KEY: &[u8] = b"Cert=\"";
    let place = rest.windows(KEY.len()).position(|window| window == KEY)?;
    let value = rest.get(place + KEY.len()..)?;
    let end = value.iter().position(|&byte| byte == b'"')?;
    // Not behind the closing quote: it may be the opening one of the next, when this one never closed.
    *rest = value;
    value.get(..end)
}
