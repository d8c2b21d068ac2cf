//! The properties of the fuzz targets, on stable, with a fixed budget and a fixed seed.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;
use unicode_normalization::UnicodeNormalization;

mod certificates;
mod rules;
#[path = "../../fuzz/properties/mod.rs"]
mod shared;
mod sources;
mod subjects;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(3),
        ..ProptestConfig::default()
    }
}

/// Some of these one after the other: far denser in trouble than random text.
fn pieces(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(select(pieces), 0..8).prop_map(|pieces| pieces.concat())
}

fn text() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "a",
        "A",
        "b",
        "i",
        "s",
        "@",
        ".",
        ":",
        "/",
        "//",
        "://",
        "urn:",
        "spiffe://",
        " ",
        "\t",
        "\0",
        "\n",
        "\u{a0}",
        "\u{3000}",
        "\u{200b}",
        "\u{feff}",
        "\u{1c}",
        "\u{e9}",
        "\u{c9}",
        "e",
        "\u{301}",
        "\u{212a}",
        "K",
        "k",
        "\u{130}",
        "\u{131}",
        "\u{17f}",
        "\u{df}",
        "\u{1e9e}",
        "\u{3c3}",
        "\u{3c2}",
        "\u{3a3}",
        "\u{1c5}",
        "\u{ff21}",
        "\u{10400}",
        "\u{345}",
    ];
    prop_oneof![4 => pieces(PIECES), 1 => any::<String>(), 1 => "[ -~]{240,260}"]
}

/// A text, and another that many a program would take for the same.
fn two_texts() -> impl Strategy<Value = (String, String)> {
    const CHANGES: &[fn(&str) -> String] = &[
        str::to_owned,
        str::to_lowercase,
        str::to_uppercase,
        str::to_ascii_lowercase,
        str::to_ascii_uppercase,
        |text| text.trim().to_owned(),
        |text| format!(" {text}"),
        |text| text.nfc().collect(),
        |text| text.nfd().collect(),
        |text| text.nfkc().collect(),
        |text| text.replace('\u{200b}', ""),
    ];
    let changed = (text(), select(CHANGES)).prop_map(|(text, change)| {
        let other = change(&text);
        (text, other)
    });
    prop_oneof![3 => changed, 1 => (text(), text())]
}

proptest! {
    #![proptest_config(config(4000))]

    #[test]
    fn case_space_and_unicode_make_neither_two_of_one_nor_one_of_two((one, other) in two_texts()) {
        shared::user::any_two(&one, &other);
    }

    #[test]
    fn a_spiffe_id_is_its_text(text in spiffe_id()) {
        shared::spiffe_id::any_text(&text);
    }

    #[test]
    fn no_rule_maps_two_names_to_one_user((from, to) in rule(), (one, other) in two_names()) {
        let (one, other) = (written(&from, &one), written(&from, &other));
        shared::mapping::any_rule(&from, &to, &one, &other);
    }
}

fn spiffe_id() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "/", "/", "/", "a", "B", "0", ".", "..", "-", "_", "%2f", "?", "#", ":", "@", "\u{e9}", " ",
    ];
    let near = pieces(PIECES).prop_map(|rest| format!("spiffe://{rest}"));
    let long = (250..260_usize, 2000..2050_usize).prop_map(|(domain, path)| {
        format!(
            "spiffe://{}/{}",
            "a".repeat(domain),
            "b".repeat(path - domain)
        )
    });
    prop_oneof![6 => near, 1 => long, 1 => text()]
}

/// What stands between the segments of a mapped user.
const SEPARATORS: &[&str] = &["-", ".", ":", "@", "x", "xy"];

/// `from` with up to three wildcards, and a `to` of some of them.
fn rule() -> impl Strategy<Value = (String, String)> {
    const FROM: &[&str] = &[
        "{a}",
        "{a}@{b}",
        "{a}.{b}",
        "{a}:{b}",
        "{a}/{b}/{c}",
        "{a}@{b}.{c}",
        "x:{a}:y.{b}",
        "{a}-x.{b}",
        "spiffe://t/{a}/{b}",
        "spiffe://t/ns/{a}/sa/{b}",
        "https://{a}/{b}",
        "urn:{a}:{b}",
        "{a}.{b}.{a}",
        "{a}/{b...}",
        "{a}@x.{b...}",
    ];
    const TO: &[&str] = &[
        "{a}",
        "{b}",
        "{b...}",
        "{c}",
        "@",
        ".",
        "-",
        ":",
        "/",
        "x",
        "xy",
        "spiffe://t/",
        "urn:n:",
        "A",
    ];
    let joined = select(SEPARATORS).prop_map(|separator| format!("{{a}}{separator}{{b}}"));
    let rest = select(SEPARATORS).prop_map(|separator| format!("{{a}}{separator}{{b...}}"));
    let to = prop_oneof![2 => joined, 1 => rest, 1 => pieces(TO)];
    (select(FROM).prop_map(str::to_owned), to)
}

/// What the wildcards stand for.
type Segments = [String; 3];

/// Two names; in most cases those of one text that is cut at two places, which a careless rule puts together
/// again.
fn two_names() -> impl Strategy<Value = (Segments, Segments)> {
    const PIECES: &[&str] = &[
        "a", "a", "b", "x", "y", "A", ".", "-", ":", "@", "/", "%2f", "xy", "t", "\u{e9}", "{a}",
    ];
    let segment = || vec(select(PIECES), 1..4).prop_map(|pieces| pieces.concat());
    let segments = move || [segment(), segment(), segment()];
    let cut = (select(SEPARATORS), segments()).prop_map(|(separator, [one, two, three])| {
        let join = |one: &str, other: &str| format!("{one}{separator}{other}");
        let last = three.clone();
        (
            [join(&one, &two), three.clone(), last.clone()],
            [one, join(&two, &three), last],
        )
    });
    prop_oneof![2 => cut, 1 => (segments(), segments())]
}

fn written(from: &str, segments: &Segments) -> String {
    let wildcards = ["{a}", "{b}", "{c}"].iter().zip(segments);
    let whole = from.replace("...}", "}");
    wildcards.fold(whole, |name, (wildcard, segment)| {
        name.replace(wildcard, segment)
    })
}

fn structure() -> impl Strategy<Value = shared::name::Structure> {
    const PIECES: &[&str] = &[
        "a", "A", "CN=", ",", "+", "=", "\\", "\"", "#", "0C", " ", "  ", ";", "<", ">", "\0",
        "\n", "\u{7f}", "\u{e9}", "\u{674e}", "/",
    ];
    let attribute = (0..shared::name::TYPES.len(), pieces(PIECES));
    vec(vec(attribute, 1..4), 0..4)
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn the_text_of_a_name_is_that_of_no_other(structure in structure()) {
        shared::name::any_structure(&structure);
    }

    #[test]
    fn a_damaged_name_is_none_or_is_written_in_ascii(structure in structure(), damage in damage()) {
        shared::name::any_der(&damaged(&shared::name::encode(&structure), &damage));
    }
}

/// Bytes to change (where, to what), and where to cut, if at all.
type Damage = (Vec<(Index, u8)>, Option<Index>);

fn damage() -> impl Strategy<Value = Damage> {
    let cut = prop_oneof![9 => Just(None), 1 => any::<Index>().prop_map(Some)];
    (vec(any::<(Index, u8)>(), 0..4), cut)
}

fn damaged(bytes: &[u8], (changes, cut): &Damage) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (place, byte) in changes {
        let place = place.index(bytes.len());
        bytes[place] = *byte;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}
