//! Certificate → user or reason: the table. Every row is a real certificate, signed and parsed.

use mtls_identity::decide::Decision;
use serde_json::{Value, json};

use crate::decision::{configuration, issue, outcome, serve};
use crate::der::{
    BMP_STRING, IA5_STRING, PRINTABLE_STRING, TELETEX_STRING, UNIVERSAL_STRING, UTF8_STRING,
};
use crate::leaf::{
    Attribute, Leaf, common_name as cn, name_of_rdns, organization as o, organizational_unit as ou,
    san_dns, san_email, san_ip, san_uri,
};

pub(crate) const AMBIGUOUS: &str = "ambiguous_identity";
pub(crate) const INVALID: &str = "invalid_identity";
const NONE: &str = "no_identity";
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

/// Certificates with these entries in subjectAltName and `CN=cn`, read from one source.
fn assert_names(source: &str, rows: &[(&[Vec<u8>], &str)]) {
    let rows = rows.iter().map(|(names, expected)| {
        let leaf = Leaf::of([cn("cn")]);
        let leaf = match names {
            [] => leaf,
            names => leaf.subject_alt_names(names),
        };
        (leaf, (*expected).to_owned())
    });
    assert_rows(&json!({"sources": [source]}), rows);
}

#[test]
fn an_email_is_the_only_one_and_has_one_form() {
    assert_names(
        "email",
        &[
            (&[san_email("Admin@Example.com")], "admin@example.com"),
            (
                &[san_dns("a.example.com"), san_email("a@example.com")],
                "a@example.com",
            ),
            (
                &[san_email("a@example.com"), san_email("b@example.com")],
                AMBIGUOUS,
            ),
            (
                &[san_email("a@example.com"), san_email("a@example.com")],
                AMBIGUOUS,
            ),
            (&[], NONE),
            (&[san_dns("a.example.com")], NONE),
            (&[san_email("")], NONE),
            (&[san_email("a")], INVALID),
            (&[san_email("a@b@c")], INVALID),
            (&[san_email("\"a\"@example.com")], INVALID),
            (&[san_email("a@example.com\0.evil.com")], INVALID),
            (&[san_email("a@example.com\r\nb")], INVALID),
            (&[san_email("a b@example.com")], INVALID),
            (&[san_email("a@example.com.")], INVALID),
            (&[san_email("\u{e4}@example.com")], UNREADABLE),
        ],
    );
}

#[test]
fn a_dns_name_is_the_only_one_and_no_wildcard() {
    assert_names(
        "dns",
        &[
            (&[san_dns("Agent.Example.com")], "agent.example.com"),
            (
                &[san_dns("a.example.com"), san_ip(&[127, 0, 0, 1])],
                "a.example.com",
            ),
            (&[san_dns("a"), san_dns("b")], AMBIGUOUS),
            (&[san_email("a@example.com")], NONE),
            (&[san_dns("*.example.com")], INVALID),
            (&[san_dns("example.com.")], INVALID),
            (&[san_dns("a..b")], INVALID),
            (&[san_dns("")], NONE),
            (&[san_dns("a.example.com\0.evil.com")], INVALID),
            (&[san_dns("a.example.com,b")], INVALID),
            (&[san_dns("b\u{fc}cher.example")], UNREADABLE),
        ],
    );
}

#[test]
fn a_uri_is_the_only_one_and_is_kept() {
    assert_names(
        "uri",
        &[
            (
                &[san_uri("https://example.com/Users/A?b=C")],
                "https://example.com/Users/A?b=C",
            ),
            (&[san_uri("spiffe://a/ns/B")], "spiffe://a/ns/B"),
            (&[san_uri("urn:uuid:F81D4FAE")], "urn:uuid:F81D4FAE"),
            (
                &[san_uri("spiffe://a/b"), san_uri("https://a/b")],
                AMBIGUOUS,
            ),
            (&[san_dns("a")], NONE),
            (&[san_uri("HTTPS://Example.com/A")], "https://example.com/A"),
            (&[san_uri("SPIFFE://a/b")], INVALID),
            (&[san_uri("spiffe://A/b")], INVALID),
            (&[san_uri("mailto:a@example.com")], INVALID),
            (&[san_uri("a/b")], INVALID),
            (&[san_uri("https://a/ b")], INVALID),
            (&[san_uri("https://a/\"b")], INVALID),
            (&[san_uri("https://")], INVALID),
            (&[san_uri("")], NONE),
        ],
    );
}

#[test]
fn a_spiffe_id_is_the_only_uri_of_its_certificate() {
    let id = "spiffe://cluster.local/ns/mcp/sa/Agent";
    assert_names(
        "spiffe",
        &[
            (&[san_uri(id)], id),
            (&[san_dns("a"), san_uri(id)], id),
            (&[san_uri("https://a/b")], NONE),
            (&[], NONE),
            (
                &[
                    san_uri(id),
                    san_uri("spiffe://cluster.local/ns/mcp/sa/admin"),
                ],
                AMBIGUOUS,
            ),
            (&[san_uri("https://a/b"), san_uri(id)], AMBIGUOUS),
            (&[san_uri("SPIFFE://cluster.local/a")], INVALID),
            (&[san_uri("spiffe:cluster.local/a")], INVALID),
            (&[san_uri("spiffe://Cluster.local/a")], INVALID),
            (&[san_uri("spiffe://cluster.local/a/../b")], INVALID),
            (&[san_uri("spiffe://cluster.local/a,Hash=b")], INVALID),
            (&[san_uri("spiffe://cluster.local/a;Cert=\"b\"")], INVALID),
        ],
    );
}

#[test]
fn the_first_source_that_is_present_decides() {
    let id = "spiffe://a/b";
    let of = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
    let all = || of(&[san_email("e@example.com"), san_dns("d"), san_uri(id)]);
    for (sources, leaf, expected) in [
        (json!(["spiffe", "email", "cn"]), all(), id),
        (json!(["email", "spiffe", "cn"]), all(), "e@example.com"),
        (json!(["dns", "cn"]), all(), "d"),
        (json!(["email", "cn"]), of(&[san_dns("d")]), "cn"),
        (json!(["email", "cn"]), Leaf::of([cn("cn")]), "cn"),
        // What is present and bad is not passed over.
        (json!(["email", "cn"]), of(&[san_email("bad")]), INVALID),
        (
            json!(["email", "cn"]),
            of(&[san_email("a@b"), san_email("c@d")]),
            AMBIGUOUS,
        ),
        (
            json!(["spiffe", "cn"]),
            of(&[san_uri("spiffe://A/b")]),
            INVALID,
        ),
        (json!(["spiffe", "cn"]), of(&[san_uri("https://a/b")]), "cn"),
        (
            json!(["cn", "email"]),
            Leaf::of([cn("")]).subject_alt_names(&[san_email("a@b")]),
            "a@b",
        ),
        (
            json!(["cn", "email"]),
            Leaf::of([]).subject_alt_names(&[san_email("a@b")]),
            "a@b",
        ),
        (
            json!(["subject"]),
            Leaf::of([o("Acme"), cn("Alice")]),
            "cn=alice,o=acme",
        ),
        (json!(["subject"]), Leaf::of([cn("a\0b")]), r"cn=a\00b"),
        (json!(["subject"]), Leaf::of([]), NONE),
        (json!(["subject"]), Leaf::of([o(&"a".repeat(255))]), INVALID),
    ] {
        assert_rows(&json!({"sources": sources}), [(leaf, expected.to_owned())]);
    }
    let certificate = issue(&Leaf::of([]));
    let sha256 = crate::openssl::ask(&["x509", "-noout", "-fingerprint", "-sha256"], &certificate);
    let expected = sha256
        .split_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase();
    let by_fingerprint = configuration(&json!({"identity": {"sources": ["fingerprint"]}}));
    let served = serve(&by_fingerprint, &certificate);
    // Or the same of the certificate's ECDSA twin.
    let identity = served.decision.evidence().identity().unwrap();
    assert!(identity.names().any(|name| name.as_str() == expected));
}

#[test]
fn a_mapped_name_is_the_user() {
    let identity = json!({
        "sources": ["spiffe", "email", "cn"],
        "map": [
            {"from": "spiffe://cluster.local/ns/mcp/sa/root", "to": "Admin@example.com"},
            {"from": "spiffe://cluster.local/ns/{ns}/sa/{sa}", "to": "{sa}@{ns}.example.com"},
            {"from": "{user}@Old.example.com", "to": "{user}@example.com"},
        ],
    });
    let spiffe = |id: &str| Leaf::of([]).subject_alt_names(&[san_uri(id)]);
    let rows = [
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/root"),
            "admin@example.com",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/agent"),
            "agent@mcp.example.com",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/a.b-c"),
            "a.b-c@mcp.example.com",
        ),
        (
            spiffe("spiffe://other.local/ns/mcp/sa/root"),
            "spiffe://other.local/ns/mcp/sa/root",
        ),
        (
            spiffe("spiffe://cluster.local/ns/mcp/sa/root/x"),
            "spiffe://cluster.local/ns/mcp/sa/root/x",
        ),
        (spiffe("spiffe://cluster.local/ns/mcp/sa/Root"), INVALID),
        (Leaf::of([cn("Eve@OLD.example.com")]), "eve@example.com"),
        (
            Leaf::of([cn("eve@evil@old.example.com")]),
            "eve@evil@old.example.com",
        ),
        (
            Leaf::of([cn("eve@old.example.com.evil")]),
            "eve@old.example.com.evil",
        ),
    ];
    assert_rows(
        &identity,
        rows.map(|(leaf, expected)| (leaf, expected.to_owned())),
    );
}

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
