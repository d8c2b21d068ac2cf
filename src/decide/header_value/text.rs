//! How text outside ASCII is written into headers.

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde::{Deserialize, Serialize};

use crate::identity::Charset;
use crate::reason::Reason;

/// The bytes of a header that stand for characters outside ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum HeaderEncoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// ISO 8859-1: one byte a character. A character that it does not have is refused.
    Latin1,
    /// The bytes of UTF-8, and `%`, as `%XX` (RFC 3986 section 2.1).
    Percent,
}

/// Which text a header may carry, and in which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderText {
    /// The characters that names may have.
    pub charset: Charset,
    /// How those outside ASCII are written.
    pub encoding: HeaderEncoding,
}

/// `%` itself, so that no two texts are written alike.
const PERCENT: &AsciiSet = &CONTROLS.add(b'%');

impl HeaderText {
    /// The bytes of a text. What is encoded with `%` already (`is_encoded`) keeps its `%`.
    ///
    /// # Errors
    /// [`Reason::InvalidIdentity`] for a character that the encoding does not have.
    pub fn bytes(self, text: String, is_encoded: bool) -> Result<Vec<u8>, Reason> {
        let has_percent = self.encoding == HeaderEncoding::Percent && !is_encoded;
        match self.encoding {
            HeaderEncoding::Percent if has_percent || !text.is_ascii() => {
                let set = if is_encoded { CONTROLS } else { PERCENT };
                Ok(percent_encode(text.as_bytes(), set)
                    .to_string()
                    .into_bytes())
            }
            HeaderEncoding::Latin1 if !text.is_ascii() => {
                let byte = |character| u8::try_from(character).map_err(|_| Reason::InvalidIdentity);
                text.chars().map(byte).collect()
            }
            HeaderEncoding::Utf8 | HeaderEncoding::Latin1 | HeaderEncoding::Percent => {
                Ok(text.into_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_writing_in_each_encoding() {
        let bytes = |encoding, text: &str, is_encoded| {
            let text_form = HeaderText {
                charset: Charset::Utf8,
                encoding,
            };
            text_form.bytes(text.to_owned(), is_encoded)
        };
        for (encoding, text, expected) in [
            (HeaderEncoding::Utf8, "zo\u{eb}", Ok(&b"zo\xc3\xab"[..])),
            (HeaderEncoding::Latin1, "zo\u{eb}", Ok(b"zo\xeb")),
            (HeaderEncoding::Latin1, "zoe", Ok(b"zoe")),
            (
                HeaderEncoding::Latin1,
                "\u{430}",
                Err(Reason::InvalidIdentity),
            ),
            (HeaderEncoding::Percent, "zo\u{eb}", Ok(b"zo%C3%AB")),
            (HeaderEncoding::Percent, "100%", Ok(b"100%25")),
            (HeaderEncoding::Utf8, "100%", Ok(b"100%")),
        ] {
            let expected = expected.map(<[u8]>::to_vec);
            assert_eq!(bytes(encoding, text, false), expected, "{text}");
        }
        let groups = bytes(HeaderEncoding::Percent, "a%2Cb,zo\u{eb}", true);
        assert_eq!(groups, Ok(b"a%2Cb,zo%C3%AB".to_vec()));
    }
}
