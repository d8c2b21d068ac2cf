//! For whom a trusted peer speaks: X-Forwarded-Client-Cert as Envoy writes it, or Client-Cert (RFC 9440).
//!
//! Only a certificate is believed. In X-Forwarded-Client-Cert its SHA-256 must be the `Hash` beside it.

mod client_cert;
mod direct_peer;
mod exact;
mod json;
mod text;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::certificate::{CertificateError, PeerCertificate};
use crate::encoding::bytes_of_hex;

pub use direct_peer::direct_peer;

/// A SHA-256.
pub type Sha256Digest = [u8; 32];

/// The header in which a trusted peer says for whom it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum ForwardedHeader {
    /// X-Forwarded-Client-Cert, as Envoy writes it.
    #[default]
    Xfcc,
    /// Client-Cert of RFC 9440.
    Rfc9440,
}

impl ForwardedHeader {
    /// The name of the header, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xfcc => "x-forwarded-client-cert",
            Self::Rfc9440 => "client-cert",
        }
    }

    /// The certificate of the client for whom the direct peer speaks in the value of this header. `Ok(None)` when the
    /// header names none. `direct` is the certificate of the direct peer; an Envoy writes an element about it, too.
    ///
    /// # Errors
    /// [`ForwardedError`] when the value is not what such a peer writes, or can be read in more than one way.
    pub fn client(
        self,
        value: &[u8],
        direct: Option<&PeerCertificate>,
    ) -> Result<Option<PeerCertificate>, ForwardedError> {
        match self {
            Self::Rfc9440 => client_cert::client(value).map(Some),
            Self::Xfcc if value.starts_with(b"[") => json::client(value, direct),
            Self::Xfcc => match exact::client(value, direct) {
                Some(client) => Ok(client),
                None => text::client(value, direct),
            },
        }
    }
}

/// Why the header does not say for whom a trusted peer speaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForwardedError {
    /// A quote that does not close, or stands inside a value.
    #[error("X-Forwarded-Client-Cert: a quote that does not close, or inside a value")]
    Quote,
    /// A pair that is not `key=value` with a key of Envoy's, as it writes them.
    #[error("X-Forwarded-Client-Cert: a pair whose key Envoy does not write")]
    Key,
    /// `Hash`, `Cert`, `Chain`, `Subject` or `Issuer` twice in one element.
    #[error("X-Forwarded-Client-Cert: a key twice in one element")]
    RepeatedKey,
    /// More elements than the peer's own and this Envoy's.
    #[error("X-Forwarded-Client-Cert: more elements than the peer's and this Envoy's")]
    Elements,
    /// Not the JSON that Envoy writes with `format: JSON`.
    #[error("X-Forwarded-Client-Cert: not the JSON that Envoy writes")]
    Json,
    /// `Hash` is absent, or not the SHA-256 of `Cert`.
    #[error("X-Forwarded-Client-Cert: a Cert whose SHA-256 is not its Hash")]
    Hash,
    /// Client-Cert is there twice, or is no Byte Sequence of RFC 8941 section 3.3.5.
    #[error("Client-Cert: expected one byte sequence, base64 between two colons (RFC 9440)")]
    ByteSequence,
    /// What stands there is no certificate.
    #[error("the forwarded certificate: {0}")]
    Certificate(#[from] CertificateError),
}

/// The SHA-256 written as 64 hexadecimal digits.
pub fn digest_of_hex(text: &[u8]) -> Option<Sha256Digest> {
    let bytes = bytes_of_hex(text)?;
    bytes.try_into().ok()
}

/// The certificate in `Cert`, whose SHA-256 must be `Hash`. `Ok(None)` where there is no `Cert`.
fn certificate(
    hash: Option<&[u8]>,
    cert: Option<&[u8]>,
) -> Result<Option<PeerCertificate>, ForwardedError> {
    let Some(text) = cert else {
        return Ok(None);
    };
    let certificate = PeerCertificate::from_url_encoded_pem(text)?;
    match hash.and_then(digest_of_hex) == Some(*certificate.sha256()) {
        true => Ok(Some(certificate)),
        false => Err(ForwardedError::Hash),
    }
}
