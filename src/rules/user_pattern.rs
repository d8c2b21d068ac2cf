//! Patterns of users in canonical form, whose `*` stands for whole parts of a name.

use std::cmp::Ordering;
use std::fmt;

use crate::identity::{Charset, Identity, User};
use crate::rules::pattern::{Pattern, PatternError};

/// A pattern of users: `*@example.com` is never `eve@evil-example.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPattern(Pattern);

impl UserPattern {
    /// Reads a pattern of users and brings it into canonical form.
    ///
    /// # Errors
    /// [`PatternError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let is_boundary = |byte: Option<&u8>| matches!(byte, Some(b'@' | b'.' | b'/'));
        let pattern = Pattern::parse(text)?;
        let bare = text.trim_matches('*');
        Ok(Self(match pattern {
            Pattern::Anything => Pattern::Anything,
            Pattern::Exact(_) => Pattern::Exact(canonical(text, bare)?.into()),
            Pattern::Prefix(prefix) if is_boundary(prefix.last()) => {
                Pattern::Prefix(canonical_prefix(text, bare)?)
            }
            Pattern::Suffix(suffix) if is_boundary(suffix.first()) => {
                Pattern::Suffix(canonical_suffix(text, bare)?)
            }
            Pattern::Prefix(_) | Pattern::Suffix(_) => {
                return Err(PatternError::Boundary(text.to_owned()));
            }
        }))
    }

    /// Whether the user is of this pattern, by any of the names that it has.
    pub fn matches(&self, identity: &Identity) -> bool {
        let mut names = identity.names();
        names.any(|name| self.0.matches(name.as_str().as_bytes()))
    }

    /// The one user of a pattern without a star.
    pub fn exact(&self) -> Option<&[u8]> {
        match &self.0 {
            Pattern::Exact(text) => Some(text),
            Pattern::Anything | Pattern::Prefix(_) | Pattern::Suffix(_) => None,
        }
    }

    /// Whether this is `*`: every user.
    pub fn is_anybody(&self) -> bool {
        self.0 == Pattern::Anything
    }
}

/// The closest comes first: an exact user before all patterns, then the longest.
impl Ord for UserPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        let precision = |it: &Self| (it.exact().is_some(), it.0.text().len());
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
        let text = String::from_utf8_lossy(self.0.text());
        match &self.0 {
            Pattern::Anything => f.write_str("*"),
            Pattern::Exact(_) => f.write_str(&text),
            Pattern::Prefix(_) => write!(f, "{text}*"),
            Pattern::Suffix(_) => write!(f, "*{text}"),
        }
    }
}

impl TryFrom<String> for UserPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// The canonical form of a name; `pattern` is what an error quotes.
fn canonical(pattern: &str, name: &str) -> Result<String, PatternError> {
    let user = User::parse(name, Charset::Utf8);
    let user = user.map_err(|error| PatternError::User(pattern.to_owned(), error))?;
    Ok(user.to_string())
}

/// The lower case of a capital sigma depends on the letters around it, and the star may stand for any.
fn check_sigma(pattern: &str) -> Result<(), PatternError> {
    match pattern.contains('Σ') {
        true => Err(PatternError::Case(pattern.to_owned())),
        false => Ok(()),
    }
}

/// The beginning of a user in canonical form. A letter in the star's place makes a user of it.
fn canonical_prefix(pattern: &str, prefix: &str) -> Result<Vec<u8>, PatternError> {
    check_sigma(pattern)?;
    let user = canonical(pattern, &format!("{prefix}x"))?;
    Ok(user.strip_suffix('x').unwrap_or_default().into())
}

/// The end of a user in canonical form. A name is in lower case, a URI as it is: behind a slash it could be either.
fn canonical_suffix(pattern: &str, suffix: &str) -> Result<Vec<u8>, PatternError> {
    check_sigma(pattern)?;
    let user = canonical(pattern, &format!("x{suffix}"))?;
    let lower = user.strip_prefix('x').unwrap_or_default();
    match suffix.contains('/') && lower != suffix {
        true => Err(PatternError::Case(pattern.to_owned())),
        false => Ok(lower.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Source, UserError};

    fn matches(pattern: &str, user: &str) -> bool {
        let user = User::parse(user, Charset::Ascii).unwrap();
        let identity = Identity::new(user, Source::Cn);
        UserPattern::parse(pattern).unwrap().matches(&identity)
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
            ("*@example.com", "@example.com", true),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "aexample.com", false),
            ("admin@*", "admin@example.com", true),
            ("admin@*", "admin@", true),
            ("admin@*", "admin", false),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp/sa/x", true),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp", false),
            ("spiffe://a/ns/mcp/*", "spiffe://a/ns/mcp-evil/sa/x", false),
            ("spiffe://a/ns/MCP/*", "spiffe://a/ns/mcp/sa/x", false),
            ("spiffe://*", "spiffe://a/ns/mcp", true),
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
        for text in ["*example.com", "admin*", "spiffe://a/ns*", "*-a"] {
            assert_eq!(
                UserPattern::parse(text),
                Err(PatternError::Boundary(found(text)))
            );
        }
        assert_eq!(UserPattern::parse(""), Err(PatternError::Empty));
        for text in ["*.a/Team", "*/A", "ΑΣ.*", "*.ΑΣ"] {
            let error = PatternError::Case(found(text));
            assert_eq!(UserPattern::parse(text), Err(error));
        }
        let not_normal = PatternError::User(found("spiffe://A/*"), UserError::UriNotNormal);
        assert_eq!(UserPattern::parse("spiffe://A/*"), Err(not_normal));
        let space = PatternError::User(found(" a"), UserError::OuterSpace);
        assert_eq!(UserPattern::parse(" a"), Err(space));
    }
}
