//! What readers of a header make of its text: white space, quotes, parameters, and the pairs of a cookie.

use std::borrow::Cow;

/// Headers whose values have no letter case by their own grammar (RFC 9110 sections 8.3, 8.4, 12.5 and 5.2).
const CASELESS: [&str; 12] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "expect",
    "pragma",
    "via",
];

/// Whether the values of a header have no letter case.
pub(super) fn is_caseless(name: &str) -> bool {
    CASELESS.contains(&name)
}

/// The name of a pair of a cookie: what stands before its `=`.
pub(super) fn cookie_name(pair: &[u8]) -> &[u8] {
    let name = pair.split(|&byte| byte == b'=').next();
    trim_latin_1(name.unwrap_or_default())
}

/// A pair of a cookie as name and value, without white space around the two.
pub(super) fn without_space_at_equals(pair: &[u8]) -> Vec<u8> {
    let name = cookie_name(pair);
    let value = pair.splitn(2, |&byte| byte == b'=').nth(1);
    match value {
        Some(value) => [name, b"=", trim_latin_1(value)].concat(),
        None => name.to_vec(),
    }
}

/// A pair as it is, and with its value as Python's http.cookies reads it: without quotes, and `\\NNN` and `\\x` decoded.
pub(super) fn add_pair(pair: &[u8], readings: &mut Vec<Cow<'_, [u8]>>) {
    let mut parts = pair.splitn(2, |&byte| byte == b'=');
    let (name, value) = (parts.next().unwrap_or_default(), parts.next());
    let quoted = value
        .and_then(|it| it.strip_prefix(b"\""))
        .and_then(|it| it.strip_suffix(b"\""));
    if let Some(quoted) = quoted {
        readings.push(Cow::Owned([name, b"=", &unescaped(quoted)].concat()));
    }
    readings.push(Cow::Owned(pair.to_vec()));
}

/// Text without its backslashes: three octal digits behind one are a byte, anything else is itself.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let [byte, behind @ ..] = rest {
        rest = match (byte, behind) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    behind @ ..,
                ],
            ) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                behind
            }
            (b'\\', [next, behind @ ..]) => {
                bytes.push(*next);
                behind
            }
            _ => {
                bytes.push(*byte);
                behind
            }
        };
    }
    bytes
}

/// All that readers make of an entry: without white space of any kind at its ends, without `;parameters`, without quotes,
/// and in lower case where the header has no case.
pub(super) fn add_readings<'a>(entry: &'a [u8], name: &str, readings: &mut Vec<Cow<'a, [u8]>>) {
    let first = readings.len();
    let without_parameters = entry.split(|&byte| byte == b';').next().unwrap_or(entry);
    for text in [entry, without_parameters] {
        for text in [text.trim_ascii(), trim_latin_1(text), trim_unicode(text)] {
            let unquoted = text
                .strip_prefix(b"\"")
                .and_then(|it| it.strip_suffix(b"\""));
            for text in std::iter::once(text).chain(unquoted) {
                let text = match is_caseless(name) {
                    true => Cow::Owned(text.to_ascii_lowercase()),
                    false => Cow::Borrowed(text),
                };
                // Most entries are read in one way only.
                let mut known = readings.iter().skip(first);
                if known.all(|other| *other != text) {
                    readings.push(text);
                }
            }
        }
    }
}

/// Whether Python takes a byte, read as Latin-1, for white space.
pub(super) fn is_space(byte: &u8) -> bool {
    matches!(byte, 0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0)
}

/// Without what Python's `str.strip` removes when it has read the bytes as Latin-1.
pub(super) fn trim_latin_1(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(byte));
    let end = text.iter().rposition(|byte| !is_space(byte));
    match (start, end) {
        (Some(start), Some(end)) => text.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

/// Without what Python, Go and JavaScript trim from text in UTF-8.
fn trim_unicode(text: &[u8]) -> &[u8] {
    let is_space = |character: char| {
        let code = u32::from(character);
        character.is_whitespace() || matches!(code, 0x1c..=0x1f | 0x200b | 0xfeff)
    };
    match std::str::from_utf8(text) {
        Ok(text) => text.trim_matches(is_space).as_bytes(),
        Err(_) => text,
    }
}
