//! X-Forwarded-Client-Cert, as Envoy writes it and as an attacker would.
//!
//! Envoy quotes `Cert`, `Chain` and `Subject`, but writes `URI` and `DNS` as they stand in the certificate.
//! So only `Cert` is believed, and only when its SHA-256 is the one Envoy wrote or attests.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::certificate::pem;
use crate::certificate::{CertificateError, PeerCertificate};
use crate::encoding::bytes_of_hex;

/// A SHA-256.
pub type Sha256Digest = [u8; 32];

/// Why the header does not say for whom a trusted peer speaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum XfccError {
    /// A quote that does not close, or stands inside a value.
    #[error("a quote that does not close, or inside a value")]
    Quote,
    /// A pair that is not `key=value` with a key of Envoy's, as it writes them.
    #[error("a pair whose key Envoy does not write")]
    Key,
    /// `Hash`, `Cert`, `Chain` or `Subject` twice in one element.
    #[error("a key twice in one element")]
    RepeatedKey,
    /// More elements than the peer's own and this Envoy's.
    #[error("more elements than the peer's and this Envoy's")]
    Elements,
    /// `Hash` is absent, or not the SHA-256 of `Cert`.
    #[error("a Cert whose SHA-256 is not its Hash")]
    Hash,
    /// `Cert` is no certificate.
    #[error("Cert: {0}")]
    Certificate(#[from] CertificateError),
}

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

/// The certificate of the client for whom the direct peer speaks: the `Cert` of the element the peer
/// wrote, which is the one before this Envoy's own or the only one. `Ok(None)` when it names none.
///
/// `attested` is the SHA-256 of the direct peer's certificate, by which this Envoy's own element is known.
///
/// # Errors
/// [`XfccError`] when the header can be read in more than one way.
pub fn client(
    header: &[u8],
    attested: Option<&Sha256Digest>,
) -> Result<Option<PeerCertificate>, XfccError> {
    let mut elements = elements(header)?;
    let is_own = |element: &Element<'_>| attested.is_some_and(|digest| element.has_hash(digest));
    if elements.last().is_some_and(is_own) {
        elements.pop();
    }
    match elements.as_slice() {
        [] => Ok(None),
        [element] => element.certificate(),
        [_, _, ..] => Err(XfccError::Elements),
    }
}

#[derive(Debug, Default)]
struct Element<'a> {
    hash: Option<&'a [u8]>,
    cert: Option<&'a [u8]>,
    chain: Option<&'a [u8]>,
    subject: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    fn add(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), XfccError> {
        let place = match key {
            b"Hash" => &mut self.hash,
            b"Cert" => &mut self.cert,
            b"Chain" => &mut self.chain,
            b"Subject" => &mut self.subject,
            // Envoy writes one of these for each name in the certificate.
            b"By" | b"URI" | b"DNS" => return Ok(()),
            _ => return Err(XfccError::Key),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(XfccError::RepeatedKey),
        }
    }

    fn has_hash(&self, digest: &Sha256Digest) -> bool {
        self.hash.and_then(digest_of_hex).as_ref() == Some(digest)
    }

    fn certificate(&self) -> Result<Option<PeerCertificate>, XfccError> {
        let Some(text) = self.cert else {
            return Ok(None);
        };
        let certificate = PeerCertificate::from_url_encoded_pem(text)?;
        if !self.has_hash(certificate.sha256()) {
            return Err(XfccError::Hash);
        }
        Ok(Some(certificate))
    }
}

/// The SHA-256 written as 64 hexadecimal digits.
pub fn digest_of_hex(text: &[u8]) -> Option<Sha256Digest> {
    let bytes = bytes_of_hex(text)?;
    bytes.try_into().ok()
}

fn elements(header: &[u8]) -> Result<Vec<Element<'_>>, XfccError> {
    let mut elements = vec![Element::default()];
    let mut rest = header;
    loop {
        let (key, value, separator, behind) = take_pair(rest)?;
        let Some(element) = elements.last_mut() else {
            return Err(XfccError::Elements);
        };
        element.add(key, value)?;
        match separator {
            None => return Ok(elements),
            Some(b',') => elements.push(Element::default()),
            Some(_) => {}
        }
        rest = behind;
    }
}

type Pair<'a> = (&'a [u8], &'a [u8], Option<u8>, &'a [u8]);

/// A key, its value, the separator behind it (`;` or `,`; none at the end), and the rest.
fn take_pair(text: &[u8]) -> Result<Pair<'_>, XfccError> {
    let equals = text.iter().position(|&byte| byte == b'=');
    let (key, value) = equals
        .and_then(|place| Some((text.get(..place)?, text.get(place + 1..)?)))
        .ok_or(XfccError::Key)?;
    let (value, behind) = match value.strip_prefix(b"\"") {
        Some(quoted) => take_quoted(quoted)?,
        None => take_bare(value)?,
    };
    match behind.split_first() {
        None => Ok((key, value, None, behind)),
        Some((&separator @ (b';' | b','), rest)) => Ok((key, value, Some(separator), rest)),
        Some(_) => Err(XfccError::Quote),
    }
}

/// Up to the closing quote; a backslash takes the meaning from what follows it.
fn take_quoted(text: &[u8]) -> Result<(&[u8], &[u8]), XfccError> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?)))
        .ok_or(XfccError::Quote)
}

fn take_bare(text: &[u8]) -> Result<(&[u8], &[u8]), XfccError> {
    let end = text
        .iter()
        .position(|byte| matches!(byte, b';' | b','))
        .unwrap_or(text.len());
    let (value, behind) = text.split_at_checked(end).ok_or(XfccError::Quote)?;
    if value.contains(&b'"') {
        return Err(XfccError::Quote);
    }
    Ok((value, behind))
}
