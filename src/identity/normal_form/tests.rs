//! The oracle is the crate unicode-normalization.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::select;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose};

use super::*;

fn every_character() -> impl Iterator<Item = char> {
    (0..=0x10_ffff).filter_map(char::from_u32)
}

fn is_changed_by_unicode(character: char) -> bool {
    !std::iter::once(character).nfkc().eq([character])
}

/// The composites by their second character, each with its first; Hangul is calculated.
fn composites_of_unicode() -> BTreeMap<char, Vec<(char, char)>> {
    let mut composites: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for character in every_character().filter(|it| !('\u{ac00}'..='\u{d7a3}').contains(it)) {
        let parts: Vec<char> = std::iter::once(character).nfd().collect();
        if is_changed_by_unicode(character) || parts.len() < 2 {
            continue;
        }
        let (second, first) = parts.split_last().unwrap();
        let first = String::from_iter(first).nfc().collect::<Vec<_>>();
        assert_eq!(compose(first[0], *second), Some(character));
        composites
            .entry(*second)
            .or_default()
            .push((first[0], character));
    }
    composites
}

/// Runs of characters for which something is the same, but for those without it.
fn runs<T: PartialEq>(of: impl Fn(char) -> Option<T>) -> Vec<(char, char, T)> {
    let mut runs: Vec<(char, char, T)> = Vec::new();
    let with = every_character().filter_map(|character| Some((character, of(character)?)));
    for (character, value) in with {
        match runs.last_mut() {
            Some((_, last, other))
                if u32::from(*last) + 1 == u32::from(character) && *other == value =>
            {
                *last = character;
            }
            _ => runs.push((character, character, value)),
        }
    }
    runs
}

fn literal(table: impl IntoIterator<Item = char>) -> String {
    let characters: Vec<char> = table.into_iter().collect();
    let lines = characters.chunks(12).map(|line| {
        let escaped: String = line
            .iter()
            .map(|character| format!("\\u{{{:x}}}", u32::from(*character)))
            .collect();
        format!("    {escaped}\\\n")
    });
    format!("\"\\\n{}    \"", lines.collect::<String>())
}

fn rows(rows: impl IntoIterator<Item = String>) -> String {
    let rows: Vec<String> = rows.into_iter().collect();
    let lines = rows
        .chunks(4)
        .map(|line| format!("    {},\n", line.join(", ")));
    format!("&[\n{}]", lines.collect::<String>())
}

fn escaped(character: char) -> String {
    format!("'\\u{{{:x}}}'", u32::from(character))
}

fn tables() -> String {
    let changed = runs(|character| is_changed_by_unicode(character).then_some(()));
    let changed = changed
        .into_iter()
        .map(|(first, last, ())| format!("({}, {})", escaped(first), escaped(last)));
    let classes =
        runs(|character| Some(canonical_combining_class(character)).filter(|class| *class != 0));
    let classes = classes
        .into_iter()
        .map(|(first, last, class)| format!("({}, {}, {class})", escaped(first), escaped(last)));
    let composites = composites_of_unicode().into_iter().map(|(second, pairs)| {
        let pairs = pairs
            .into_iter()
            .flat_map(|(first, composite)| [first, composite]);
        format!("    ({}, {}),\n", escaped(second), literal(pairs))
    });
    format!(
        "//! Data of Unicode (Unicode License V3), as the test beside it takes them from the crate unicode-normalization.

/// Characters that are not their own NFKC: the first and the last of each run.
#[rustfmt::skip]
pub(super) const CHANGED: &[(char, char)] = {};

/// Combining marks: the first and the last of each run of one class, and the class.
#[rustfmt::skip]
pub(super) const CLASSES: &[(char, char, u8)] = {};

/// Composites by their second character, each behind its first. Without Hangul, which is calculated.
#[rustfmt::skip]
pub(super) const COMPOSITES: &[(char, &str)] = &[
{}];
",
        rows(changed), rows(classes), composites.collect::<String>()
    )
}

#[test]
fn the_tables_are_those_of_unicode() {
    let tables = tables();
    if include_str!("tables.rs") != tables {
        println!("{tables}");
        panic!("src/normal_form/tables.rs should be as printed");
    }
}

fn agrees(text: &str) {
    let expected = unicode_normalization::is_nfkc(text);
    assert_eq!(is_nfkc(text), expected, "{}", text.escape_unicode());
}

#[test]
fn every_character_behind_a_letter() {
    for character in every_character() {
        agrees(&String::from_iter(['a', character]));
    }
}

/// One mark of each class, every character that is composed with one before, and some Jamo.
fn seconds() -> BTreeSet<char> {
    let of_classes: BTreeMap<u8, char> = every_character()
        .map(|character| (class(character), character))
        .collect();
    let jamo = [
        '\u{1160}', '\u{1161}', '\u{1175}', '\u{1176}', '\u{11a7}', '\u{11a8}', '\u{11c2}',
        '\u{11c3}',
    ];
    let composing = COMPOSITES.iter().map(|&(second, _)| second);
    of_classes
        .into_values()
        .chain(jamo)
        .chain(composing)
        .collect()
}

/// Every part of a composite, every composite, and some of Hangul.
fn firsts() -> BTreeSet<char> {
    let composites = COMPOSITES.iter().flat_map(|(_, pairs)| pairs.chars());
    let hangul = "\u{10ff}\u{1100}\u{1112}\u{1113}\u{abff}\u{ac00}\u{ac01}\u{ac1b}\u{ac1c}\u{d788}\u{d7a3}\u{d7a4}";
    composites.chain(hangul.chars()).collect()
}

/// Each first with every fourth second, another fourth than the first before; and every pair that is one.
#[test]
fn every_pair_that_could_be_one() {
    const STRIDE: usize = 4;
    let seconds: Vec<char> = seconds().into_iter().collect();
    for (number, first) in firsts().into_iter().enumerate() {
        for second in seconds.iter().skip(number % STRIDE).step_by(STRIDE) {
            agrees(&String::from_iter([first, *second]));
        }
    }
    for &(second, of_second) in COMPOSITES {
        for (first, composite) in pairs(of_second) {
            assert_eq!(compose(first, second), Some(composite));
            agrees(&String::from_iter([first, second]));
        }
    }
}

#[test]
fn names_that_people_have_are_normal_and_their_other_writings_are_not() {
    for (name, expected) in [
        ("jürgen", true),
        ("ju\u{308}rgen", false),
        // Yoruba, Hindi, Bengali, Tamil: marks that are composed elsewhere, and have no composite here.
        ("\u{1ecd}l\u{1ecd}\u{301}run", true),
        ("o\u{323}lo\u{323}\u{301}run", false),
        ("\u{92c}\u{921}\u{93c}\u{93e}", true),
        ("\u{92c}\u{95c}\u{93e}", false),
        ("\u{9b0}\u{9be}\u{9a8}\u{9be}", true),
        ("\u{b95}\u{bbe}\u{bb0}\u{bcd}", true),
        ("\u{d55c}\u{ae00}", true),
        ("\u{1112}\u{1161}\u{11ab}", false),
        ("\u{144}\u{328}", true),
        ("\u{e9}\u{323}", false),
        ("\u{ff21}", false),
        ("\u{fb01}", false),
    ] {
        assert_eq!(is_nfkc(name), expected, "{name}");
        agrees(name);
    }
}

fn text() -> impl Strategy<Value = String> {
    let firsts: Vec<char> = firsts().into_iter().collect();
    let seconds: Vec<char> = seconds().into_iter().collect();
    let character = prop_oneof![
        3 => select(seconds),
        2 => select(firsts),
        1 => select(vec!['a', 'e', 'o', '\u{3b1}', '\u{1100}', '\u{921}', '\u{5d0}']),
        1 => any::<char>(),
    ];
    prop::collection::vec(character, 0..8).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in text()) {
        agrees(&text);
        agrees(&text.nfkc().collect::<String>());
        agrees(&text.nfc().collect::<String>());
        agrees(&text.nfd().collect::<String>());
    }
}
