//! X-Forwarded-Client-Cert, byte for byte as Envoy writes it.
//!
//! An element is `By=…;Hash=…;Cert="…";Chain="…";Subject="…";URI=…;DNS=…;Issuer="…"`, in this order (Envoy 1.37 to
//! 1.40). `By` stands there once for each URI of the receiving Envoy's own certificate, and all but `Hash` may be left
//! out. Envoy does not quote `By`, `URI` and `DNS`, and the names in a certificate may have any byte: `,`, `;`, `=`, `"`.
//! But the certificate stands in the same element, so what Envoy writes of its names is known. Where the text is just
//! that, the element ends where the text ends, and no name can forge another element.

use super::hash::{certificate, digest_of_hex};
use super::text::take_quoted;
use crate::certificate::{GeneralName, PeerCertificate};

/// The client of a header that is one element with a `Cert`, and behind it at most the element that this Envoy wrote of
/// the direct peer. The inner none: only the latter is there. The outer none: the header is something else.
pub(super) fn client(
    header: &[u8],
    direct: Option<&PeerCertificate>,
) -> Option<Option<PeerCertificate>> {
    if is_own(header, direct) {
        return Some(None);
    }
    let beginning = Beginning::take(header)?;
    let client = certificate(Some(beginning.hash), beginning.cert).ok()??;
    let ends = behind_names(beginning.rest, &client);
    let is_whole = |rest: &&[u8]| match rest.strip_prefix(b",") {
        Some(own) => is_own(own, direct),
        None => rest.is_empty(),
    };
    ends.iter().any(is_whole).then_some(Some(client))
}

/// Whether the text is the one element that this Envoy wrote of the direct peer.
pub(super) fn is_own(text: &[u8], direct: Option<&PeerCertificate>) -> bool {
    let (Some(beginning), Some(direct)) = (Beginning::take(text), direct) else {
        return false;
    };
    digest_of_hex(beginning.hash).as_ref() == Some(direct.sha256())
        && behind_names(beginning.rest, direct)
            .iter()
            .any(|rest| rest.is_empty())
}

/// An element up to its `Chain`. No client can change this part.
struct Beginning<'a> {
    hash: &'a [u8],
    cert: Option<&'a [u8]>,
    /// What stands behind it, with the separator.
    rest: &'a [u8],
}

impl<'a> Beginning<'a> {
    fn take(text: &'a [u8]) -> Option<Self> {
        let rest = behind_by(text)?.strip_prefix(HASH)?;
        let (hash, rest) = rest.split_at_checked(64)?;
        let (cert, rest) = take_pem(rest, b";Cert=\"")?;
        let (_chain, rest) = take_pem(rest, b";Chain=\"")?;
        Some(Self { hash, cert, rest })
    }
}

const HASH: &[u8] = b"Hash=";

/// The text from its first `Hash=` on, if there is nothing before it but `By`. Envoy writes a `Hash` into each element,
/// so nothing before the first one is a whole element.
fn behind_by(text: &[u8]) -> Option<&[u8]> {
    let place = text.windows(HASH.len()).position(|window| window == HASH)?;
    let (by, rest) = text.split_at_checked(place)?;
    let is_by = by.starts_with(b"By=") && by.ends_with(b";");
    (by.is_empty() || is_by).then_some(rest)
}

/// A value of URL-encoded PEM in quotes, if the text begins with this key. None if the value has another character.
fn take_pem<'a>(text: &'a [u8], key: &[u8]) -> Option<(Option<&'a [u8]>, &'a [u8])> {
    let Some(value) = text.strip_prefix(key) else {
        return Some((None, text));
    };
    let end = value.iter().position(|&byte| byte == b'"')?;
    let (pem, rest) = (value.get(..end)?, value.get(end + 1..)?);
    let is_url_encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"%-._~".contains(byte);
    pem.iter().all(is_url_encoded).then_some((Some(pem), rest))
}

/// What stands behind `Subject`, `URI`, `DNS` and `Issuer` of this certificate, for each way to read the text. All four
/// may be left out, so a text may fit in several ways.
fn behind_names<'a>(text: &'a [u8], certificate: &PeerCertificate) -> Vec<&'a [u8]> {
    let text = behind_quoted(text, b";Subject=\"").unwrap_or(text);
    let uris = uri_pairs(certificate);
    let host_names = pairs(b";DNS=", &certificate.general_names(GeneralName::Dns));
    let both = [&uris[..], &host_names].concat();
    let mut ends = Vec::new();
    for names in [&[][..], &uris, &host_names, &both] {
        if let Some(rest) = text.strip_prefix(names) {
            ends.push(rest);
            ends.extend(behind_quoted(rest, b";Issuer=\""));
        }
        // White space at the end of a header is not part of it (RFC 9110 section 5.5): the next hop has cut it off.
        let cut = names.trim_ascii_end();
        if cut.len() < names.len() {
            let rest = text.strip_prefix(cut);
            ends.extend(rest.filter(|rest| rest.is_empty() || rest.starts_with(b",")));
        }
    }
    ends
}

/// What stands behind a quoted value. A distinguished name has its quotes escaped (RFC 4514).
fn behind_quoted<'a>(text: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (_value, rest) = take_quoted(text.strip_prefix(key)?).ok()?;
    Some(rest)
}

/// `URI` stands there also for a certificate without a URI.
fn uri_pairs(certificate: &PeerCertificate) -> Vec<u8> {
    match certificate.general_names(GeneralName::Uri).as_slice() {
        [] => pairs(b";URI=", &[b""]),
        uris => pairs(b";URI=", uris),
    }
}

fn pairs(key: &[u8], values: &[&[u8]]) -> Vec<u8> {
    let pairs = values.iter().map(|value| [key, value].concat());
    pairs.collect::<Vec<_>>().concat()
}
