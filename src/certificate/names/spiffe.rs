//! SPIFFE IDs: the SPIFFE-ID standard, sections 2.1 to 2.3, read by the crate spiffe.

use std::fmt;

use thiserror::Error;

/// The scheme with its separator.
const SCHEME: &str = "spiffe://";

/// The longest ID, in bytes (section 2.3). The crate takes longer ones.
const MAXIMUM: usize = 2048;

/// Why text is not a SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SpiffeIdError {
    /// It does not begin with `spiffe://`, in lower case.
    #[error("a SPIFFE ID begins with spiffe://")]
    Scheme,
    /// Longer than 2048 bytes.
    #[error("a SPIFFE ID of {0} bytes, at most 2048 are allowed")]
    TooLong(usize),
    /// The trust domain is empty, over 255 bytes, or has other characters than `a-z 0-9 . - _`.
    #[error("a trust domain is 1 to 255 characters of a-z, 0-9, '.', '-' and '_'")]
    TrustDomain,
    /// A path segment is empty, `.`, `..`, or has other characters than `A-Z a-z 0-9 . - _`.
    #[error("a path segment is not empty, not '.' or '..', and of A-Z, a-z, 0-9, '.', '-' and '_'")]
    PathSegment,
}

impl From<spiffe::SpiffeIdError> for SpiffeIdError {
    fn from(error: spiffe::SpiffeIdError) -> Self {
        use spiffe::SpiffeIdError as Error;
        match error {
            Error::Empty | Error::WrongScheme => Self::Scheme,
            Error::MissingTrustDomain
            | Error::BadTrustDomainChar
            | Error::TrustDomainTooLong { .. } => Self::TrustDomain,
            Error::BadPathSegmentChar
            | Error::EmptySegment
            | Error::DotSegment
            | Error::TrailingSlash
            | Error::SpiffeIdTooLong { .. }
            | _ => Self::PathSegment,
        }
    }
}

/// A SPIFFE ID; one that exists is valid.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId {
    text: String,
}

impl SpiffeId {
    /// Reads a SPIFFE ID. Trust domain and path are kept as they are: both are compared byte by byte.
    ///
    /// # Errors
    /// [`SpiffeIdError`] names the rule of the standard that is broken.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > MAXIMUM {
            return Err(SpiffeIdError::TooLong(text.len()));
        }
        if !text.starts_with(SCHEME) {
            return Err(SpiffeIdError::Scheme);
        }
        let text = text.to_owned();
        match spiffe::SpiffeId::new(&text)?.to_string() == text {
            true => Ok(Self { text }),
            // The crate takes upper case in a trust domain, and makes it lower case.
            false => Err(SpiffeIdError::TrustDomain),
        }
    }

    /// Whether a URI claims to be a SPIFFE ID, well-formed or not.
    pub fn is_claimed_by(uri: &str) -> bool {
        uri.split_once(':')
            .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
    }

    /// The whole ID.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for SpiffeId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map_err(|error| format!("found {text:?}: {error}"))
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spiffe_ids_are_kept_as_they_are() {
        for text in [
            "spiffe://cluster.local/ns/mcp/sa/Gateway",
            "spiffe://a",
            "spiffe://a_b-c.d/x/y.z/..a",
        ] {
            assert_eq!(SpiffeId::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_spiffe_id_says_why() {
        let long_domain = format!("spiffe://{}/a", "a".repeat(256));
        let long = format!("spiffe://a/{}", "a".repeat(2048));
        for (text, expected) in [
            ("https://a/b", SpiffeIdError::Scheme),
            ("SPIFFE://a/b", SpiffeIdError::Scheme),
            ("spiffe:/a/b", SpiffeIdError::Scheme),
            ("spiffe://", SpiffeIdError::TrustDomain),
            ("spiffe:///b", SpiffeIdError::TrustDomain),
            ("spiffe://A/b", SpiffeIdError::TrustDomain),
            ("spiffe://a:443/b", SpiffeIdError::TrustDomain),
            ("spiffe://u@a/b", SpiffeIdError::TrustDomain),
            (&long_domain, SpiffeIdError::TrustDomain),
            ("spiffe://a/", SpiffeIdError::PathSegment),
            ("spiffe://a//b", SpiffeIdError::PathSegment),
            ("spiffe://a/b/", SpiffeIdError::PathSegment),
            ("spiffe://a/./b", SpiffeIdError::PathSegment),
            ("spiffe://a/../b", SpiffeIdError::PathSegment),
            ("spiffe://a/b?c", SpiffeIdError::PathSegment),
            ("spiffe://a/b#c", SpiffeIdError::PathSegment),
            ("spiffe://a/%62", SpiffeIdError::PathSegment),
            ("spiffe://a/b,c", SpiffeIdError::PathSegment),
            ("spiffe://a/b c", SpiffeIdError::PathSegment),
            (&long, SpiffeIdError::TooLong(2059)),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(expected), "{text}");
        }
    }
}
