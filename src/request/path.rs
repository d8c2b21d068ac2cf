//! The path of a request as rules see it (RFC 3986 section 6).

use crate::encoding::bytes_of_hex;

use percent_encoding::percent_decode;

/// A path without its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestPath<'a> {
    bytes: &'a [u8],
}

impl<'a> RequestPath<'a> {
    /// The path of a `:path`, up to its query.
    pub fn of(path_and_query: &'a [u8]) -> Self {
        let mut parts = path_and_query.split(|&byte| byte == b'?');
        Self {
            bytes: parts.next().unwrap_or_default(),
        }
    }

    /// The bytes of the path.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether every server reads this path in the same way: absolute, without empty and dot segments,
    /// `;`, `\`, `#`, bytes outside ASCII, and encodings that have another spelling or are no UTF-8.
    pub fn is_normal(&self) -> bool {
        let Some(rest) = self.bytes.strip_prefix(b"/") else {
            return false;
        };
        let mut segments = rest.split(|&byte| byte == b'/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            if segment.is_empty() && !is_last {
                return false;
            }
            if matches!(segment, b"." | b"..") || !is_normal_segment(segment) {
                return false;
            }
        }
        percent_decode(self.bytes).decode_utf8().is_ok()
    }
}

fn is_normal_segment(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let Some((digits, behind)) = behind.split_at_checked(2) else {
                return false;
            };
            if !is_normal_encoding(digits) {
                return false;
            }
            rest = behind;
        } else if !byte.is_ascii_graphic() || matches!(byte, b';' | b'\\' | b'#') {
            return false;
        }
    }
    true
}

/// Whether two hexadecimal digits encode what can be written in no other way: in upper case (RFC 3986
/// section 2.1), not what needs no encoding, no separator, and no `%` that somebody decodes again.
fn is_normal_encoding(digits: &[u8]) -> bool {
    let is_upper = !digits.iter().any(u8::is_ascii_lowercase);
    let decoded = bytes_of_hex(digits).filter(|_| is_upper);
    let Some(&[byte]) = decoded.as_deref() else {
        return false;
    };
    let is_pchar = byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte);
    !is_pchar && !byte.is_ascii_control() && !matches!(byte, b'/' | b'\\' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_no_part_of_the_path() {
        assert_eq!(RequestPath::of(b"/a?b=/c?d").as_bytes(), b"/a");
        assert_eq!(RequestPath::of(b"?b").as_bytes(), b"");
    }

    #[test]
    fn a_normal_path_is_read_in_one_way() {
        for (path, expected) in [
            ("/", true),
            ("/mcp", true),
            ("/servers/a-b_c~d/sse", true),
            ("/a/", true),
            ("/a%20b", true),
            ("/a@b:c,d", true),
            ("/a?b=../..;//", true),
            ("/.well-known/a..b", true),
            ("", false),
            ("*", false),
            ("mcp", false),
            ("http://a/mcp", false),
            ("//mcp", false),
            ("/a//b", false),
            ("/a/./b", false),
            ("/a/../b", false),
            ("/..", false),
            ("/a/.", false),
            ("/a%2fb", false),
            ("/a%2Fb", false),
            ("/a%5cb", false),
            ("/a%5Cb", false),
            ("/%2e%2e/b", false),
            ("/%61dmin", false),
            ("/a;b", false),
            ("/a%3bb", false),
            ("/a\\b", false),
            ("/a#b", false),
            ("/a%", false),
            ("/a%2", false),
            ("/a%zz", false),
            ("/a%C3%A9", true),
            ("/a%c3%a9", false),
            ("/a%C0%AF", false),
            ("/a%40b", false),
            ("/a%252e%252e/b", false),
            ("/a%00", false),
            ("/a%0d", false),
            ("/a b", false),
            ("/\u{e4}", false),
        ] {
            assert_eq!(
                RequestPath::of(path.as_bytes()).is_normal(),
                expected,
                "{path}"
            );
        }
    }
}
