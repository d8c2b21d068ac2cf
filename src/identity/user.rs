//! Users in their one canonical form.
//!
//! The header, pins, rules and limits all use it, so neither case nor white space can make two users
//! out of one, or one out of two.

use serde::{Deserialize, Serialize};
use std::fmt;

use thiserror::Error;
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::certificate::SpiffeId;

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
    /// Any Unicode text in normal form NFKC, without control characters and without a letter whose lower case is more than
    /// one character (`İ`).
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
    /// A letter whose lower case is more than one character, so that programs disagree about it (`İ`).
    #[error("a character U+{0:04X} in a user, whose lower case is not one letter")]
    Lowercase(u32),
    /// A character that Unicode has for compatibility only: a Kelvin sign, a full-width letter (RFC 8264 section 9.17).
    #[error("a character U+{0:04X} in a user, which Unicode writes in another way (NFKC)")]
    Compatibility(u32),
    /// Text that Unicode writes in another way as well, and this is not its normal form NFC.
    #[error("a user that is not in Unicode normal form NFC")]
    NotNormal,
    /// A SPIFFE ID whose scheme or trust domain is not in lower case (SPIFFE-ID section 2).
    #[error("a SPIFFE ID whose scheme or trust domain is not in lower case")]
    UriNotNormal,
}

/// A user in canonical form: what goes into the header. All is in lower case but what stands in a URI behind its scheme and
/// host.
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
        text.chars().try_for_each(check_character)?;
        let text = match is_uri(text) {
            true => canonical_uri(text)?,
            false => text.to_lowercase(),
        };
        // Lowercasing can make text longer, and can put together what was apart.
        check_length(&text)?;
        let is_lower = is_uri(&text) || text.to_lowercase() == text;
        match is_lower && is_nfc(&text) {
            true => Ok(Self { text }),
            false => Err(UserError::NotNormal),
        }
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

/// Checks that a character is its own form NFKC, and that all programs agree about its lower case.
fn check_character(character: char) -> Result<(), UserError> {
    let code = u32::from(character);
    if character.is_ascii() {
        return Ok(());
    }
    if !std::iter::once(character).nfkc().eq([character]) {
        return Err(UserError::Compatibility(code));
    }
    match character.to_lowercase().count() {
        1 => Ok(()),
        _ => Err(UserError::Lowercase(code)),
    }
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

/// Schemes of URIs without an authority: URNs (RFC 8141), tags (RFC 4151), decentralized identifiers.
const SCHEMES_WITHOUT_AUTHORITY: [&str; 3] = ["urn", "tag", "did"];

/// Whether text is read as a URI: a scheme (RFC 3986 section 3.1) with an authority, a URN, a `tag:` or a `did:`.
/// `system:node:a` is none.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(in_scheme);
    is_scheme && (rest.starts_with("//") || has_no_authority(scheme))
}

fn has_no_authority(scheme: &str) -> bool {
    let mut schemes = SCHEMES_WITHOUT_AUTHORITY.iter();
    schemes.any(|known| scheme.eq_ignore_ascii_case(known))
}

/// A URI with the parts in lower case that have no case: scheme and host (RFC 3986 section 6.2.2.1), and the namespace of a
/// URN (RFC 8141 section 3.1). A SPIFFE ID in upper case is refused: other readers refuse it, too.
fn canonical_uri(text: &str) -> Result<String, UserError> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let end = match rest.strip_prefix("//") {
        Some(authority) => authority.find(['/', '?', '#']).map(|end| end + 2),
        None if scheme.eq_ignore_ascii_case("urn") => rest.find(':'),
        None => Some(0),
    };
    let end = end.unwrap_or(rest.len());
    let (authority, rest) = rest.split_at_checked(end).unwrap_or_default();
    // A user name before the host has a case.
    let host = authority.rfind('@').unwrap_or_default();
    let (user, host) = authority.split_at_checked(host).unwrap_or_default();
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    let canonical = format!("{scheme}:{user}{host}{rest}");
    match SpiffeId::is_claimed_by(text) && canonical != text {
        true => Err(UserError::UriNotNormal),
        false => Ok(canonical),
    }
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
            ("URN:UUID:F81D", "urn:uuid:F81D"),
            ("HTTPS://A.Example/B", "https://a.example/B"),
            ("HTTPS://A.Example", "https://a.example"),
            ("https://User@A.Example:1/", "https://User@a.example:1/"),
            ("Tag:example.com,2026:A", "tag:example.com,2026:A"),
            ("did:web:Example", "did:web:Example"),
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
        ] {
            assert_eq!(ascii(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn names_outside_ascii_have_one_form() {
        let utf8 = |text| User::parse(text, Charset::Utf8).map(|user| user.to_string());
        for (text, expected) in [
            ("J\u{fc}rgen", "j\u{fc}rgen"),
            ("\u{dc}LO", "\u{fc}lo"),
            (
                "\u{39f}\u{394}\u{39f}\u{3a3}",
                "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
            ),
            (
                "\u{d5}UNAPUU,MARI,38001085718",
                "\u{f5}unapuu,mari,38001085718",
            ),
        ] {
            assert_eq!(utf8(text).as_deref(), Ok(expected));
        }
        for (text, expected) in [
            ("\u{212a}ate", UserError::Compatibility(0x212a)),
            ("\u{ff41}", UserError::Compatibility(0xff41)),
            ("\u{fb01}", UserError::Compatibility(0xfb01)),
            ("\u{130}", UserError::Lowercase(0x130)),
            ("a\u{2028}b", UserError::Control(0x2028)),
            ("a\u{200b}b", UserError::Control(0x200b)),
            ("e\u{301}", UserError::NotNormal),
            ("E\u{301}", UserError::NotNormal),
        ] {
            assert_eq!(utf8(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_longest_user_has_254_bytes() {
        assert_eq!(ascii(&"a".repeat(254)).map(|text| text.len()), Ok(254));
    }
}
