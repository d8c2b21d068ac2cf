//! The record: whatever bytes come in, one line, sixteen fields, and each says what it is of.

use mtls_identity::certificate::pem;
use mtls_identity::identity::DirectPeer;
use mtls_identity::report;
use mtls_identity::request::RequestHead;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::decision::{configuration, header_map, now, validated};
use crate::der;
use crate::leaf::{Attribute, Leaf, name};

/// A client's value is cut behind this many bytes.
const BOUND: usize = 1024;

/// Nothing else, nothing twice.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    decision: String,
    reason: Option<String>,
    user: Option<String>,
    source: Option<String>,
    fingerprint: Option<String>,
    serial: Option<String>,
    issuer: Option<String>,
    method: String,
    path: String,
    client: String,
    request_id: String,
    mcp_method: Option<String>,
    mcp_name: Option<String>,
    rule: Option<String>,
    observed: Vec<String>,
    detail: Option<String>,
}

/// Bytes as a record says them.
fn said(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(BOUND)];
    let mut text = String::new();
    for &byte in kept {
        match byte {
            b'\\' => text += r"\\",
            0..=0x7f => text.push(char::from(byte)),
            _ => text += &format!("\\x{byte:02x}"),
        }
    }
    if kept.len() < bytes.len() {
        text += "...";
    }
    text
}

/// Text of an issuer, which is ASCII, as a record says it.
fn cut(text: &str) -> String {
    match text.get(..BOUND) {
        Some(kept) if kept.len() < text.len() => format!("{kept}..."),
        _ => text.to_owned(),
    }
}

/// The bytes that a record says, if they were not cut: `said` from the other end.
fn meant(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [byte, behind @ ..] = rest {
        rest = match (byte, behind) {
            (b'\\', [b'\\', behind @ ..]) => {
                bytes.push(b'\\');
                behind
            }
            (b'\\', [b'x', high, low, behind @ ..]) => {
                bytes.extend(data_encoding::HEXLOWER.decode(&[*high, *low]).unwrap());
                behind
            }
            _ => {
                bytes.push(*byte);
                behind
            }
        };
    }
    bytes
}

/// Dense in what a reader of JSON or of lines trips over.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&[u8]] = &[
        b"a",
        b"/",
        b" ",
        b"\"",
        b"\\",
        b"\\\"",
        b"\",\"user\":\"admin\",\"x\":\"",
        b"\"}\n{\"decision\":\"allow\"}",
        b"\r\n",
        b"\0",
        b"\x08",
        b"\x1b[2J",
        b"\x7f",
        b"\\u0022",
        b"\\xff",
        b"\xff",
        b"\xc3",
        b"\xc3\xa9",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x92\xa9",
        b"\xc2\x85",
    ];
    let pieces = vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat());
    let long = (1000..1040_usize, select(PIECES)).prop_map(|(length, piece)| {
        let mut long = vec![b'a'; length];
        long.extend_from_slice(piece);
        long
    });
    prop_oneof![6 => pieces, 2 => vec(any::<u8>(), 0..40), 1 => long]
}

fn text() -> impl Strategy<Value = String> {
    bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// One line of printable ASCII that reads as these fields and no others.
#[track_caller]
fn assert_says(line: &str, expected: &Record) {
    let printable = |byte: u8| (0x20..0x7f).contains(&byte);
    assert!(line.bytes().all(printable), "{line}");
    assert_eq!(
        serde_json::from_str::<Record>(line).unwrap(),
        *expected,
        "{line}"
    );
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(value, serde_json::to_value(expected).unwrap());
    assert_eq!(value.as_object().unwrap().len(), 16, "{line}");
}

fn common_name(text: &str) -> Attribute {
    Attribute::new("2.5.4.3", der::UTF8_STRING, text.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(12),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_of_a_client_make_a_record_say_anything_else(
        [method, path, client, request_id] in [bytes(), bytes(), bytes(), bytes()],
        (user, issuer, rule) in (text(), text(), "[ -~]{1,64}"),
        serial in vec(1..=0x7f_u8, 1..20),
    ) {
        let key = KeyPair::generate().unwrap();
        let leaf = Leaf::of([common_name(&user)]).serial(&serial);
        let der = leaf.sign(&key, &name([common_name(&issuer)]), &key);
        let pem = pem::encode(&der);
        let configuration = configuration(&json!({
            "identity": {"charset": "utf8"},
            "authorization": {"rules": [{"name": rule, "action": "deny"}]},
            "observe": ["authorization"],
        }));
        let direct = DirectPeer::read(&validated(&pem), None);
        let known = configuration.filter.client(&direct, None);
        let headers = [
            (":method".to_owned(), method.clone()),
            (":path".to_owned(), path.clone()),
            ("x-request-id".to_owned(), request_id.clone()),
        ];
        let map = header_map(&headers);
        let head = RequestHead::read(&map).unwrap();
        let outcome = configuration.filter.decide(&head, now(), &known, |_| unreachable!());
        let evidence = outcome.decision.evidence();
        let certificate = evidence.peer.as_ref().and_then(|peer| peer.certificate());
        let query = path.iter().position(|&byte| byte == b'?').unwrap_or(path.len());
        let identity = evidence.identity();
        let expected = Record {
            decision: outcome.decision.as_str().to_owned(),
            reason: outcome.decision.reason().map(|reason| reason.to_string()),
            user: identity.map(|identity| identity.user.to_string()),
            source: identity.map(|_| "cn".to_owned()),
            fingerprint: certificate.map(|_| data_encoding::HEXLOWER.encode(&Sha256::digest(&der))),
            serial: certificate.map(|_| data_encoding::HEXLOWER.encode(&serial)),
            issuer: certificate.map(|it| cut(&it.issuer().unwrap().to_string())),
            method: said(&method),
            path: said(&path[..query]),
            client: said(&client),
            request_id: said(&request_id),
            mcp_method: None,
            mcp_name: None,
            rule: evidence.rule.map(str::to_owned),
            observed: evidence.observed.iter().map(ToString::to_string).collect(),
            detail: evidence.detail.as_deref().map(cut),
        };
        if identity.is_some() {
            assert_eq!((expected.rule.as_deref(), expected.observed.len()), (Some(rule.as_str()), 1));
        }
        for value in [&method, &path, &client, &request_id].into_iter().filter(|it| it.len() <= BOUND) {
            assert_eq!(meant(&said(value)), *value);
        }
        let line = report::record(&outcome.decision, &head, &client, Vec::new());
        assert_says(&String::from_utf8(line).unwrap(), &expected);
    }
}
