//! Pins: which certificates or keys a user may come with (RFC 7469 in spirit, per identity).

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::certificate::PeerCertificate;
use crate::encoding;
use crate::identity::{Identity, User};
use crate::reason::Reason;

/// Why text is no pin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PinError {
    /// Neither of the two kinds.
    #[error("found {0:?}, expected \"sha256:\" and hexadecimal or \"spki-sha256:\" and base64")]
    Kind(String),
    /// Not a SHA-256 in hexadecimal.
    #[error(
        "found {0:?}, expected 64 hexadecimal digits behind \"sha256:\", with or without colons"
    )]
    Hexadecimal(String),
    /// Not a SHA-256 in base64.
    #[error("found {0:?}, expected 44 characters of base64 behind \"spki-sha256:\"")]
    Base64(String),
}

/// One certificate, or one key, that a user may come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The SHA-256 of the certificate's DER.
    Certificate([u8; 32]),
    /// The SHA-256 of its SubjectPublicKeyInfo, which a renewal with the same key keeps.
    PublicKey([u8; 32]),
}

impl Pin {
    /// Reads `sha256:<hex>` or `spki-sha256:<base64>`; the prefix in any case.
    ///
    /// # Errors
    /// [`PinError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PinError> {
        let found = || text.to_owned();
        let (kind, digest) = text
            .split_once(':')
            .ok_or_else(|| PinError::Kind(found()))?;
        match kind.to_ascii_lowercase().as_str() {
            "sha256" => sha256_of_hex(digest)
                .map(Self::Certificate)
                .ok_or_else(|| PinError::Hexadecimal(found())),
            "spki-sha256" => encoding::bytes_of_base64(digest.as_bytes())
                .and_then(|digest| digest.try_into().ok())
                .map(Self::PublicKey)
                .ok_or_else(|| PinError::Base64(found())),
            _ => Err(PinError::Kind(found())),
        }
    }

    /// Whether the certificate is the one, or has the key, that is pinned.
    pub fn matches(&self, certificate: &PeerCertificate) -> bool {
        match self {
            Self::Certificate(digest) => certificate.sha256() == digest,
            Self::PublicKey(digest) => certificate.spki_sha256() == digest,
        }
    }
}

impl TryFrom<String> for Pin {
    type Error = PinError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A SHA-256 in hexadecimal of either case, with colons between the bytes or none.
pub fn sha256_of_hex(text: &str) -> Option<[u8; 32]> {
    encoding::bytes_of_written_hex(text)?.try_into().ok()
}

/// Which users are pinned to what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinRules {
    /// Any one of a user's pins must match.
    pub pins: BTreeMap<User, Vec<Pin>>,
    /// Users that must have a pin.
    pub required: BTreeSet<User>,
    /// Whether all users must have a pin.
    pub required_of_all: bool,
}

impl PinRules {
    /// Whether a user must have a pin. Each name of the user counts.
    pub fn is_required(&self, identity: &Identity) -> bool {
        let mut names = identity.names();
        self.required_of_all || names.any(|name| self.required.contains(name))
    }

    /// Whether a user may come with this certificate; a principal of the mesh comes without one. Each name of the user
    /// counts.
    ///
    /// # Errors
    /// [`Reason::PinMismatch`] when the user has pins and none matches, [`Reason::PinRequired`] when the
    /// user must have one and has none.
    pub fn check(
        &self,
        identity: &Identity,
        certificate: Option<&PeerCertificate>,
    ) -> Result<(), Reason> {
        let names = || identity.names();
        let mut pins = names().filter_map(|name| self.pins.get(name)).peekable();
        if pins.peek().is_none() {
            return match self.is_required(identity) {
                true => Err(Reason::PinRequired),
                false => Ok(()),
            };
        }
        let matches = |certificate| pins.flatten().any(|pin| pin.matches(certificate));
        match certificate.is_some_and(matches) {
            true => Ok(()),
            false => Err(Reason::PinMismatch),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_in_every_usual_writing() {
        let hex = "0a".repeat(32);
        let colons = vec!["0A"; 32].join(":");
        for text in [
            format!("sha256:{hex}"),
            format!("sha256:{colons}"),
            format!("SHA256:{colons}"),
        ] {
            assert_eq!(Pin::parse(&text), Ok(Pin::Certificate([0x0a; 32])));
        }
        for prefix in ["spki-sha256", "SPKI-SHA256"] {
            let text = format!("{prefix}:{}", encoding::base64(&[0xff; 32]));
            assert_eq!(Pin::parse(&text), Ok(Pin::PublicKey([0xff; 32])));
        }
    }

    #[test]
    fn what_is_no_pin_says_why() {
        let base64 = encoding::base64(&[1; 32]);
        for text in ["", "sha1:00", "sha256", &base64] {
            assert_eq!(Pin::parse(text), Err(PinError::Kind(text.to_owned())));
        }
        let odd_colons = format!("sha256:{}", vec!["0a0a"; 16].join(":"));
        let short = format!("sha256:{}", "0a".repeat(31));
        for text in ["sha256:", "sha256:xy", &odd_colons, &short] {
            assert_eq!(
                Pin::parse(text),
                Err(PinError::Hexadecimal(text.to_owned()))
            );
        }
        let short = format!("spki-sha256:{}", encoding::base64(&[1; 31]));
        let unpadded = format!("spki-sha256:{}", base64.trim_end_matches('='));
        for text in ["spki-sha256:", &short, &unpadded] {
            assert_eq!(Pin::parse(text), Err(PinError::Base64(text.to_owned())));
        }
    }
}
