//! Whole certificates with names at random, and two oracles for who it is: what was put in, and OpenSSL.

use mtls_identity::identity::is_uri;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::{config, pieces};
use crate::decision::{configuration, issue, outcome, serve};
use crate::der::{BMP_STRING, IA5_STRING, PRINTABLE_STRING, UTF8_STRING};
use crate::leaf::{Attribute, Leaf, name_of_rdns};
use crate::openssl;

#[path = "../../corpus/distinguished_name.rs"]
#[allow(dead_code, reason = "shared with the corpus, which uses the rest")]
mod distinguished_name;

const COMMON_NAME: &str = "2.5.4.3";

/// An attribute: its type, its kind of string, its text.
type Chosen = (&'static str, u8, String);

fn attribute() -> impl Strategy<Value = Chosen> {
    const TYPES: &[&str] = &[
        COMMON_NAME,
        COMMON_NAME,
        "2.5.4.10",
        "2.5.4.11",
        "2.5.4.12",
        "2.5.4.5",
        "2.5.4.7",
        "2.5.4.3.1",
        "1.2.840.113549.1.9.1",
        "0.9.2342.19200300.100.1.1",
    ];
    const TAGS: &[u8] = &[
        UTF8_STRING,
        UTF8_STRING,
        PRINTABLE_STRING,
        IA5_STRING,
        BMP_STRING,
    ];
    const PIECES: &[&str] = &[
        "CN=",
        "/CN=",
        ",CN=",
        "+CN=",
        "\\,CN=",
        "\nCN=",
        "admin@example.com",
        "Admin@Example.com",
        "mallory",
        "Bob",
        "a",
        " ",
        "\0",
        "\r\n",
        "\u{e9}",
        "\u{430}",
        "#",
        "\"",
        "=",
        "://",
        "urn:",
        ";",
        "<",
    ];
    (select(TYPES), select(TAGS), pieces(PIECES))
}

/// Relative distinguished names, many of them with one commonName in all.
fn subject() -> impl Strategy<Value = Vec<Vec<Chosen>>> {
    vec(vec(attribute(), 1..3), 0..4)
}

fn leaf(subject: &[Vec<Chosen>]) -> Leaf {
    let rdns = subject.iter().map(|attributes| {
        let encoded = attributes.iter().map(|(oid, tag, text)| {
            let wide = text.encode_utf16().flat_map(u16::to_be_bytes);
            match *tag {
                BMP_STRING => Attribute::new(oid, *tag, &wide.collect::<Vec<_>>()),
                // A string of one byte a character holds ASCII alone: what is not, is written in UTF-8.
                _ if !text.is_ascii() => Attribute::new(oid, UTF8_STRING, text.as_bytes()),
                _ => Attribute::new(oid, *tag, text.as_bytes()),
            }
        });
        encoded.collect()
    });
    Leaf::with_subject(name_of_rdns(rdns))
}

/// The user with `{}`, or the reason, of a certificate with these commonNames.
fn expected(names: &[&str]) -> String {
    let is_header_text = |name: &str| {
        let printable = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        printable && name.trim() == name && (1..=254).contains(&name.len()) && !is_uri(name)
    };
    match names {
        [] | [""] => "no_identity".to_owned(),
        [name] if is_header_text(name) => name.to_ascii_lowercase(),
        [_] => "invalid_identity".to_owned(),
        _ => "ambiguous_identity".to_owned(),
    }
}

fn common_names_by_openssl(certificate: &[u8]) -> Vec<String> {
    // The serial number behind it keeps a space at the end of the subject.
    let text = openssl::ask(
        &[
            "x509", "-noout", "-subject", "-serial", "-nameopt", "RFC2253",
        ],
        certificate,
    );
    let subject = text.lines().next().unwrap().strip_prefix("subject=");
    distinguished_name::common_names(subject.unwrap())
}

fn user_of(certificate: &[u8]) -> String {
    outcome(&serve(&configuration(&json!({})), certificate))
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn the_user_is_the_one_common_name_that_was_put_in(subject in subject()) {
        let attributes = subject.iter().flatten();
        let names = attributes.filter(|(oid, _, _)| *oid == COMMON_NAME);
        let names: Vec<&str> = names.map(|(_, _, text)| text.as_str()).collect();
        prop_assert_eq!(user_of(&issue(&leaf(&subject))), expected(&names));
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn the_user_is_the_one_common_name_that_openssl_sees(subject in subject()) {
        let certificate = issue(&leaf(&subject));
        let names = common_names_by_openssl(&certificate);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        prop_assert_eq!(user_of(&certificate), expected(&names));
    }
}
