//! Patterns of rules and limits, with the meaning that they have in Istio's AuthorizationPolicy: exact text, `text*`,
//! `*text`, or `*`.

use thiserror::Error;

use crate::encoding::without_case;
use crate::identity::UserError;
use crate::request::{End, normal_form};

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
    /// Upper case where it cannot be told whether a URI is meant, or which lower case it has.
    #[error("found {0:?}, expected lower case beside '*'")]
    Case(String),
    /// Text that can be nobody's name.
    #[error("found {0:?}: {1}")]
    User(String, UserError),
    /// Text that is no path.
    #[error("found {0:?}, expected a path such as \"/mcp\" or \"/servers/*\"")]
    Path(String),
    /// A path that has no normal form. Such a request never fits an allow rule.
    #[error("found {0:?}, expected a path in normal form")]
    NotNormal(String),
}

/// Exact text, a beginning, an end, or anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// `*`: any text that is not empty.
    Anything,
    /// `text`.
    Exact(Vec<u8>),
    /// `text*`: what begins so; the star may stand for nothing.
    Prefix(Vec<u8>),
    /// `*text`: what ends so; the star may stand for nothing.
    Suffix(Vec<u8>),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (pattern, rest) = match (text.strip_prefix('*'), text.strip_suffix('*')) {
            _ if text.is_empty() => return Err(PatternError::Empty),
            _ if text == "*" => (Self::Anything, ""),
            (None, None) => (Self::Exact(text.into()), text),
            (None, Some(prefix)) => (Self::Prefix(prefix.into()), prefix),
            (Some(suffix), None) => (Self::Suffix(suffix.into()), suffix),
            (Some(_), Some(_)) => return Err(PatternError::Star(text.to_owned())),
        };
        match rest.contains('*') {
            true => Err(PatternError::Star(text.to_owned())),
            false => Ok(pattern),
        }
    }

    /// Whether the text is of this pattern. Lengths are compared before any byte is.
    pub fn matches(&self, text: &[u8]) -> bool {
        #[cfg(test)]
        work::count(self.text().len().min(text.len()));
        match self {
            Self::Anything => !text.is_empty(),
            Self::Exact(exact) => text == exact,
            Self::Prefix(prefix) => text.starts_with(prefix),
            Self::Suffix(suffix) => text.ends_with(suffix),
        }
    }

    /// The text of the pattern without its star.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Anything => &[],
            Self::Exact(text) | Self::Prefix(text) | Self::Suffix(text) => text,
        }
    }

    /// The same pattern of text without case.
    pub(super) fn without_case(&self) -> Self {
        let fold = |text: &[u8]| without_case(&String::from_utf8_lossy(text)).into_bytes();
        match self {
            Self::Anything => Self::Anything,
            Self::Exact(text) => Self::Exact(fold(text)),
            Self::Prefix(text) => Self::Prefix(fold(text)),
            Self::Suffix(text) => Self::Suffix(fold(text)),
        }
    }

    /// The same pattern of text in lower case (ASCII).
    pub(super) fn to_lowercase(&self) -> Self {
        match self {
            Self::Anything => Self::Anything,
            Self::Exact(text) => Self::Exact(text.to_ascii_lowercase()),
            Self::Prefix(text) => Self::Prefix(text.to_ascii_lowercase()),
            Self::Suffix(text) => Self::Suffix(text.to_ascii_lowercase()),
        }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// A pattern of paths. It is compared with the normal form of a request's path, so its own text is decoded as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern(Pattern);

impl PathPattern {
    /// Reads a pattern of paths.
    ///
    /// # Errors
    /// [`PatternError`] quotes what was found.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let normal = |piece: &[u8], start, end| {
            let normal = normal_form(piece, start, end);
            let normal = normal.ok_or_else(|| PatternError::NotNormal(text.to_owned()))?;
            Ok(normal.into_owned())
        };
        let pattern = Pattern::parse(text)?;
        let is_suffix = matches!(pattern, Pattern::Suffix(_) | Pattern::Anything);
        if (!is_suffix && !text.starts_with('/')) || text.contains(['?', '#']) {
            return Err(PatternError::Path(text.to_owned()));
        }
        Ok(Self(match pattern {
            Pattern::Anything => Pattern::Anything,
            Pattern::Exact(exact) => Pattern::Exact(normal(&exact, End::Closed, End::Closed)?),
            Pattern::Prefix(prefix) => Pattern::Prefix(normal(&prefix, End::Closed, End::Open)?),
            Pattern::Suffix(suffix) => Pattern::Suffix(normal(&suffix, End::Open, End::Closed)?),
        }))
    }

    /// Whether a path in normal form is of this pattern.
    pub fn matches(&self, normal: &[u8]) -> bool {
        self.0.matches(normal)
    }
}

impl TryFrom<String> for PathPattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// How much was compared, for tests that hold the work of a request to its bound.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static WORK: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    }

    /// Counts one comparison of at most so many bytes.
    pub(crate) fn count(bytes: usize) {
        WORK.with(|work| {
            let (comparisons, all) = work.get();
            work.set((comparisons + 1, all + bytes));
        });
    }

    /// The comparisons and their bytes since the last time this was asked.
    pub(crate) fn take() -> (usize, usize) {
        WORK.with(Cell::take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_beside_text_may_stand_for_nothing() {
        for (pattern, text, expected) in [
            ("/mcp", "/mcp", true),
            ("/mcp", "/mcp/", false),
            ("/mcp*", "/mcp", true),
            ("/servers/*", "/servers/a/b", true),
            ("/servers*", "/servers2", true),
            ("/servers/*", "/servers/", true),
            ("/servers/*", "/servers", false),
            ("*/sse", "/a/sse", true),
            ("*/sse", "/sse", true),
            ("tools/*", "tools/call", true),
            ("*", "a", true),
            ("*", "", false),
        ] {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(
                parsed.matches(text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for text in ["**", "*a*", "a*b", "*a*b"] {
            let error = PatternError::Star(text.to_owned());
            assert_eq!(Pattern::parse(text), Err(error), "{text}");
        }
        assert_eq!(Pattern::parse(""), Err(PatternError::Empty));
    }

    #[test]
    fn paths_are_compared_in_normal_form() {
        for (pattern, path, expected) in [
            ("/users/a%40b", "/users/a@b", true),
            ("/users/a@b", "/users/a%40b", false),
            ("/%61dmin/*", "/admin/", true),
            ("*/s%73e", "/a/sse", true),
            ("*", "/", true),
        ] {
            let parsed = PathPattern::parse(pattern).unwrap();
            assert_eq!(
                parsed.matches(path.as_bytes()),
                expected,
                "{pattern} {path}"
            );
        }
        let not_normal = |text: &str| PatternError::NotNormal(text.to_owned());
        for text in ["/a//*", "/a/../b", "/a%2Fb", "/a%", "*//b", "/a;b", "/%2e*"] {
            let parsed = PathPattern::parse(text);
            assert_eq!(parsed.is_err(), text != "/%2e*", "{text}");
            if let Err(error) = parsed {
                assert_eq!(error, not_normal(text));
            }
        }
        for text in ["mcp", "/a?b", "/a#b", "http://a/b"] {
            let error = PatternError::Path(text.to_owned());
            assert_eq!(PathPattern::parse(text), Err(error));
        }
    }
}
