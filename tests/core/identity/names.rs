//! Certificate → user or reason: the table. Every row is a real certificate, signed and parsed.

use serde_json::{Value, json};

use crate::decision::{configuration, issue, outcome, serve};
use crate::der::{
    BMP_STRING, IA5_STRING, PRINTABLE_STRING, TELETEX_STRING, UNIVERSAL_STRING, UTF8_STRING,
};
use crate::leaf::{
    Attribute, Leaf, common_name as cn, name_of_rdns, organization as o, organizational_unit as ou,
};

pub(crate) const AMBIGUOUS: &str = "ambiguous_identity";
pub(crate) const INVALID: &str = "invalid_identity";
pub(crate) const NONE: &str = "no_identity";
pub(crate) const UNREADABLE: &str = "certificate_unreadable";

pub(crate) fn assert_rows(identity: &Value, rows: impl IntoIterator<Item = (Leaf, String)>) {
    let configuration = configuration(&json!({"identity": identity}));
    for (leaf, expected) in rows {
        let decision = serve(&configuration, &issue(&leaf));
        assert_eq!(outcome(&decision), expected, "{identity} {leaf:?}");
    }
}

pub(crate) fn attribute(oid: &str, value: &str) -> Attribute {
    Attribute::new(oid, UTF8_STRING, value.as_bytes())
}

pub(crate) fn wide(text: &str, width: usize) -> Vec<u8> {
    let unit = |character: char| u32::from(character).to_be_bytes()[4 - width..].to_vec();
    text.chars().flat_map(unit).collect()
}

/// Subjects in the order of the DER, and who they are with `{}`.
#[test]
fn a_subject_is_its_one_common_name_and_nothing_else() {
    let cn_of = |tag, bytes: &[u8]| Attribute::new("2.5.4.3", tag, bytes);
    let rows: Vec<(Vec<Attribute>, &str)> = vec![
        (vec![cn("admin@example.com")], "admin@example.com"),
        (vec![cn("Admin@Example.COM")], "admin@example.com"),
        (vec![o("Acme"), ou("Ops"), cn("a")], "a"),
        (vec![cn("a"), ou("Ops"), o("Acme")], "a"),
        // CN text inside other attributes, in either order.
        (vec![cn("mallory"), ou("CN=admin@example.com")], "mallory"),
        (vec![ou("CN=admin@example.com"), cn("mallory")], "mallory"),
        (vec![cn("mallory"), o("CN=admin@example.com")], "mallory"),
        (vec![o("x,CN=admin@example.com"), cn("mallory")], "mallory"),
        (
            vec![cn("mallory"), attribute("2.5.4.7", "CN=admin@example.com")],
            "mallory",
        ),
        (
            vec![attribute("2.5.4.7", "/CN=admin@example.com"), cn("mallory")],
            "mallory",
        ),
        (
            vec![cn("mallory"), attribute("2.5.4.12", "CN=admin@example.com")],
            "mallory",
        ),
        (
            vec![
                attribute("2.5.4.12", "+CN=admin@example.com"),
                cn("mallory"),
            ],
            "mallory",
        ),
        (
            vec![cn("mallory"), attribute("2.5.4.5", "CN=admin@example.com")],
            "mallory",
        ),
        (
            vec![attribute("2.5.4.5", "CN=admin@example.com"), cn("mallory")],
            "mallory",
        ),
        (
            vec![
                cn("mallory"),
                attribute("1.2.840.113549.1.9.1", "CN=admin@example.com"),
            ],
            "mallory",
        ),
        (
            vec![
                attribute("1.2.840.113549.1.9.1", "admin@example.com"),
                cn("mallory"),
            ],
            "mallory",
        ),
        (
            vec![
                cn("mallory"),
                attribute("0.9.2342.19200300.100.1.1", "admin@example.com"),
            ],
            "mallory",
        ),
        (
            vec![cn("mallory"), attribute("2.5.4.41", "admin@example.com")],
            "mallory",
        ),
        (
            vec![cn("mallory"), attribute("2.5.4.3.1", "admin@example.com")],
            "mallory",
        ),
        (vec![ou("CN=admin@example.com")], NONE),
        (
            vec![attribute("1.2.840.113549.1.9.1", "admin@example.com")],
            NONE,
        ),
        (vec![attribute("2.5.4.4", "admin")], NONE),
        (vec![], NONE),
        // Separators of other writings of a name are characters like any other.
        (vec![cn("admin@example.com/evil")], "admin@example.com/evil"),
        (
            vec![cn("admin@example.com,O=evil")],
            "admin@example.com,o=evil",
        ),
        (
            vec![cn("admin@example.com, evil")],
            "admin@example.com, evil",
        ),
        (vec![cn("admin@example.com+evil")], "admin@example.com+evil"),
        (vec![cn("\"admin@example.com\"")], "\"admin@example.com\""),
        (vec![cn("CN=admin@example.com")], "cn=admin@example.com"),
        (vec![cn("admin@example.com;x")], "admin@example.com;x"),
        (vec![cn("admin\\@example.com")], "admin\\@example.com"),
        (vec![cn("#0c0161")], "#0c0161"),
        (vec![cn("<admin>")], "<admin>"),
        (vec![cn("a  b")], "a  b"),
        (vec![cn("system:node:Worker-1")], "system:node:worker-1"),
        (vec![cn("null")], "null"),
        (vec![cn("-")], "-"),
        // Several.
        (vec![cn("a"), cn("b")], AMBIGUOUS),
        (vec![cn("a"), cn("a")], AMBIGUOUS),
        (
            vec![cn("admin@example.com"), ou("x"), cn("mallory")],
            AMBIGUOUS,
        ),
        (vec![cn("a"), cn("")], AMBIGUOUS),
        (vec![cn("a"), cn_of(0x02, &[1])], AMBIGUOUS),
        // Not a header's text.
        // An empty value is not there.
        (vec![cn("")], NONE),
        (vec![cn(" ")], INVALID),
        (vec![cn(" admin@example.com")], INVALID),
        (vec![cn("admin@example.com ")], INVALID),
        (vec![cn("admin@example.com\t")], INVALID),
        (vec![cn("admin@example.com\0evil")], INVALID),
        (vec![cn("admin@example.com\0")], INVALID),
        (vec![cn("\0")], INVALID),
        (vec![cn("a\r\nX-User: root")], INVALID),
        (vec![cn("a\nb")], INVALID),
        (vec![cn("a\rb")], INVALID),
        (vec![cn("a\tb")], INVALID),
        (vec![cn("a\u{1b}[2Jb")], INVALID),
        (vec![cn("a\u{7f}")], INVALID),
        // Outside ASCII.
        (vec![cn("\u{430}dmin@example.com")], INVALID),
        (vec![cn("adm\u{131}n@example.com")], INVALID),
        (vec![cn("\u{ff41}dmin@example.com")], INVALID),
        (vec![cn("admin@example.com\u{200b}")], INVALID),
        (vec![cn("admin@example.com\u{a0}")], INVALID),
        (vec![cn("\u{202e}moc.elpmaxe@nimda")], INVALID),
        (vec![cn("J\u{fc}rgen")], INVALID),
        // String types.
        (vec![cn_of(PRINTABLE_STRING, b"Admin")], "admin"),
        (
            vec![cn_of(PRINTABLE_STRING, b"admin@example.com")],
            "admin@example.com",
        ),
        (vec![cn_of(PRINTABLE_STRING, b"a*&_")], "a*&_"),
        (
            vec![cn_of(IA5_STRING, b"admin@example.com")],
            "admin@example.com",
        ),
        (vec![cn_of(0x12, b"12345")], "12345"),
        (vec![cn_of(0x1a, b"admin")], "admin"),
        (
            vec![cn_of(TELETEX_STRING, b"admin@example.com")],
            "admin@example.com",
        ),
        (vec![cn_of(TELETEX_STRING, &[b'a', 0xe9])], INVALID),
        (
            vec![cn_of(BMP_STRING, &wide("Admin@example.com", 2))],
            "admin@example.com",
        ),
        (vec![cn_of(BMP_STRING, &wide("\u{430}dmin", 2))], INVALID),
        (vec![cn_of(BMP_STRING, &wide("a\0b", 2))], INVALID),
        (vec![cn_of(BMP_STRING, b"admi")], INVALID),
        (vec![cn_of(BMP_STRING, b"admin")], UNREADABLE),
        (vec![cn_of(BMP_STRING, &[0xd8, 0x3d])], UNREADABLE),
        (vec![cn_of(UNIVERSAL_STRING, &wide("Admin", 4))], "admin"),
        (vec![cn_of(UNIVERSAL_STRING, b"admin")], UNREADABLE),
        (vec![cn_of(UNIVERSAL_STRING, &[0, 0x11, 0, 0])], UNREADABLE),
        (vec![cn_of(UTF8_STRING, &[b'a', 0xff])], UNREADABLE),
        (vec![cn_of(UTF8_STRING, &[0xc1, 0xa1])], UNREADABLE),
        (vec![cn_of(UTF8_STRING, &[0xed, 0xa0, 0x80])], UNREADABLE),
        (
            vec![cn("a"), Attribute::new("2.5.4.11", UTF8_STRING, &[0xff])],
            UNREADABLE,
        ),
        (vec![cn_of(0x04, b"admin")], INVALID),
        (vec![cn_of(0x02, &[1])], INVALID),
        (vec![cn_of(0x03, &[0, b'a'])], INVALID),
        (vec![cn_of(0x30, &[])], INVALID),
        // A name that reads as a URI would be somebody's whose URI it is.
        (vec![cn("spiffe://cluster.local/ns/mcp/sa/admin")], INVALID),
        (vec![cn("SPIFFE://cluster.local/ns/mcp/sa/admin")], INVALID),
        (vec![cn("https://example.com")], INVALID),
        (vec![cn("urn:uuid:1")], INVALID),
        (vec![cn("a ://b")], "a ://b"),
    ];
    let rows = rows
        .into_iter()
        .map(|(subject, expected)| (Leaf::of(subject), expected.to_owned()));
    assert_rows(&json!({}), rows);
}

#[test]
fn a_user_has_at_most_254_bytes() {
    let rows = [1, 64, 65, 253, 254, 255, 300, 4096].map(|length| {
        let name = "a".repeat(length);
        let expected = if length <= 254 { &name } else { INVALID };
        (Leaf::of([cn(&name)]), expected.to_owned())
    });
    assert_rows(&json!({}), rows);
    let umlauts = "\u{fc}".repeat(127);
    let rows = [
        (Leaf::of([cn(&umlauts)]), umlauts.clone()),
        (Leaf::of([cn(&format!("{umlauts}a"))]), INVALID.to_owned()),
    ];
    assert_rows(&json!({"charset": "utf8"}), rows);
}

#[test]
fn multi_valued_names_hide_nobody() {
    let rows = [
        (
            vec![vec![cn("mallory"), ou("CN=admin@example.com")]],
            "mallory",
        ),
        (
            vec![vec![ou("x+CN=admin@example.com"), cn("mallory")]],
            "mallory",
        ),
        (vec![vec![o("x")], vec![ou("y"), cn("a")]], "a"),
        (vec![vec![cn("a"), cn("b")]], AMBIGUOUS),
        (vec![vec![cn("a")], vec![ou("x"), cn("b")]], AMBIGUOUS),
        (vec![vec![cn("a")], vec![]], UNREADABLE),
    ];
    let rows =
        rows.map(|(rdns, expected)| (Leaf::with_subject(name_of_rdns(rdns)), expected.to_owned()));
    assert_rows(&json!({}), rows);
}

#[test]
fn of_several_common_names_the_configured_one_counts() {
    let two = || Leaf::of([cn("first"), ou("x"), cn("last")]);
    let multi = || Leaf::with_subject(name_of_rdns([vec![cn("first"), cn("last")]]));
    let bad_last = || Leaf::of([cn("first"), cn("")]);
    for (multiple_cn, row) in [
        ("reject", [AMBIGUOUS, AMBIGUOUS, AMBIGUOUS]),
        ("first", ["first", "first", "first"]),
        ("last", ["last", "last", NONE]),
    ] {
        let leaves = [two(), multi(), bad_last()];
        let rows = leaves.into_iter().zip(row.map(str::to_owned));
        assert_rows(&json!({"multiple_cn": multiple_cn}), rows);
    }
}

#[test]
fn the_charset_utf8_admits_text_but_no_second_spelling_of_it() {
    let rows = [
        ("J\u{fc}rgen@example.com", "j\u{fc}rgen@example.com"),
        ("\u{674e}\u{96f7}", "\u{674e}\u{96f7}"),
        ("\u{430}dmin", "\u{430}dmin"),
        ("\u{dc}LO", "\u{fc}lo"),
        ("E\u{301}", INVALID),
        (
            "\u{39f}\u{394}\u{39f}\u{3a3}",
            "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
        ),
        ("\u{212a}elvin", INVALID),
        ("\u{130}stanbul", INVALID),
        ("e\u{301}", INVALID),
        ("\u{212b}", INVALID),
        ("a\u{200b}", INVALID),
        ("\u{feff}a", INVALID),
        ("\u{202e}a", INVALID),
        ("a\u{ad}b", INVALID),
        ("a\u{2028}b", INVALID),
        ("a\u{85}b", INVALID),
        ("\u{3000}a", INVALID),
        ("\u{ff41}dmin@example.com", INVALID),
        ("admin\u{ff20}example.com", INVALID),
        ("admin@example\u{3002}com", "admin@example\u{3002}com"),
        ("admin@example\u{ff0e}com", INVALID),
        ("\u{1d5ba}dmin@example.com", INVALID),
        ("admin\u{fe0f}", INVALID),
        ("admin\u{e0100}", INVALID),
        ("admin\u{34f}", INVALID),
        ("admin\u{3164}", INVALID),
        ("admin\u{600}", INVALID),
        ("a\r\nb", INVALID),
    ];
    let rows = rows.map(|(name, expected)| (Leaf::of([cn(name)]), expected.to_owned()));
    assert_rows(&json!({"charset": "utf8"}), rows);
}
