//! Which direct peers speak for their clients (`certificate.forwarded_by`).

use thiserror::Error;

use crate::certificate::{SpiffeId, SpiffeIdError};
use crate::identity::Peer;
use crate::rules::pin::{Pin, PinError};

/// Why text names no peer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForwarderError {
    /// It begins as a pin and is none.
    #[error("{0}")]
    Pin(#[from] PinError),
    /// It is neither a pin nor a SPIFFE ID.
    #[error("found {0:?}: {1}; expected a SPIFFE ID, or a pin (\"sha256:\" or \"spki-sha256:\")")]
    SpiffeId(String, SpiffeIdError),
}

/// A direct peer that speaks for its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarder {
    /// By its SPIFFE ID.
    SpiffeId(SpiffeId),
    /// By its certificate as it is presented, or by its key.
    Pin(Pin),
}

impl Forwarder {
    /// Reads a SPIFFE ID or a pin.
    ///
    /// # Errors
    /// [`ForwarderError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, ForwarderError> {
        let kind = text.split_once(':').map(|(kind, _)| kind);
        let is = |name| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(name));
        if is("sha256") || is("spki-sha256") {
            return Ok(Self::Pin(Pin::parse(text)?));
        }
        let id = SpiffeId::parse(text);
        id.map(Self::SpiffeId)
            .map_err(|error| ForwarderError::SpiffeId(text.to_owned(), error))
    }

    /// Whether this is the peer. The mesh's principal has no certificate, and so no pin.
    pub fn is(&self, peer: &Peer) -> bool {
        match self {
            Self::SpiffeId(id) => peer.spiffe_id().as_ref() == Some(id),
            Self::Pin(pin) => peer.certificate().is_some_and(|it| pin.matches(it)),
        }
    }
}

impl TryFrom<String> for Forwarder {
    type Error = ForwarderError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forwarder_is_a_spiffe_id_or_a_pin() {
        let hex = "0a".repeat(32);
        for (text, expected) in [
            (format!("SHA256:{hex}"), Pin::Certificate([0x0a; 32])),
            (
                format!("spki-sha256:{}", crate::encoding::base64(&[1; 32])),
                Pin::PublicKey([1; 32]),
            ),
        ] {
            assert_eq!(Forwarder::parse(&text), Ok(Forwarder::Pin(expected)));
        }
        let id = SpiffeId::parse("spiffe://a/b").unwrap();
        assert_eq!(
            Forwarder::parse("spiffe://a/b"),
            Ok(Forwarder::SpiffeId(id))
        );
        for text in ["", "ingress", &hex, "spiffe://A/b", "*"] {
            assert!(matches!(
                Forwarder::parse(text),
                Err(ForwarderError::SpiffeId(..))
            ));
        }
        for text in ["sha256:", "spki-sha256:x"] {
            assert!(matches!(
                Forwarder::parse(text),
                Err(ForwarderError::Pin(_))
            ));
        }
    }
}
