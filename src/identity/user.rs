//! Users in their one canonical form.
//!
//! The header, pins, rules and limits all use it, so neither case nor white space can make two users
//! out of one, or one out of two.

use serde::{Deserialize, Serialize};
use std::fmt;

use thiserror::Error;

use crate::identity::normal_form::is_nfkc;

/// The longest canonical user, in bytes.
pub const MAXIMUM_USER: usize = 254;

/// Which characters may be in a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Charset {
    /// Printable ASCII, space to tilde.
    #[default]
    Ascii,
    /// Any Unicode text without control characters and without letters that have another lower case.
    Utf8,
}

/// Why text names no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UserError {
    /// No characters at all.
    #[error("an empty user")]
    Empty,
    /// More than 254 bytes.
    #[error("a user of {0} bytes, at most 254 are allowed")]
    TooLong(usize),
    /// A control character, NUL, a line end: never part of a header's value.
    #[error("a control character U+{0:04X} in a user")]
    Control(u32),
    /// A space at the beginning or the end, which a reader of the header would cut off.
    #[error("a user with white space at an end")]
    OuterSpace,
    /// A character outside ASCII, where the charset is `ascii`.
    #[error("a character U+{0:04X} in a user, expected ASCII (identity.charset)")]
    NotAscii(u32),
    /// A character outside ASCII that another program's lower-casing would turn into another.
    #[error("a character U+{0:04X} in a user, expected its lower case")]
    NotLowercase(u32),
    /// Text that Unicode writes in another way as well, and this is not its normal form NFKC.
    #[error("a user that is not in Unicode normal form NFKC")]
    NotNormal,
    /// A URI whose scheme or authority is not in lower case (RFC 3986 section 6.2.2.1).
    #[error("a URI whose scheme or authority is not in lower case")]
    UriNotNormal,
}

/// A user in canonical form: what goes into the header. URIs are kept, all else is lowercased (ASCII).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct User {
    text: String,
}

impl User {
    /// The canonical form of a name.
    ///
    /// # Errors
    /// [`UserError`] when the text cannot be anybody's name.
    pub fn parse(text: &str, charset: Charset) -> Result<Self, UserError> {
        check_length(text)?;
        check_text(text, charset)?;
        if let Some(upper) = text
            .chars()
            .find(|&character| has_other_lowercase(character))
        {
            return Err(UserError::NotLowercase(u32::from(upper)));
        }
        let text = match is_uri(text) {
            true if is_normal_uri(text) => text.to_owned(),
            true => return Err(UserError::UriNotNormal),
            false => text.to_ascii_lowercase(),
        };
        if !is_nfkc(&text) {
            return Err(UserError::NotNormal);
        }
        Ok(Self { text })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// A user in the configuration: any charset, since one that cannot come does no harm there.
impl TryFrom<String> for User {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.starts_with('*') || text.ends_with('*') {
            return Err(format!("found {text:?}, expected a user and no pattern"));
        }
        Self::parse(&text, Charset::Utf8).map_err(|error| format!("found {text:?}: {error}"))
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn check_length(text: &str) -> Result<(), UserError> {
    match text.len() {
        0 => Err(UserError::Empty),
        1..=MAXIMUM_USER => Ok(()),
        more => Err(UserError::TooLong(more)),
    }
}

/// Checks text that goes into a header as it is: characters of the charset, no control characters, no
/// white space at the ends.
///
/// # Errors
/// [`UserError`] names what the text has and may not.
pub fn check_text(text: &str, charset: Charset) -> Result<(), UserError> {
    if text.trim() != text {
        return Err(UserError::OuterSpace);
    }
    for character in text.chars() {
        let code = u32::from(character);
        if character.is_control() || is_invisible(character) {
            return Err(UserError::Control(code));
        }
        if charset == Charset::Ascii && !character.is_ascii() {
            return Err(UserError::NotAscii(code));
        }
    }
    Ok(())
}

fn has_other_lowercase(character: char) -> bool {
    !character.is_ascii() && character.to_lowercase().ne([character])
}

/// Format characters (category Cf), characters that are shown as nothing (Default_Ignorable_Code_Point) and
/// the separators of lines: they make two users look like one.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Whether text is read as a URI, and so kept as it is: a scheme (RFC 3986 section 3.1) with an authority,
/// or a URN (RFC 8141). `system:node:a` is none.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme);
    is_scheme && (rest.starts_with("//") || scheme.eq_ignore_ascii_case("urn"))
}

/// RFC 3986 section 6.2.2.1: scheme and host have no case, so only their lower case is a name. The
/// namespace identifier of a URN stands in the host's place.
fn is_normal_uri(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let authority = match rest.strip_prefix("//") {
        Some(rest) => rest.split(['/', '?', '#']).next(),
        None => rest.split(':').next(),
    };
    let lower = |text: &str| !text.bytes().any(|byte| byte.is_ascii_uppercase());
    lower(scheme) && authority.is_some_and(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(text: &str) -> Result<String, UserError> {
        User::parse(text, Charset::Ascii).map(|user| user.to_string())
    }

    #[test]
    fn names_are_lowercased_and_uris_are_kept() {
        for (text, expected) in [
            ("Admin@Example.COM", "admin@example.com"),
            ("system:node:A", "system:node:a"),
            ("spiffe://a/ns/Team", "spiffe://a/ns/Team"),
            ("https://a.example/B?C", "https://a.example/B?C"),
            ("urn:uuid:F81D", "urn:uuid:F81D"),
            ("a b", "a b"),
            ("1://A", "1://a"),
            ("A b://C", "a b://c"),
        ] {
            assert_eq!(ascii(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_names_nobody_says_why() {
        let long = "a".repeat(255);
        for (text, expected) in [
            ("", UserError::Empty),
            (&long, UserError::TooLong(255)),
            (" a", UserError::OuterSpace),
            ("a ", UserError::OuterSpace),
            ("\ta", UserError::OuterSpace),
            ("a\u{a0}", UserError::OuterSpace),
            ("a\0b", UserError::Control(0)),
            ("a\rb", UserError::Control(0x0d)),
            ("a\nb", UserError::Control(0x0a)),
            ("a\tb", UserError::Control(0x09)),
            ("a\u{7f}b", UserError::Control(0x7f)),
            ("a\u{85}b", UserError::Control(0x85)),
            ("\u{430}dmin", UserError::NotAscii(0x430)),
            ("SPIFFE://a/b", UserError::UriNotNormal),
            ("spiffe://A/b", UserError::UriNotNormal),
            ("URN:a:b", UserError::UriNotNormal),
            ("urn:A:b", UserError::UriNotNormal),
        ] {
            assert_eq!(ascii(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn outside_ascii_only_lower_case_is_a_name() {
        let utf8 = |text| User::parse(text, Charset::Utf8).map(|user| user.to_string());
        assert_eq!(utf8("J\u{fc}rgen").as_deref(), Ok("j\u{fc}rgen"));
        assert_eq!(utf8("\u{dc}lo"), Err(UserError::NotLowercase(0xdc)));
        assert_eq!(utf8("\u{212a}ate"), Err(UserError::NotLowercase(0x212a)));
        assert_eq!(utf8("a\u{2028}b"), Err(UserError::Control(0x2028)));
        assert_eq!(utf8("a\u{200b}b"), Err(UserError::Control(0x200b)));
        assert_eq!(utf8("e\u{301}"), Err(UserError::NotNormal));
    }

    #[test]
    fn the_longest_user_has_254_bytes() {
        assert_eq!(ascii(&"a".repeat(254)).map(|text| text.len()), Ok(254));
    }
}
