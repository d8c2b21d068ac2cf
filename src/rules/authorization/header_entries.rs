//! The values of one request header, split once and kept in order, so that each pattern of a thousand rules finds its
//! entries without a look at all of them.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use crate::request::RequestHead;
use crate::rules::authorization::header_readings::{
    add_pair, add_readings, cookie_name, is_space, trim_latin_1, without_space_at_equals,
};
use crate::rules::pattern::Pattern;

/// The most entries of a header that are compared. With more of them a deny rule fits and an allow rule does not.
pub const MAXIMUM_ENTRIES: usize = 64;

/// The entries of a header, or too many of them.
#[derive(Clone, Debug)]
pub(super) enum HeaderEntries<'a> {
    /// At most [`MAXIMUM_ENTRIES`].
    Few(Entries<'a>),
    /// More.
    TooMany,
}

/// Texts in two orders: from their beginnings and, once a pattern asks for it, from their ends.
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    by_start: Vec<Cow<'a, [u8]>>,
    /// The key of each of them, so that most comparisons need no text.
    keys: Vec<Key>,
    /// Each entry written backwards, and its place in `by_start`.
    by_end: OnceCell<Vec<(Vec<u8>, usize)>>,
}

impl<'a> HeaderEntries<'a> {
    /// What an allow rule compares: each line of the header as it is. Of `cookie`: each pair, and whatever a reader that
    /// separates at white space as well could take for one.
    pub(super) fn for_allow(head: &RequestHead<'a>, name: &str) -> Self {
        let mut entries = BTreeSet::new();
        for line in head.values_in_any_spelling(name) {
            let is_cookie = name == "cookie";
            let pairs = line.split(|&byte| is_cookie && byte == b';');
            let words = line.split(|byte| is_cookie && (is_space(byte) || b";,".contains(byte)));
            let words = words.filter(|word| is_cookie && word.contains(&b'='));
            for entry in pairs.chain(words) {
                entries.insert(Cow::Borrowed(trim_latin_1(entry)));
                if entries.len() > MAXIMUM_ENTRIES {
                    return Self::TooMany;
                }
            }
        }
        Self::Few(Entries::new(entries.into_iter().collect()))
    }

    /// What a deny rule compares: whatever a reader of the header could take for one of its entries.
    pub(super) fn for_deny(head: &RequestHead<'a>, name: &str) -> Self {
        let (mut entries, mut count) = (Vec::new(), 0);
        for line in head.values_in_any_spelling(name) {
            add_readings(line, name, &mut entries);
            let is_cookie = name == "cookie";
            let is_separator =
                |byte: &u8| *byte == b',' || (is_cookie && (*byte == b';' || is_space(byte)));
            // Behind `;` of a cookie comes a space, so that between the two is nothing: no entry.
            for entry in line.split(is_separator).filter(|it| !it.is_empty()) {
                count += 1;
                if count > MAXIMUM_ENTRIES {
                    return Self::TooMany;
                }
                add_readings(entry, name, &mut entries);
            }
            let pairs = line.split(|&byte| is_cookie && byte == b';');
            for pair in pairs.filter(|pair| is_cookie && !pair.is_empty()) {
                add_pair(&without_space_at_equals(pair), &mut entries);
            }
        }
        Self::Few(Entries::new(entries))
    }
}

impl<'a> Entries<'a> {
    fn new(mut by_start: Vec<Cow<'a, [u8]>>) -> Self {
        by_start.sort_unstable();
        by_start.dedup();
        Self {
            keys: by_start.iter().map(|entry| key(entry)).collect(),
            by_start,
            by_end: OnceCell::new(),
        }
    }

    fn by_end(&self) -> &[(Vec<u8>, usize)] {
        self.by_end.get_or_init(|| {
            let backwards = |(place, entry): (usize, &Cow<'_, [u8]>)| (reversed(entry), place);
            let mut by_end: Vec<_> = self.by_start.iter().enumerate().map(backwards).collect();
            by_end.sort_unstable();
            by_end
        })
    }

    /// Whether any entry is of one of the patterns.
    pub(super) fn any(&self, patterns: &[Pattern]) -> bool {
        patterns
            .iter()
            .any(|pattern| self.places(pattern).next().is_some())
    }

    /// Whether there are entries, and each is of one of the patterns. A star stands for no further entry of a list.
    pub(super) fn all(&self, patterns: &[Pattern]) -> bool {
        let count = u32::try_from(self.by_start.len()).unwrap_or(u32::MAX);
        let asked = u64::MAX.checked_shr(u64::BITS.saturating_sub(count));
        self.covers(patterns, asked.unwrap_or(0))
    }

    /// The same of the pairs of a cookie that have one of these names.
    pub(super) fn all_pairs(&self, patterns: &[Pattern], names: &BTreeSet<&[u8]>) -> bool {
        let named = self.by_start.iter().enumerate();
        let named = named.filter(|(_, entry)| is_counted(names.contains(cookie_name(entry))));
        self.covers(
            patterns,
            named.fold(0, |asked, (place, _)| asked | bit(place)),
        )
    }

    /// Whether each of these entries, one bit each, is of one of the patterns, and there are any.
    fn covers(&self, patterns: &[Pattern], asked: u64) -> bool {
        let mut covered = 0;
        for pattern in patterns {
            for place in self.places(pattern) {
                let entry = self.by_start.get(place).map(AsRef::as_ref);
                if entry.is_some_and(|entry| is_one_value(entry, pattern)) {
                    covered |= bit(place);
                }
            }
        }
        asked != 0 && asked & !covered == 0
    }

    /// The places of the entries that are of a pattern.
    fn places<'s>(&'s self, pattern: &'s Pattern) -> impl Iterator<Item = usize> + 's {
        let (start, end) = match pattern {
            Pattern::Suffix(text) => (None, Some(self.first_ending_in(text))),
            Pattern::Prefix(text) | Pattern::Exact(text) => (Some(self.first_from(text)), None),
            Pattern::Anything => (Some(self.first_from(&[0])), None),
        };
        let in_order = start
            .into_iter()
            .flat_map(|start| start..self.by_start.len());
        let backwards = end.and_then(|end| self.by_end().get(end..));
        let backwards = backwards.into_iter().flatten().map(|(_, place)| *place);
        let is_of = |place: &usize| {
            let entry = self.by_start.get(*place);
            entry.is_some_and(|entry| pattern.matches(entry))
        };
        in_order.chain(backwards).take_while(is_of)
    }

    /// The place of the first entry that does not stand before this text. The entries of a pattern stand side by side from
    /// there on, so that they are found in as many comparisons as the number of entries has bits.
    fn first_from(&self, text: &[u8]) -> usize {
        let wanted = key(text);
        let start = self.keys.partition_point(|key| is_counted(*key < wanted));
        let alike = self.keys.get(start..).unwrap_or_default();
        let alike = alike.partition_point(|key| is_counted(*key == wanted));
        let alike = self.by_start.get(start..start + alike).unwrap_or_default();
        start + alike.partition_point(|entry| is_counted(entry[..] < *text))
    }

    /// The same of the entries written backwards.
    fn first_ending_in(&self, text: &[u8]) -> usize {
        let backwards = || text.iter().rev();
        let is_before = |(entry, _): &(Vec<u8>, usize)| is_counted(entry.iter().lt(backwards()));
        self.by_end().partition_point(is_before)
    }
}

/// The first bytes of a text as a number, so that numbers have the order of the texts.
type Key = u128;

fn key(text: &[u8]) -> Key {
    let mut bytes = [0; size_of::<Key>()];
    for (byte, of_text) in bytes.iter_mut().zip(text) {
        *byte = *of_text;
    }
    Key::from_be_bytes(bytes)
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

/// The bit of an entry. An allow rule has at most 64 of them.
fn bit(place: usize) -> u64 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    1_u64.checked_shl(place).unwrap_or(0)
}

/// Whether what a star stands for is no list: `team-a/*` is not `team-a/x, team-b/y`.
fn is_one_value(entry: &[u8], pattern: &Pattern) -> bool {
    let text = pattern.text();
    match pattern {
        Pattern::Exact(_) => true,
        Pattern::Anything => !entry.contains(&b','),
        Pattern::Prefix(_) => !entry.get(text.len()..).unwrap_or_default().contains(&b','),
        Pattern::Suffix(_) => {
            let star = entry.len().saturating_sub(text.len());
            let star = entry.get(..star).unwrap_or_default();
            !star.contains(&b',') && !star.contains(&b';')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::write_map;
    use crate::rules::authorization::header_readings::is_caseless;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        let parse = |text: &&str| Pattern::parse(text).unwrap();
        texts.iter().map(parse).collect()
    }

    fn denied(name: &str, lines: &[&[u8]], pattern: &str) -> bool {
        let map = write_map(lines.iter().map(|line| (name.as_bytes(), *line)));
        let head = RequestHead::read(&map).unwrap();
        let pattern = Pattern::parse(pattern).unwrap();
        let pattern = if is_caseless(name) {
            pattern.to_lowercase()
        } else {
            pattern
        };
        match HeaderEntries::for_deny(&head, name) {
            HeaderEntries::Few(entries) => entries.any(&[pattern]),
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
            ("cookie", b"role=\"admin\"", "role=admin", true),
            ("cookie", b"role = admin", "role=admin", true),
            ("cookie", b"role= admin", "role=admin", true),
            ("cookie", b"role=\"\\141dmin\"", "role=admin", true),
            ("cookie", b"a=b role=admin", "role=admin", true),
            ("cookie", b"a=b\trole=admin", "role=admin", true),
            ("cookie", b"a=b; \xa0role=admin", "role=admin", true),
            ("authorization", b"basic abc", "Basic *", true),
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
    fn a_star_of_an_allow_rule_stands_for_no_list() {
        for (line, pattern, expected) in [
            ("team-a/x", "team-a/*", true),
            ("team-a/x, team-b/y", "team-a/*", false),
            ("admin, user", "*user", false),
            ("admin;user", "*user", false),
            ("a, b", "a, b", true),
            ("application/json; charset=utf-8", "application/json*", true),
            ("a,b", "*", false),
        ] {
            let map = write_map([(&b"x"[..], line.as_bytes())]);
            let head = RequestHead::read(&map).unwrap();
            let HeaderEntries::Few(entries) = HeaderEntries::for_allow(&head, "x") else {
                panic!("few entries");
            };
            assert_eq!(
                entries.all(&patterns(&[pattern])),
                expected,
                "{pattern} {line}"
            );
        }
    }

    #[test]
    fn an_allow_rule_on_a_cookie_sees_every_pair_of_its_name() {
        for (line, expected) in [
            (&b"role=user"[..], true),
            (b"a=1; role=user; theme=dark", true),
            (b"role=user; role=admin", false),
            (b"role=user; \xa0role=admin", false),
            (b"role=user; \x85role=admin", false),
            (b"role=user; a=b role=admin", false),
            (b"role=user; role = admin", false),
            (b"theme=dark", false),
            (b"role=\"user\"", false),
        ] {
            let map = write_map([(&b"cookie"[..], line)]);
            let head = RequestHead::read(&map).unwrap();
            let HeaderEntries::Few(entries) = HeaderEntries::for_allow(&head, "cookie") else {
                panic!("few entries");
            };
            let names = BTreeSet::from([&b"role"[..]]);
            let fits = entries.all_pairs(&patterns(&["role=user"]), &names);
            assert_eq!(fits, expected, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn more_than_64_entries_fit_a_deny_rule() {
        let line = vec!["a"; MAXIMUM_ENTRIES].join(",");
        assert!(!denied("x", &[line.as_bytes()], "b"));
        assert!(denied("x", &[line.as_bytes(), b"a"], "b"));
        let cookie = vec!["a=1"; MAXIMUM_ENTRIES].join("; ");
        assert!(!denied("cookie", &[cookie.as_bytes()], "b=1"));
        assert!(denied("cookie", &[cookie.as_bytes(), b"a=1"], "b=1"));
    }
}
