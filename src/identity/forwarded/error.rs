//! Why such a header is not believed: one variant for each rule.

use thiserror::Error;

use crate::certificate::CertificateError;

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
