//! The sources for names of other PKIs: attributes of the subject, the userPrincipalName, URIs without an authority.

use serde_json::json;

use crate::der::{BMP_STRING, IA5_STRING, TELETEX_STRING, UTF8_STRING};
use crate::identity::names::{AMBIGUOUS, INVALID, UNREADABLE, assert_rows, attribute, wide};
use crate::leaf::{
    Attribute, Leaf, common_name as cn, organization as o, organizational_unit as ou, san_dns,
    san_email, san_uri,
};

/// One source of a subject or subjectAltName after another, in front of the CN.
fn assert_source(source: &str, rows: impl IntoIterator<Item = (Leaf, &'static str)>) {
    let rows = rows
        .into_iter()
        .map(|(leaf, expected)| (leaf, expected.to_owned()));
    assert_rows(&json!({"sources": [source, "cn"]}), rows);
}

const EMAIL_ADDRESS: &str = "1.2.840.113549.1.9.1";
const SERIAL_NUMBER: &str = "2.5.4.5";
const USER_ID: &str = "0.9.2342.19200300.100.1.1";

fn with(oid: &str, values: &[&str]) -> Leaf {
    let values = values.iter().map(|value| attribute(oid, value));
    Leaf::of([cn("cn")].into_iter().chain(values))
}

#[test]
fn an_attribute_of_the_subject_names_its_one_value() {
    for (source, oid) in [
        ("subject_serial_number", SERIAL_NUMBER),
        ("subject_uid", USER_ID),
    ] {
        assert_source(
            source,
            [
                (with(oid, &["PNOEE-38001085718"]), "pnoee-38001085718"),
                (with(oid, &["1234567890"]), "1234567890"),
                (with(oid, &[]), "cn"),
                (with(oid, &[""]), "cn"),
                (with(oid, &["a", "b"]), AMBIGUOUS),
                (with(oid, &["a", "a"]), AMBIGUOUS),
                (with(oid, &["a", ""]), AMBIGUOUS),
                (with(oid, &["", "a"]), AMBIGUOUS),
                (with(oid, &["", ""]), AMBIGUOUS),
                (with(oid, &["a "]), INVALID),
                (with(oid, &["a\nb"]), INVALID),
                (with(oid, &["\u{430}"]), INVALID),
                (with(oid, &["spiffe://a/b"]), INVALID),
                (with(oid, &["tag:a,2026:b"]), INVALID),
                (
                    Leaf::of([cn("cn"), Attribute::new(oid, 0x02, &[1])]),
                    INVALID,
                ),
                (
                    Leaf::of([cn("cn"), Attribute::new(oid, TELETEX_STRING, &[0xe9])]),
                    INVALID,
                ),
                // In another attribute it is nobody's.
                (
                    Leaf::of([cn("cn"), ou("UID=admin"), o("serialNumber=1")]),
                    "cn",
                ),
            ],
        );
    }
    assert_source(
        "subject_email",
        [
            (
                with(EMAIL_ADDRESS, &["Dora@Example.com"]),
                "dora@example.com",
            ),
            (
                Leaf::of([Attribute::new(
                    EMAIL_ADDRESS,
                    IA5_STRING,
                    b"dora@example.com",
                )]),
                "dora@example.com",
            ),
            (with(EMAIL_ADDRESS, &[""]), "cn"),
            (with(EMAIL_ADDRESS, &["a@b", "a@b"]), AMBIGUOUS),
            (with(EMAIL_ADDRESS, &["a@b", ""]), AMBIGUOUS),
            (with(EMAIL_ADDRESS, &["dora"]), INVALID),
            (with(EMAIL_ADDRESS, &["a@b@c"]), INVALID),
            (with(EMAIL_ADDRESS, &["\u{e9}@b"]), INVALID),
            // subjectAltName is another source.
            (
                Leaf::of([cn("cn")]).subject_alt_names(&[san_email("a@b")]),
                "cn",
            ),
        ],
    );
}

/// An otherName of subjectAltName.
fn other_name(oid: &str, value: Vec<u8>) -> Vec<u8> {
    let fields = [crate::der::oid(oid), crate::der::explicit(0, &value)];
    crate::der::explicit(0, &fields.concat())
}

pub(crate) fn upn(value: &str) -> Vec<u8> {
    let value = crate::der::element(UTF8_STRING, value.as_bytes());
    other_name("1.3.6.1.4.1.311.20.2.3", value)
}

#[test]
fn a_user_principal_name_names_its_one_value() {
    let named = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
    let kerberos = || other_name("1.3.6.1.5.2.2", vec![0x30, 0]);
    let of_type =
        |tag, bytes: &[u8]| other_name("1.3.6.1.4.1.311.20.2.3", crate::der::element(tag, bytes));
    let twice = [
        crate::der::oid("1.3.6.1.4.1.311.20.2.3"),
        crate::der::explicit(0, &crate::der::element(UTF8_STRING, b"a@b")),
        crate::der::explicit(0, &crate::der::element(UTF8_STRING, b"c@d")),
    ];
    assert_source(
        "upn",
        [
            (named(&[upn("Alice@Corp.local")]), "alice@corp.local"),
            (
                named(&[kerberos(), upn("1234567890@mil")]),
                "1234567890@mil",
            ),
            (named(&[san_email("a@b"), san_uri("upn:a@b")]), "cn"),
            (named(&[kerberos()]), "cn"),
            (named(&[upn("")]), "cn"),
            (named(&[upn("a@b"), upn("a@b")]), AMBIGUOUS),
            (named(&[upn("a@b"), upn("")]), AMBIGUOUS),
            (named(&[upn("alice")]), INVALID),
            (named(&[upn("a@b@c")]), INVALID),
            (named(&[upn("a b@c")]), INVALID),
            (named(&[upn("a\0@c")]), INVALID),
            (named(&[upn("a@c\n")]), INVALID),
            (named(&[upn("J\u{fc}rgen@corp.local")]), INVALID),
            (named(&[of_type(IA5_STRING, b"a@b")]), UNREADABLE),
            (named(&[of_type(BMP_STRING, &wide("a@b", 2))]), UNREADABLE),
            (named(&[of_type(UTF8_STRING, &[b'a', 0xff])]), UNREADABLE),
            (
                named(&[crate::der::explicit(0, &twice.concat())]),
                UNREADABLE,
            ),
            (named(&[crate::der::explicit(0, b"a@b")]), UNREADABLE),
        ],
    );
    let rows = [(
        named(&[upn("J\u{fc}rgen@corp.local")]),
        "j\u{fc}rgen@corp.local".to_owned(),
    )];
    assert_rows(&json!({"sources": ["upn"], "charset": "utf8"}), rows);
    // Who asks for something else is not refused for it.
    let rows = [(named(&[of_type(IA5_STRING, b"a@b")]), "cn".to_owned())];
    assert_rows(&json!({"sources": ["email", "dns", "cn"]}), rows);
}

#[test]
fn an_empty_subject_alternative_name_is_not_there() {
    for (source, empty, other) in [
        ("email", san_email(""), san_email("a@b")),
        ("dns", san_dns(""), san_dns("a")),
        ("uri", san_uri(""), san_uri("urn:a:b")),
        ("upn", upn(""), upn("a@b")),
    ] {
        let named = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
        assert_source(
            source,
            [
                (named(std::slice::from_ref(&empty)), "cn"),
                (named(&[empty.clone(), other.clone()]), AMBIGUOUS),
                (named(&[empty.clone(), empty.clone()]), AMBIGUOUS),
            ],
        );
    }
}

#[test]
fn a_uri_without_an_authority_is_a_urn_a_tag_or_a_did() {
    let uri = |text: &str| Leaf::of([cn("cn")]).subject_alt_names(&[san_uri(text)]);
    assert_source(
        "uri",
        [
            (uri("URN:UUID:F81D"), "urn:uuid:F81D"),
            (
                uri("tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"),
                "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1",
            ),
            (uri("DID:web:Example"), "did:web:Example"),
            (uri("mailto:a@b"), INVALID),
        ],
    );
}

#[test]
fn a_tie_of_sources_is_decided_by_the_first_that_is_there() {
    let leaf = Leaf::of([
        cn("localhost"),
        attribute(EMAIL_ADDRESS, "dora@example.com"),
        attribute(USER_ID, ""),
    ]);
    let rows = [(leaf, "dora@example.com".to_owned())];
    assert_rows(
        &json!({"sources": ["upn", "subject_uid", "subject_email", "cn"]}),
        rows,
    );
}
