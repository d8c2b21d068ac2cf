//! Patterns of authorization rules and limits: exact text, or `*` at one end.

use std::cmp::Ordering;
use std::fmt;

use thiserror::Error;

use crate::identity::{Charset, User, UserError};

/// Why text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PatternError {
    /// No characters.
    #[error("found \"\", expected text")]
    Empty,
    /// A `*` elsewhere than at one end.
    #[error("found {0:?}, expected '*' at one end only")]
    Star(String),
    /// A `*` that does not stand beside a boundary of an identity.
    #[error(
        "found {0:?}, expected '*' beside an '@', '.' or '/', so that it stands for whole parts"
    )]
    Boundary(String),
    /// Upper case where it cannot be told whether a URI is meant.
    #[error("found {0:?}, expected lower case behind '*'")]
    Case(String),
    /// Text that can be nobody's name.
    #[error("found {0:?}: {1}")]
    User(String, UserError),
}

/// Exact text, a beginning, an end, or anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// `*`.
    Anything,
    /// `text`.
    Exact(String),
    /// `text*`: with at least one more character.
    Prefix(String),
    /// `*text`: with at least one more character.
    Suffix(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let pattern = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            _ if text.is_empty() => return Err(PatternError::Empty),
            _ if text == "*" => Self::Anything,
            (None, None) => Self::Exact(text.to_owned()),
            (None, Some(prefix)) => Self::Prefix(prefix.to_owned()),
            (Some(suffix), None) => Self::Suffix(suffix.to_owned()),
            (Some(_), Some(_)) => return Err(PatternError::Star(text.to_owned())),
        };
        match pattern.text().contains('*') {
            true => Err(PatternError::Star(text.to_owned())),
            false => Ok(pattern),
        }
    }

    /// Whether the text is of this pattern.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Anything => true,
            Self::Exact(exact) => text == exact.as_bytes(),
            Self::Prefix(prefix) => {
                text.len() > prefix.len() && text.starts_with(prefix.as_bytes())
            }
            Self::Suffix(suffix) => text.len() > suffix.len() && text.ends_with(suffix.as_bytes()),
        }
    }

    /// Whether the text is of this pattern when `*` may stand for nothing.
    pub fn covers(&self, text: &[u8]) -> bool {
        self.matches(text) || text == self.text().as_bytes()
    }

    fn text(&self) -> &str {
        match self {
            Self::Anything => "",
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) => text,
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A pattern of users in canonical form, whose `*` stands for whole parts: `*@example.com` is never
/// `eve@evil-example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPattern(Pattern);

impl UserPattern {
    /// Reads a pattern of users and brings it into canonical form.
    ///
    /// # Errors
    /// [`PatternError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let found = || text.to_owned();
        let is_boundary = |character| matches!(character, Some('@' | '.' | '/'));
        Ok(Self(match Pattern::parse(text)? {
            Pattern::Anything => Pattern::Anything,
            Pattern::Exact(exact) => {
                let user = User::parse(&exact, Charset::Utf8);
                let user = user.map_err(|error| PatternError::User(found(), error))?;
                Pattern::Exact(user.to_string())
            }
            Pattern::Prefix(prefix) if is_boundary(prefix.chars().next_back()) => {
                Pattern::Prefix(canonical_prefix(text, &prefix)?)
            }
            Pattern::Suffix(suffix) if is_boundary(suffix.chars().next()) => {
                Pattern::Suffix(canonical_suffix(text, suffix)?)
            }
            Pattern::Prefix(_) | Pattern::Suffix(_) => return Err(PatternError::Boundary(found())),
        }))
    }

    /// Whether the user is of this pattern.
    pub fn matches(&self, user: &User) -> bool {
        self.0.matches(user.as_str().as_bytes())
    }
}

/// The closest comes first: an exact user before all patterns, then the longest.
impl Ord for UserPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        let is_exact = |it: &Self| matches!(it.0, Pattern::Exact(_));
        let precision = |it: &Self| (is_exact(it), it.0.text().len());
        let closer_first = precision(other).cmp(&precision(self));
        closer_first.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for UserPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for UserPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Anything => f.write_str("*"),
            Pattern::Exact(text) => f.write_str(text),
            Pattern::Prefix(text) => write!(f, "{text}*"),
            Pattern::Suffix(text) => write!(f, "*{text}"),
        }
    }
}

impl TryFrom<String> for UserPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// The beginning as a user would have it: with one more character it must be one.
fn canonical_prefix(text: &str, prefix: &str) -> Result<String, PatternError> {
    let user = User::parse(&format!("{prefix}x"), Charset::Utf8);
    let user = user.map_err(|error| PatternError::User(text.to_owned(), error))?;
    let canonical = user.as_str().strip_suffix('x').unwrap_or_default();
    Ok(canonical.to_owned())
}

/// The end of a name is in lower case; that of a URI is as it is. With a slash the two cannot be told apart.
fn canonical_suffix(text: &str, suffix: String) -> Result<String, PatternError> {
    let user = User::parse(&format!("x{suffix}"), Charset::Utf8);
    user.map_err(|error| PatternError::User(text.to_owned(), error))?;
    match suffix.contains('/') {
        true if suffix.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err(PatternError::Case(text.to_owned()))
        }
        true => Ok(suffix),
        false => Ok(suffix.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, user: &str) -> bool {
        let user = User::parse(user, Charset::Ascii).unwrap();
        UserPattern::parse(pattern).unwrap().matches(&user)
    }

    #[test]
    fn a_star_stands_for_whole_parts() {
        for (pattern, user, expected) in [
            ("*", "a", true),
            ("Admin@Example.com", "admin@example.com", true),
            ("admin@example.com", "admin@example.com.evil", false),
            ("*@example.com", "eve@example.com", true),
            ("*@Example.COM", "eve@example.com", true),
            ("*@example.com", "eve@evil-example.com", false),
            ("*@example.com", "eve@example.com.evil", false),
            ("*@example.com", "eve@sub.example.com", false),
            ("*@example.com", "@example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "aexample.com", false),
            ("admin@*", "admin@example.com", true),
            ("admin@*", "admin", false),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp/sa/x", true),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp", false),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp-evil/sa/x", false),
            ("spiffe://a/ns/MCP/*", "spiffe://a/ns/mcp/sa/x", false),
            ("*/sa/agent", "spiffe://a/ns/mcp/sa/agent", true),
            ("*/sa/agent", "spiffe://a/ns/mcp/sa/Agent", false),
            ("*.a/team", "spiffe://x.a/team", true),
        ] {
            assert_eq!(matches(pattern, user), expected, "{pattern} {user}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let found = |text: &str| text.to_owned();
        for text in ["**", "*a*", "a*b", "*a*b"] {
            assert_eq!(
                UserPattern::parse(text),
                Err(PatternError::Star(found(text))),
                "{text}"
            );
        }
        for text in ["*example.com", "admin*", "spiffe://a/ns*", "*-a"] {
            assert_eq!(
                UserPattern::parse(text),
                Err(PatternError::Boundary(found(text)))
            );
        }
        assert_eq!(UserPattern::parse(""), Err(PatternError::Empty));
        assert_eq!(
            UserPattern::parse("*.a/Team"),
            Err(PatternError::Case(found("*.a/Team")))
        );
        assert_eq!(
            UserPattern::parse("*/A"),
            Err(PatternError::Case(found("*/A")))
        );
        let not_normal = PatternError::User(found("spiffe://A/*"), UserError::UriNotNormal);
        assert_eq!(UserPattern::parse("spiffe://A/*"), Err(not_normal));
        let space = PatternError::User(found(" a"), UserError::OuterSpace);
        assert_eq!(UserPattern::parse(" a"), Err(space));
    }

    #[test]
    fn a_plain_pattern_has_no_boundaries() {
        for (pattern, text, expected) in [
            ("/mcp", "/mcp", true),
            ("/mcp", "/mcp/", false),
            ("/servers/*", "/servers/a/b", true),
            ("/servers*", "/servers2", true),
            ("/servers/*", "/servers/", false),
            ("*/sse", "/a/sse", true),
            ("tools/*", "tools/call", true),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(
                pattern.matches(text.as_bytes()),
                expected,
                "{pattern:?} {text}"
            );
        }
    }
}
