//! X-Forwarded-Client-Cert in the form JSON (Envoy 1.38 and later): one list of elements, keys in lower case.
//!
//! An Envoy that knows this form adds its own element to a list that it finds, whatever its own form is. An older one
//! adds its element as text behind the list.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::error::ForwardedError;
use super::exact::is_own;
use super::hash::{certificate, digest_of_hex};
use crate::certificate::PeerCertificate;

/// An element. Of what is not believed only the keys are read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Element {
    #[serde(rename = "by")]
    _by: IgnoredAny,
    hash: Option<String>,
    cert: Option<String>,
    #[serde(rename = "chain")]
    _chain: IgnoredAny,
    #[serde(rename = "subject")]
    _subject: IgnoredAny,
    #[serde(rename = "uri")]
    _uri: IgnoredAny,
    #[serde(rename = "dns")]
    _dns: IgnoredAny,
    #[serde(rename = "issuer")]
    _issuer: IgnoredAny,
}

impl Element {
    fn is_of(&self, certificate: &PeerCertificate) -> bool {
        let hash = self.hash.as_ref().map(String::as_bytes);
        hash.and_then(digest_of_hex).as_ref() == Some(certificate.sha256())
    }

    fn certificate(&self) -> Result<Option<PeerCertificate>, ForwardedError> {
        let bytes = |text: &'_ Option<String>| text.clone().map(String::into_bytes);
        let (hash, cert) = (bytes(&self.hash), bytes(&self.cert));
        certificate(hash.as_deref(), cert.as_deref())
    }
}

/// The client of a header that begins with a list.
///
/// # Errors
/// [`ForwardedError`] when it is not what Envoys write.
pub(super) fn client(
    header: &[u8],
    direct: Option<&PeerCertificate>,
) -> Result<Option<PeerCertificate>, ForwardedError> {
    let mut lists = Deserializer::from_slice(header).into_iter::<Vec<Element>>();
    let list = lists.next().and_then(Result::ok);
    let mut elements = list.ok_or(ForwardedError::Json)?;
    let rest = header.get(lists.byte_offset()..).unwrap_or_default();
    let is_direct = |element: &Element| direct.is_some_and(|direct| element.is_of(direct));
    match rest.strip_prefix(b",") {
        Some(own) if is_own(own, direct) => {}
        None if rest.is_empty() => {
            elements.pop_if(|element| is_direct(element));
        }
        Some(_) | None => return Err(ForwardedError::Json),
    }
    match elements.as_slice() {
        [] => Ok(None),
        [element] => element.certificate(),
        [_, _, ..] => Err(ForwardedError::Elements),
    }
}
