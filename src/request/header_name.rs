//! Names of headers that may be owned.

use std::fmt;

use thiserror::Error;

use crate::identity::is_token;

/// Names that frame or route a message, or end at the next hop (RFC 9110 section 7.6.1).
const NOT_OURS: [&str; 11] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Why text is not the name of a header that may be owned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderNameError {
    /// Not a token of RFC 9110 section 5.6.2.
    #[error("{0:?} is not a header name, expected a token of RFC 9110")]
    NotToken(String),
    /// A pseudo-header of RFC 9113 section 8.3.
    #[error("{0:?} is a pseudo-header, expected a header of its own")]
    Pseudo(String),
    /// A header that belongs to the connection or to the message's framing.
    #[error("{0:?} cannot be used: HTTP itself uses this header")]
    NotOurs(String),
}

/// A header name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HeaderName(String);

/// The mark that the guard behind the filter asks for. Every request that passes has it.
pub(crate) const MARK: &str = "x-ssl-client-verify";

impl HeaderName {
    /// The header that the gateway's mTLS guide names.
    pub fn x_ssl_client_s_dn_cn() -> Self {
        Self("x-ssl-client-s-dn-cn".to_owned())
    }

    /// The name of the mark.
    pub(crate) fn mark() -> Self {
        Self(MARK.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared: every character that is no letter or digit is `-`.
    pub fn folded(&self) -> String {
        self.fold().0
    }

    /// The same form, to compare with.
    pub(crate) fn fold(&self) -> Fold {
        Fold::new(&self.0)
    }
}

/// A name in the form in which names are compared: in lower case, and every character that is no letter or digit is `-`.
/// Gateways fold names in this way, some of them `_` only, some of them more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fold(String);

impl Fold {
    /// The form of a name.
    pub(crate) fn new(name: &str) -> Self {
        Self(name.bytes().map(folded).map(char::from).collect())
    }

    /// The form as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a name is this one, in any spelling.
    pub(crate) fn is(&self, name: &[u8]) -> bool {
        name.len() == self.0.len() && self.is_prefix_of(name)
    }

    /// Whether a name begins with this one, in any spelling.
    pub(crate) fn is_prefix_of(&self, name: &[u8]) -> bool {
        starts_with(name, &self.0)
    }
}

/// Whether a name begins with this folded text, in any spelling.
pub(crate) fn starts_with(name: &[u8], folded_text: &str) -> bool {
    let mut pairs = name.iter().zip(folded_text.bytes());
    name.len() >= folded_text.len() && pairs.all(|(&byte, other)| folded(byte) == other)
}

fn folded(byte: u8) -> u8 {
    match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'-',
    }
}

impl TryFrom<String> for HeaderName {
    type Error = HeaderNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let name = Self(text.to_ascii_lowercase());
        if text.starts_with(':') {
            return Err(HeaderNameError::Pseudo(text));
        }
        if !is_token(&text) {
            return Err(HeaderNameError::NotToken(text));
        }
        if NOT_OURS.contains(&name.fold().as_str()) {
            return Err(HeaderNameError::NotOurs(text));
        }
        Ok(name)
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_in_lower_case() {
        let name = HeaderName::try_from("X-SSL_Client".to_owned()).unwrap();
        assert_eq!(name.as_str(), "x-ssl_client");
        assert_eq!(name.fold().as_str(), "x-ssl-client");
    }

    #[test]
    fn what_may_not_be_owned_says_why() {
        let name = |text: &str| HeaderName::try_from(text.to_owned());
        for text in ["", "a b", "a\r\nb", "a:", "\u{e9}"] {
            assert_eq!(name(text), Err(HeaderNameError::NotToken(text.to_owned())));
        }
        for text in [":path", ":"] {
            assert_eq!(name(text), Err(HeaderNameError::Pseudo(text.to_owned())));
        }
        for text in ["Connection", "transfer_encoding", "Host", "TE"] {
            assert_eq!(name(text), Err(HeaderNameError::NotOurs(text.to_owned())));
        }
    }
}
