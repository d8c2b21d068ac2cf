//! What can be read in a certificate, and what need not be: who each certificate is.

use mtls_identity::decide::Decision;
use serde_json::json;

use crate::decision::{configuration, issue, serve};
use crate::der::UTF8_STRING;
use crate::identity::names::{NONE, UNREADABLE, assert_rows};
use crate::leaf::{
    Attribute, Leaf, common_name as cn, organizational_unit as ou, san_dns, san_email, san_ip,
    san_uri,
};

/// A certificate is refused for what could make somebody another, whatever is asked for.
#[test]
fn a_certificate_that_two_readers_could_read_in_two_ways_is_refused() {
    let leaf = || Leaf::of([cn("a")]);
    let big = |size| leaf().extension("1.3.6.1.4.1.99999.1", false, vec![0; size]);
    let extensions = |count: usize| {
        // Three are there in every case: basicConstraints, keyUsage, extendedKeyUsage.
        let more = (3..count).map(|number| format!("1.3.6.1.4.1.99999.{number}"));
        more.fold(leaf(), |leaf, oid| leaf.extension(&oid, false, vec![]))
    };
    let attributes = |count: usize| {
        let units = std::iter::repeat_with(|| ou("")).take(count - 1);
        Leaf::of(std::iter::once(cn("a")).chain(units))
    };
    let names = |count: usize| leaf().subject_alt_names(&vec![san_dns("a"); count]);
    let rows = [
        (leaf(), "a"),
        (leaf().trailing(&[0]), UNREADABLE),
        (leaf().trailing(&issue(&leaf())), UNREADABLE),
        (big(14 * 1024), "a"),
        (big(17 * 1024), UNREADABLE),
        (extensions(64), "a"),
        (extensions(65), UNREADABLE),
        (attributes(128), "a"),
        (attributes(129), UNREADABLE),
        (names(1024), "a"),
        (names(1025), UNREADABLE),
        (names(1).subject_alt_names(&[san_dns("a")]), UNREADABLE),
        (names(1).subject_alt_names(&[san_dns("b")]), UNREADABLE),
    ];
    assert_rows(
        &json!({}),
        rows.map(|(leaf, expected)| (leaf, expected.to_owned())),
    );
}

/// What sloppy CAs do in the field, and Envoy's TLS admits.
#[test]
fn what_an_issuer_wrote_where_nobody_is_named_changes_nothing() {
    use crate::der;
    use crate::leaf::{BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE, KEY_USAGE, SUBJECT_ALT_NAME};
    const UNKNOWN: &str = "1.3.6.1.4.1.99999.1";
    const POLICIES: &str = "2.5.29.32";
    const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
    let leaf = || Leaf::of([cn("a")]);
    let san = |value: Vec<u8>| leaf().extension(SUBJECT_ALT_NAME, false, value);
    let empty_qualifiers =
        der::sequence(&[der::sequence(&[der::oid("1.2.3"), der::sequence(&[])])]);
    let latin_1_url = der::sequence(&[der::implicit(6, b"http://a/\xe9")]);
    let leaves = [
        leaf().version_1(),
        leaf().version_1_written_out(),
        leaf().critical(1),
        leaf()
            .without_extension(BASIC_CONSTRAINTS)
            .without_extension(KEY_USAGE)
            .without_extension(EXTENDED_KEY_USAGE),
        leaf().extension(UNKNOWN, true, b"no DER".to_vec()),
        leaf()
            .extension(UNKNOWN, false, vec![])
            .extension(UNKNOWN, false, vec![]),
        leaf().extension(KEY_USAGE, false, der::bit_string(&[0x80])),
        leaf().extension(BASIC_CONSTRAINTS, true, vec![0x30]),
        leaf().extension(BASIC_CONSTRAINTS, true, vec![0x30, 0, 0]),
        leaf().extension("2.5.29.30", true, vec![0x05]),
        leaf().extension(POLICIES, false, empty_qualifiers),
        leaf().extension(CRL_DISTRIBUTION_POINTS, false, latin_1_url),
        // Names that are not asked for.
        san(vec![]),
        san(der::sequence(&[])),
        san(vec![0x30, 0x80, 0, 0]),
        leaf().subject_alt_names(&[san_ip(&[1, 2, 3])]),
        leaf().subject_alt_names(&[der::implicit(1, b"Ren\xe9@example.com")]),
        leaf().subject_alt_names(&[san_email("ren\u{e9}@example.com")]),
        leaf().subject_alt_names(&[der::implicit(9, b"no GeneralName")]),
    ];
    assert_rows(&json!({}), leaves.map(|leaf| (leaf, "a".to_owned())));
}

#[test]
fn a_name_that_cannot_be_read_is_refused_where_it_is_asked_for() {
    use crate::der;
    use crate::leaf::SUBJECT_ALT_NAME;
    let id = "spiffe://a/b";
    let latin_1 = |number| der::implicit(number, b"\xe9");
    let of = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
    let good = [san_email("e@example.com"), san_dns("d"), san_uri(id)];
    let and = |name: Vec<u8>| of(&[&good[..], &[name]].concat());
    let no_names = Leaf::of([cn("cn")]).extension(SUBJECT_ALT_NAME, false, vec![0x30, 0x80, 0, 0]);
    let empty = of(&[]);
    let no_name = Leaf::of([Attribute::new("2.5.4.10", UTF8_STRING, &[0xff]), cn("cn")]);
    let no_name = no_name.subject_alt_names(&good);
    let sources = ["cn", "email", "dns", "uri", "spiffe"];
    for (leaf, expected) in [
        (of(&good), ["cn", "e@example.com", "d", id, id]),
        (and(latin_1(1)), ["cn", UNREADABLE, "d", id, id]),
        (and(latin_1(2)), ["cn", "e@example.com", UNREADABLE, id, id]),
        (
            and(latin_1(6)),
            ["cn", "e@example.com", "d", UNREADABLE, UNREADABLE],
        ),
        (and(san_ip(&[1])), ["cn", "e@example.com", "d", id, id]),
        (
            and(der::explicit(0, b"no otherName")),
            ["cn", "e@example.com", "d", id, id],
        ),
        (
            and(latin_1(9)),
            ["cn", UNREADABLE, UNREADABLE, UNREADABLE, UNREADABLE],
        ),
        (
            no_names,
            ["cn", UNREADABLE, UNREADABLE, UNREADABLE, UNREADABLE],
        ),
        (empty, ["cn", NONE, NONE, NONE, NONE]),
        (no_name, [UNREADABLE, "e@example.com", "d", id, id]),
    ] {
        for (source, expected) in sources.into_iter().zip(expected) {
            let row = (leaf.clone(), expected.to_owned());
            assert_rows(&json!({"sources": [source]}), [row]);
        }
    }
}

#[test]
fn a_permit_names_its_source() {
    let configuration = configuration(&json!({"identity": {"sources": ["email", "cn"]}}));
    let outcome = serve(&configuration, &issue(&Leaf::of([cn("a")])));
    let Decision::Allow(permit) = outcome.decision else {
        panic!("refused");
    };
    assert_eq!(permit.identity().unwrap().source.as_str(), "cn");
}
