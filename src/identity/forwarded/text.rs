//! X-Forwarded-Client-Cert as text, in any order of its pairs: what other proxies than Envoy write.
//!
//! `Cert`, `Chain`, `Subject` and `Issuer` are quoted, `URI` and `DNS` stand as they are in the certificate. Here a name
//! that could be read as more than a name makes the header ambiguous.

use super::error::ForwardedError;
use super::hash::{Sha256Digest, certificate, digest_of_hex};
use crate::certificate::PeerCertificate;

/// The certificate of the client for whom the direct peer speaks: the `Cert` of the element the peer
/// wrote, which is the one before this Envoy's own or the only one. `Ok(None)` when it names none.
///
/// `direct` is the direct peer's certificate, by whose SHA-256 this Envoy's own element is known.
///
/// # Errors
/// [`ForwardedError`] when the header can be read in more than one way.
pub(super) fn client(
    header: &[u8],
    direct: Option<&PeerCertificate>,
) -> Result<Option<PeerCertificate>, ForwardedError> {
    let mut elements = elements(header)?;
    let is_own = |element: &Element<'_>| direct.is_some_and(|it| element.has_hash(it.sha256()));
    if elements.last().is_some_and(is_own) {
        elements.pop();
    }
    match elements.as_slice() {
        [] => Ok(None),
        [element] => certificate(element.hash, element.cert),
        [_, _, ..] => Err(ForwardedError::Elements),
    }
}

#[derive(Debug, Default)]
struct Element<'a> {
    hash: Option<&'a [u8]>,
    cert: Option<&'a [u8]>,
    chain: Option<&'a [u8]>,
    subject: Option<&'a [u8]>,
    issuer: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    fn add(&mut self, key: &[u8], value: &'a [u8]) -> Result<(), ForwardedError> {
        let place = match key {
            b"Hash" => &mut self.hash,
            b"Cert" => &mut self.cert,
            b"Chain" => &mut self.chain,
            b"Subject" => &mut self.subject,
            b"Issuer" => &mut self.issuer,
            // Envoy writes one of these for each name in the certificate.
            b"By" | b"URI" | b"DNS" => return Ok(()),
            _ => return Err(ForwardedError::Key),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(ForwardedError::RepeatedKey),
        }
    }

    fn has_hash(&self, digest: &Sha256Digest) -> bool {
        self.hash.and_then(digest_of_hex).as_ref() == Some(digest)
    }
}

fn elements(header: &[u8]) -> Result<Vec<Element<'_>>, ForwardedError> {
    let mut elements = vec![Element::default()];
    let mut rest = header;
    loop {
        let (key, value, separator, behind) = take_pair(rest)?;
        let Some(element) = elements.last_mut() else {
            return Err(ForwardedError::Elements);
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
fn take_pair(text: &[u8]) -> Result<Pair<'_>, ForwardedError> {
    let equals = text.iter().position(|&byte| byte == b'=');
    let (key, value) = equals
        .and_then(|place| Some((text.get(..place)?, text.get(place + 1..)?)))
        .ok_or(ForwardedError::Key)?;
    let (value, behind) = match value.strip_prefix(b"\"") {
        Some(quoted) => take_quoted(quoted)?,
        None => take_bare(value)?,
    };
    match behind.split_first() {
        None => Ok((key, value, None, behind)),
        Some((&separator @ (b';' | b','), rest)) => Ok((key, value, Some(separator), rest)),
        Some(_) => Err(ForwardedError::Quote),
    }
}

/// Up to the closing quote; a backslash takes the meaning from what follows it.
pub(super) fn take_quoted(text: &[u8]) -> Result<(&[u8], &[u8]), ForwardedError> {
    let mut escaped = false;
    let end = text.iter().position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    end.and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?)))
        .ok_or(ForwardedError::Quote)
}

fn take_bare(text: &[u8]) -> Result<(&[u8], &[u8]), ForwardedError> {
    let end = text
        .iter()
        .position(|byte| matches!(byte, b';' | b','))
        .unwrap_or(text.len());
    let (value, behind) = text.split_at_checked(end).ok_or(ForwardedError::Quote)?;
    if value.contains(&b'"') {
        return Err(ForwardedError::Quote);
    }
    Ok((value, behind))
}
