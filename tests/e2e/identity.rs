//! Who a certificate is, through Envoy; and the text of a name, beside Envoy's own.

use serde_json::{Value, json};

use crate::harness::der::{
    BMP_STRING, IA5_STRING, PRINTABLE_STRING, TELETEX_STRING, UNIVERSAL_STRING, UTF8_STRING,
};
use crate::harness::leaf::{
    Attribute, Leaf, common_name as cn, name_of_rdns, organization as o, organizational_unit as ou,
    san_dns, san_email, san_uri,
};
use crate::harness::{Fixture, Site};

const BY_ENVOY: &str = "x-said-by-envoy";
const BY_FILTER: &str = "x-said-by-filter";

/// Everybody is somebody here, so that every subject arrives, said by both.
async fn both_say() -> Site {
    Fixture::new()
        .plugin(json!({
            "identity": {"sources": ["fingerprint"]},
            "headers": {"set": {BY_FILTER: "subject"}},
        }))
        .edit(|envoy| {
            let host = &mut envoy.hcm()["route_config"]["virtual_hosts"][0];
            host["request_headers_to_add"] = serde_json::from_value(json!([
                {"header": {"key": BY_ENVOY, "value": "%DOWNSTREAM_PEER_SUBJECT%"}},
            ]))
            .unwrap();
        })
        .start()
        .await
}

fn text(oid: &str, value: &str) -> Attribute {
    Attribute::new(oid, UTF8_STRING, value.as_bytes())
}

/// Every attribute type that has a short name, and neighbours that have none.
fn every_type() -> Vec<Attribute> {
    let arcs: [(&str, Vec<u32>); 3] = [
        ("2.5.4", (2..=55).chain([65, 72, 97]).collect()),
        (
            "1.2.840.113549.1.9",
            (1..=9).chain([14, 15, 16, 20, 21]).collect(),
        ),
        (
            "0.9.2342.19200300.100.1",
            (1..=15)
                .chain(20..=31)
                .chain(37..=43)
                .chain(45..=56)
                .collect(),
        ),
    ];
    let of_arc = |(arc, numbers): (&str, Vec<u32>)| {
        let numbers = numbers.into_iter();
        numbers
            .map(|number| text(&format!("{arc}.{number}"), "x"))
            .collect::<Vec<_>>()
    };
    arcs.into_iter().flat_map(of_arc).collect()
}

fn subjects() -> Vec<Leaf> {
    let cn_of = |tag, bytes: &[u8]| Leaf::of([Attribute::new("2.5.4.3", tag, bytes)]);
    let strings = [
        "a",
        " a ",
        "#a",
        "a#",
        "a,b+c\"d\\e<f>g;h",
        "a=b/c",
        "a  b",
        "\u{e9}\u{674e}\u{1f600}",
        "a\tb",
        "a\u{7f}",
        "a\r\nb",
        " ",
        "  ",
        "#",
        "\\",
        "a\\ ",
    ];
    let mut leaves: Vec<_> = strings
        .iter()
        .map(|string| Leaf::of([cn(string)]))
        .collect();
    leaves.extend([
        Leaf::of([o("Acme, Inc."), ou("Ops"), cn("a")]),
        Leaf::with_subject(name_of_rdns([vec![o("x")], vec![cn("a"), ou("b")]])),
        Leaf::with_subject(name_of_rdns([
            vec![ou("b"), cn("a"), o("c")],
            vec![cn("d")],
        ])),
        cn_of(PRINTABLE_STRING, b"a@b"),
        cn_of(IA5_STRING, b"a@b"),
        cn_of(TELETEX_STRING, &[b'a', 0xe9]),
        cn_of(BMP_STRING, &[0, b'a', 0x20, 0xac]),
        cn_of(UNIVERSAL_STRING, &[0, 0, 0, b'a', 0, 1, 0xf6, 0]),
        Leaf::of([text("1.3.6.1.4.1.99999.1", "x"), cn("a")]),
        Leaf::of([Attribute::new("2.5.4.45", 0x03, &[0, 1]), cn("a")]),
        Leaf::of(every_type()),
    ]);
    leaves
}

#[tokio::test]
async fn a_subject_is_written_as_envoy_writes_it() {
    let site = both_say().await;
    for leaf in subjects() {
        let client = site.client_with(&site.authority.issue(&leaf));
        let received = client.get("/").await.unwrap().gateway();
        let by_envoy = received.values(BY_ENVOY);
        assert!(!by_envoy.concat().is_empty(), "{leaf:?}");
        assert_eq!(received.values(BY_FILTER), by_envoy, "{leaf:?}");
    }
}

async fn assert_outcomes(identity: Value, rows: impl IntoIterator<Item = (Leaf, &str)>) {
    let site = Fixture::new()
        .plugin(json!({"identity": identity}))
        .start()
        .await;
    for (leaf, expected) in rows {
        let client = site.client_with(&site.authority.issue(&leaf));
        let answer = client.get("/").await.unwrap();
        let outcome = match answer.status {
            200 => answer.gateway().user().concat(),
            _ => answer.denial().1,
        };
        assert_eq!(outcome, expected, "{leaf:?}");
    }
}

#[tokio::test]
async fn a_subject_is_its_one_common_name_through_envoy() {
    let two = Leaf::with_subject(name_of_rdns([vec![cn("a"), cn("b")]]));
    let admin = "CN=admin@example.com";
    let rows = [
        (Leaf::of([cn("Admin@Example.COM")]), "admin@example.com"),
        (Leaf::of([cn("mallory"), ou(admin)]), "mallory"),
        (Leaf::of([ou(admin), cn("mallory")]), "mallory"),
        (
            Leaf::of([o("x,CN=admin@example.com"), cn("mallory")]),
            "mallory",
        ),
        (
            Leaf::of([cn("mallory"), text("2.5.4.12", admin)]),
            "mallory",
        ),
        (Leaf::of([cn("mallory"), text("2.5.4.5", admin)]), "mallory"),
        (
            Leaf::of([cn("admin@example.com/evil")]),
            "admin@example.com/evil",
        ),
        (
            Leaf::of([cn("admin@example.com, evil")]),
            "admin@example.com, evil",
        ),
        (Leaf::of([cn("a"), cn("b")]), "ambiguous_identity"),
        (two, "ambiguous_identity"),
        (Leaf::of([ou(admin)]), "no_identity"),
        (Leaf::of([cn("admin@example.com ")]), "invalid_identity"),
        (Leaf::of([cn("a\r\nx-user: root")]), "invalid_identity"),
        (
            Leaf::of([cn("\u{430}dmin@example.com")]),
            "invalid_identity",
        ),
        (
            Leaf::of([cn("spiffe://cluster.local/ns/a/sa/b")]),
            "invalid_identity",
        ),
        (Leaf::of([cn("")]), "no_identity"),
    ];
    assert_outcomes(json!({}), rows).await;
}

#[tokio::test]
async fn names_of_subject_alt_name_are_users_through_envoy() {
    let id = "spiffe://cluster.local/ns/mcp/sa/agent";
    let named = |names: &[Vec<u8>]| Leaf::of([cn("cn")]).subject_alt_names(names);
    let identity = json!({
        "sources": ["spiffe", "email", "dns", "cn"],
        "map": [{"from": "spiffe://cluster.local/ns/{ns}/sa/{sa}", "to": "{sa}@{ns}.example.com"}],
    });
    let rows = [
        (named(&[san_uri(id)]), "agent@mcp.example.com"),
        (
            named(&[san_uri(id), san_uri("spiffe://a/b")]),
            "ambiguous_identity",
        ),
        (named(&[san_uri("spiffe://A/b")]), "invalid_identity"),
        (named(&[san_email("A@Example.com")]), "a@example.com"),
        (
            named(&[san_email("a@b"), san_email("c@d")]),
            "ambiguous_identity",
        ),
        (named(&[san_dns("Agent.example.com")]), "agent.example.com"),
        (named(&[san_dns("*.example.com")]), "invalid_identity"),
        (Leaf::of([cn("cn")]), "cn"),
    ];
    assert_outcomes(identity, rows).await;
}
