//! The headers in which a trusted peer can speak for its client.

use serde::{Deserialize, Serialize};

use super::error::ForwardedError;
use super::{client_cert, exact, json, text};
use crate::certificate::PeerCertificate;

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
