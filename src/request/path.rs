//! The path of a request as rules compare it (RFC 3986 section 6).

use std::borrow::Cow;
use std::cell::OnceCell;

/// A path without its query. Its normal form is worked out once, when it is first asked for, however many rules ask.
#[derive(Clone, Debug)]
pub struct RequestPath<'a> {
    bytes: &'a [u8],
    normal: OnceCell<Normal>,
    with_slash: OnceCell<Vec<u8>>,
}

/// The normal form of a path.
#[derive(Clone, Debug)]
enum Normal {
    /// It has none.
    None,
    /// The path itself.
    Same,
    /// What its encodings stand for.
    Decoded(Vec<u8>),
}

impl<'a> RequestPath<'a> {
    /// The path of a `:path`, up to its query.
    pub fn new(path_and_query: &'a [u8]) -> Self {
        let mut parts = path_and_query.split(|&byte| byte == b'?');
        Self {
            bytes: parts.next().unwrap_or_default(),
            normal: OnceCell::new(),
            with_slash: OnceCell::new(),
        }
    }

    /// The bytes of the path as the client sent them.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The path in normal form, its encodings decoded; none if two servers could read it as two paths.
    ///
    /// A path in normal form is absolute. It has no empty segment but the last one and no dot segment. `;`, `\`, `#` and
    /// bytes outside printable ASCII do not stand in it as they are. Its encodings stand for printable ASCII other than
    /// `/ \ % ; ? #`, or for well-formed UTF-8.
    pub fn normal(&self) -> Option<&[u8]> {
        let normal =
            self.normal
                .get_or_init(|| match normal_form(self.bytes, End::Closed, End::Closed) {
                    None => Normal::None,
                    Some(Cow::Borrowed(_)) => Normal::Same,
                    Some(Cow::Owned(decoded)) => Normal::Decoded(decoded),
                });
        match normal {
            Normal::None => None,
            Normal::Same => Some(self.bytes),
            Normal::Decoded(decoded) => Some(decoded),
        }
    }

    /// The normal form with and without a final slash, in the order in which it came first: many gateways serve the two
    /// alike.
    pub fn either_end(&self) -> Option<[&[u8]; 2]> {
        let normal = self.normal()?;
        let with_slash = || self.with_slash.get_or_init(|| [normal, b"/"].concat());
        let other = normal.strip_suffix(b"/");
        Some([normal, other.unwrap_or_else(|| with_slash())])
    }
}

/// Whether a piece of a path ends here, or goes on behind the `*` of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The path ends here.
    Closed,
    /// More may follow.
    Open,
}

/// The normal form of a path, or of the piece of one that a pattern has; none if it has none.
pub(crate) fn normal_form(text: &[u8], start: End, end: End) -> Option<Cow<'_, [u8]>> {
    let decoded = decode(text)?;
    std::str::from_utf8(&decoded).ok()?;
    let segments: Vec<_> = decoded.split(|&byte| byte == b'/').collect();
    let last = segments.len().checked_sub(1)?;
    let is_normal = |(place, segment): (usize, &&[u8])| match (place, segment) {
        (0, segment) if start == End::Closed => segment.is_empty() && last > 0,
        (0, _) => true,
        (place, _) if place == last && end == End::Open => true,
        (place, []) => place == last,
        (_, segment) => !matches!(*segment, b"." | b".."),
    };
    let is_normal = segments.iter().enumerate().all(is_normal);
    is_normal.then_some(decoded)
}

/// The text with its encodings decoded; none if one of its bytes or encodings cannot stand in a normal form.
fn decode(text: &[u8]) -> Option<Cow<'_, [u8]>> {
    if text.iter().all(|&byte| is_plain(byte)) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let byte = match byte {
            b'%' => {
                let (digits, behind) = behind.split_at_checked(2)?;
                rest = behind;
                decoded_byte(digits)?
            }
            byte if is_plain(byte) => byte,
            _ => return None,
        };
        decoded.push(byte);
    }
    Some(Cow::Owned(decoded))
}

/// Whether a byte stands for itself in a path that all servers read alike.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'%' | b';' | b'\\' | b'#')
}

/// The byte that two hexadecimal digits encode, if no server could take the decoded byte for a separator.
fn decoded_byte(digits: &[u8]) -> Option<u8> {
    let byte = digits.iter().try_fold(0_u8, |sum, &digit| {
        let digit = char::from(digit).to_digit(16)?;
        Some(sum << 4 | u8::try_from(digit).ok()?)
    })?;
    let is_kept = matches!(byte, b' '..=b'~' | 0x80..);
    (is_kept && !matches!(byte, b'/' | b'\\' | b'%' | b';' | b'?' | b'#')).then_some(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(path: &str) -> Option<String> {
        let path = RequestPath::new(path.as_bytes());
        let normal = path.normal()?;
        Some(String::from_utf8(normal.to_vec()).unwrap())
    }

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert_eq!(RequestPath::new(b"/a?b=/c?d").as_bytes(), b"/a");
        assert_eq!(RequestPath::new(b"?b").as_bytes(), b"");
    }

    #[test]
    fn encodings_are_compared_decoded() {
        for (path, expected) in [
            ("/", "/"),
            ("/mcp", "/mcp"),
            ("/servers/a-b_c~d/sse", "/servers/a-b_c~d/sse"),
            ("/a/", "/a/"),
            ("/a%20b", "/a b"),
            ("/a@b:c,d", "/a@b:c,d"),
            ("/a%40b", "/a@b"),
            ("/%61dmin", "/admin"),
            ("/a?b=../..;//", "/a"),
            ("/.well-known/a..b", "/.well-known/a..b"),
            ("/a%C3%A9", "/a\u{e9}"),
            ("/a%c3%a9", "/a\u{e9}"),
            ("/...", "/..."),
        ] {
            assert_eq!(normal(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn the_other_end_is_with_a_slash_or_without() {
        for (path, expected) in [
            ("/", Some(["/", ""])),
            ("/a%62", Some(["/ab", "/ab/"])),
            ("/a/?b", Some(["/a/", "/a"])),
            ("a", None),
        ] {
            let path = RequestPath::new(path.as_bytes());
            let expected = expected.map(|ends| ends.map(str::as_bytes));
            assert_eq!(path.either_end(), expected, "{path:?}");
        }
    }

    #[test]
    fn what_servers_read_in_two_ways_has_no_normal_form() {
        for path in [
            "",
            "*",
            "mcp",
            "http://a/mcp",
            "//mcp",
            "/a//b",
            "/a//",
            "/a/./b",
            "/a/../b",
            "/..",
            "/a/.",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5Cb",
            "/%2e%2e/b",
            "/a/.%2E",
            "/%2e",
            "/a;b",
            "/a%3bb",
            "/a%3Fb",
            "/a%23b",
            "/a\\b",
            "/a#b",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/a%C0%AF",
            "/a%C3",
            "/a%E9",
            "/a%252e%252e/b",
            "/a%00",
            "/a%0d",
            "/a%7f",
            "/a b",
            "/\u{e4}",
        ] {
            assert_eq!(normal(path), None, "{path}");
        }
    }

    #[test]
    fn a_piece_of_a_path_is_open_at_the_side_of_its_star() {
        let piece = |text: &str, start, end| normal_form(text.as_bytes(), start, end).is_some();
        for (text, expected) in [
            ("/a/.", true),
            ("/a/", true),
            ("/a/b%40", true),
            ("a", false),
            ("//", false),
            ("/a/../", false),
            ("/a%4", false),
        ] {
            assert_eq!(piece(text, End::Closed, End::Open), expected, "{text}*");
        }
        for (text, expected) in [
            ("/sse", true),
            (".a/b", true),
            ("a", true),
            ("a//b", false),
            ("a/..", false),
        ] {
            assert_eq!(piece(text, End::Open, End::Closed), expected, "*{text}");
        }
    }
}
