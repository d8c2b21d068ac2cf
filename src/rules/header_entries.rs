//! The values of one request header, split once and kept in order, so that each pattern of a thousand rules finds its
//! entries without a look at all of them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::request::RequestHead;
use crate::rules::pattern::Pattern;

/// The most entries of a header that are compared. With more of them a deny rule fits and an allow rule does not.
pub const MAXIMUM_ENTRIES: usize = 64;

/// Headers whose values have no letter case by their own grammar (RFC 9110 sections 8.3, 8.4, 12.5 and 5.2).
const CASELESS: [&str; 11] = [
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
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

/// The entries of a header, or too many of them.
#[derive(Clone, Debug)]
pub(super) enum HeaderEntries<'a> {
    /// At most [`MAXIMUM_ENTRIES`].
    Few(Entries<'a>),
    /// More.
    TooMany,
}

/// Texts in two orders: from their beginnings and from their ends.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    by_start: Vec<Cow<'a, [u8]>>,
    /// Each entry written backwards, and its place in `by_start`.
    by_end: Vec<(Vec<u8>, usize)>,
}

impl<'a> HeaderEntries<'a> {
    /// What an allow rule compares: each line of the header as it is. Of `cookie`: each pair.
    pub(super) fn for_allow(head: &RequestHead<'a>, name: &str) -> Self {
        let mut entries = BTreeSet::new();
        for line in head.values_in_any_spelling(name) {
            for entry in split(line, (name == "cookie").then_some(b';')) {
                entries.insert(Cow::Borrowed(entry.trim_ascii()));
                if entries.len() > MAXIMUM_ENTRIES {
                    return Self::TooMany;
                }
            }
        }
        Self::Few(Entries::new(entries))
    }

    /// What a deny rule compares: whatever a reader of the header could take for one of its entries.
    pub(super) fn for_deny(head: &RequestHead<'a>, name: &str) -> Self {
        let (mut entries, mut count) = (BTreeSet::new(), 0);
        for line in head.values_in_any_spelling(name) {
            add_readings(line, name, &mut entries);
            let separators: &[u8] = if name == "cookie" { b";," } else { b"," };
            for entry in line.split(|byte| separators.contains(byte)) {
                count += 1;
                if count > MAXIMUM_ENTRIES {
                    return Self::TooMany;
                }
                add_readings(entry, name, &mut entries);
            }
        }
        Self::Few(Entries::new(entries))
    }
}

impl<'a> Entries<'a> {
    fn new(entries: BTreeSet<Cow<'a, [u8]>>) -> Self {
        let by_start: Vec<_> = entries.into_iter().collect();
        let backwards = |(place, entry): (usize, &Cow<'_, [u8]>)| (reversed(entry), place);
        let mut by_end: Vec<_> = by_start.iter().enumerate().map(backwards).collect();
        by_end.sort();
        Self { by_start, by_end }
    }

    /// Whether any entry is of one of the patterns.
    pub(super) fn any(&self, patterns: &[Pattern]) -> bool {
        let is_there = |pattern: &Pattern| self.places(pattern).next().is_some();
        patterns.iter().any(is_there)
    }

    /// Whether there are entries, and each is of one of the patterns.
    pub(super) fn all(&self, patterns: &[Pattern]) -> bool {
        let mut left: BTreeSet<usize> = (0..self.by_start.len()).collect();
        for pattern in patterns {
            self.places(pattern).for_each(|place| {
                left.remove(&place);
            });
        }
        left.is_empty() && !self.by_start.is_empty()
    }

    /// Those entries that are pairs of a cookie with one of these names.
    pub(super) fn pairs_named(&self, names: &BTreeSet<&[u8]>) -> Self {
        let is_named = |entry: &&Cow<'_, [u8]>| names.contains(cookie_name(entry));
        Self::new(self.by_start.iter().filter(is_named).cloned().collect())
    }

    /// The places of the entries that are of a pattern. They stand side by side in one of the two orders, so the first is
    /// found in as many comparisons as the number of entries has bits.
    fn places<'s>(&'s self, pattern: &'s Pattern) -> Box<dyn Iterator<Item = usize> + 's> {
        let text = pattern.text();
        if matches!(pattern, Pattern::Suffix(_)) {
            let backwards = || text.iter().rev();
            let is_before =
                |(entry, _): &(Vec<u8>, usize)| is_counted(entry.iter().lt(backwards()));
            let start = self.by_end.partition_point(is_before);
            let places = self.by_end.iter().skip(start).map(|(_, place)| *place);
            let is_of = |place: &usize| {
                self.by_start
                    .get(*place)
                    .is_some_and(|it| pattern.matches(it))
            };
            return Box::new(places.take_while(is_of));
        }
        let start = match self.by_start.first() {
            // Only the first entry can be empty, and `*` does not stand for an empty one.
            Some(first) if first.is_empty() && *pattern == Pattern::Anything => 1,
            _ => self
                .by_start
                .partition_point(|entry| is_counted(entry[..] < *text)),
        };
        let entries = self.by_start.iter().enumerate().skip(start);
        let of_pattern = entries.take_while(|(_, entry)| pattern.matches(entry));
        Box::new(of_pattern.map(|(place, _)| place))
    }
}

fn reversed(text: &[u8]) -> Vec<u8> {
    text.iter().rev().copied().collect()
}

/// Counts a comparison, for the test that holds the work of a request to its bound.
fn is_counted(result: bool) -> bool {
    #[cfg(test)]
    crate::rules::pattern::work::count(1);
    result
}

/// The name of a pair of a cookie: what stands before its `=`.
pub(super) fn cookie_name(pair: &[u8]) -> &[u8] {
    let name = pair.split(|&byte| byte == b'=').next();
    name.unwrap_or_default().trim_ascii()
}

fn split(line: &[u8], separator: Option<u8>) -> impl Iterator<Item = &[u8]> {
    line.split(move |&byte| Some(byte) == separator)
}

/// All that readers make of an entry: without white space of any kind at its ends, without `;parameters`, without quotes,
/// and in lower case where the header has no case.
fn add_readings<'a>(entry: &'a [u8], name: &str, readings: &mut BTreeSet<Cow<'a, [u8]>>) {
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
                readings.insert(text);
            }
        }
    }
}

/// Without what Python's `str.strip` removes when it has read the bytes as Latin-1.
fn trim_latin_1(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, 0x09..=0x0d | 0x1c..=0x20 | 0x85 | 0xa0);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::write_map;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        let parse = |text: &&str| Pattern::parse(text).unwrap();
        texts.iter().map(parse).collect()
    }

    fn denied(name: &str, lines: &[&[u8]], pattern: &str) -> bool {
        let map = write_map(lines.iter().map(|line| (name.as_bytes(), *line)));
        let head = RequestHead::read(&map).unwrap();
        match HeaderEntries::for_deny(&head, name) {
            HeaderEntries::Few(entries) => entries.any(&patterns(&[pattern])),
            HeaderEntries::TooMany => true,
        }
    }

    #[test]
    fn a_deny_rule_reads_a_value_in_every_way_that_a_gateway_could() {
        for (name, line, pattern, expected) in [
            ("x-role", &b"admin"[..], "admin", true),
            ("x-role", b"user, admin", "admin", true),
            ("x-role", b"administrator", "admin", false),
            ("x-role", b"admin;q=1", "admin", true),
            ("x-role", b"\"admin\"", "admin", true),
            ("x-role", b"user, \"admin\" ;q=1", "admin", true),
            ("x-role", b"admin\xa0", "admin", true),
            ("x-role", b"\x85admin", "admin", true),
            ("x-role", b"admin\xc2\xa0", "admin", true),
            ("x-role", b"\xe3\x80\x80admin", "admin", true),
            ("x-role", b"\x1cadmin", "admin", true),
            ("x-role", b"Admin", "admin", false),
            ("content-type", b"Text/HTML; charset=x", "text/html", true),
            ("cookie", b"a=1; role=admin2", "role=admin*", true),
            ("cookie", b"a=1; xrole=admin", "role=admin*", false),
            ("x-role", b"caf\xc3\xa0", "caf\u{e0}", true),
            ("x-role", b"a/sse", "*/sse", true),
            ("x-role", b"/sse", "*/sse", true),
            ("x-role", b"", "*", false),
        ] {
            assert_eq!(
                denied(name, &[line], pattern),
                expected,
                "{pattern} {line:?}"
            );
        }
    }

    #[test]
    fn every_pattern_finds_what_a_look_at_all_entries_finds() {
        let texts = ["", "a", "ab", "abc", "b", "ba", "bab", "c", "cab", "aab"];
        let pattern_texts = [
            "*", "a", "ab", "a*", "ab*", "*b", "*ab", "b*", "*c", "z", "*z", "ca*",
        ];
        for skip in 0..texts.len() {
            let lines: Vec<_> = texts
                .iter()
                .skip(skip)
                .map(|text| text.as_bytes())
                .collect();
            let map = write_map(lines.iter().map(|line| (&b"x"[..], *line)));
            let head = RequestHead::read(&map).unwrap();
            let HeaderEntries::Few(entries) = HeaderEntries::for_allow(&head, "x") else {
                panic!("few entries");
            };
            for one in pattern_texts {
                for two in pattern_texts {
                    let patterns = patterns(&[one, two]);
                    let matches = |line: &&[u8]| patterns.iter().any(|it| it.matches(line));
                    assert_eq!(
                        entries.any(&patterns),
                        lines.iter().any(matches),
                        "{one} {two}"
                    );
                    let all = lines.iter().all(matches);
                    assert_eq!(entries.all(&patterns), all, "{one} {two}");
                }
            }
        }
    }

    #[test]
    fn more_than_64_entries_fit_a_deny_rule() {
        let line = vec!["a"; MAXIMUM_ENTRIES].join(",");
        assert!(!denied("x", &[line.as_bytes()], "b"));
        assert!(denied("x", &[line.as_bytes(), b"a"], "b"));
    }
}
