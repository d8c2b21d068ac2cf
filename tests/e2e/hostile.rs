//! A record is one line of JSON whatever bytes the client sent.

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::forged::filter_alone;
use crate::harness::{Fixture, Site};
use crate::seen::ask;

const FIELDS: [&str; 16] = [
    "client",
    "decision",
    "detail",
    "fingerprint",
    "issuer",
    "mcp_method",
    "mcp_name",
    "method",
    "observed",
    "path",
    "reason",
    "request_id",
    "rule",
    "serial",
    "source",
    "user",
];

/// Bytes of a client as the record has them: beyond ASCII as `\xNN`, a backslash as two.
fn as_recorded(bytes: &[u8]) -> String {
    let text = bytes.iter().map(|&byte| match byte {
        b'\\' => r"\\".to_owned(),
        0..=0x7f => char::from(byte).to_string(),
        0x80.. => format!("\\x{byte:02x}"),
    });
    text.collect()
}

/// Paths that try to end the string, the object or the line they are written into.
const HOSTILE_PATHS: [&[u8]; 15] = [
    b"/a\"}{\"decision\":\"allow\"}",
    b"/a\\\",\"user\":\"admin@example.com",
    b"/a%0a{\"decision\":\"allow\"}",
    b"/a%0d%0a%22",
    b"/a\\",
    b"/a\\u0022",
    b"/a\\xff",
    b"/a'<script>`${x}",
    b"/a\xff\xfe",
    b"/a\xe2\x80\xa8{\"decision\":\"allow\"}",
    b"/a\xc2\x85\xc0\xaf",
    b"/a\x01\x1b[31m",
    b"/a\x0b\x0c\x7f",
    b"/a\x00",
    b"/a\xed\xa0\x80",
];

/// So that the filter sees the path as the client wrote it.
fn path_untouched(envoy: &mut Bootstrap) {
    filter_alone(envoy);
    for key in ["normalize_path", "merge_slashes"] {
        envoy.hcm()[key] = json!(false);
    }
    envoy.hcm()["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
}

#[tokio::test]
async fn hostile_bytes_in_path_method_and_headers_make_no_second_line_and_no_second_field() {
    let site = Fixture::new()
        .plugin(json!({"audit": {"log": "all"}}))
        .edit(path_untouched)
        .start()
        .await;
    let alice = site.client("alice@example.com");
    for path in HOSTILE_PATHS {
        let request = [b"GET ", path, b"?\"} HTTP/1.1\r\nHost: h\r\n"].concat();
        let id = b"X-Request-Id: \"},{\"decision\":\"allow\"\xff\r\nUser-Agent: \"}\xff\r\n\r\n";
        ask(&alice, &[&request[..], id].concat()).await;
    }
    let logged = site.access_log(HOSTILE_PATHS.len()).await;
    assert_eq!(logged.len(), HOSTILE_PATHS.len());
    let mut seen = Vec::new();
    for (logged, path) in logged.iter().zip(HOSTILE_PATHS) {
        // What Envoy's codec does not let through has no record.
        let refused = logged.line["details"]
            .as_str()
            .unwrap()
            .starts_with("http1.");
        assert_eq!(logged.record.is_null(), refused, "{}", logged.line);
        if !refused {
            assert_eq!(logged.record["path"], as_recorded(path));
            assert_eq!(logged.record["user"], "alice@example.com");
            seen.push(path);
        }
    }
    assert_eq!(seen, HOSTILE_PATHS[..8]);
    // Over HTTP/2 bytes above 0x7f get through.
    let path = "/b\u{2028}{\"decision\":\"allow\"}";
    let answer = alice.http2().get(path).await.unwrap();
    assert_eq!(answer.status, 200);
    let logged = site.access_log(HOSTILE_PATHS.len() + 1).await;
    let last = &logged[HOSTILE_PATHS.len()];
    assert_eq!(last.record["path"], as_recorded(path.as_bytes()));
    assert_lines_of_the_filter(&site, 5);
}

/// Every record in Envoy's log stands on a line that Envoy began, in printable ASCII, with all its fields.
#[track_caller]
fn assert_lines_of_the_filter(site: &Site, at_least: usize) {
    let lines = site.envoy.filter_lines();
    assert!(lines.len() >= at_least, "{lines:?}");
    let records = lines.iter().filter(|line| line["decision"] != "suppressed");
    for record in records {
        let keys: Vec<_> = record.as_object().unwrap().keys().collect();
        assert_eq!(keys, FIELDS);
    }
    let log = site.envoy.log();
    for line in log.lines().filter(|line| line.contains("\"decision\":")) {
        assert!(line.starts_with('[') && line.contains("wasm log"), "{line}");
        assert!(
            line.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{line}"
        );
    }
}

/// Names of a subject, and the user they make; none where they are refused.
const NAMES: [(&str, Option<&str>); 9] = [
    ("a\"b}{\\c", Some("a\"b}{\\c")),
    ("zoë@example.com", Some("zoë@example.com")),
    ("𝄞@example.com", Some("𝄞@example.com")),
    ("a\u{fffd}b", Some("a\u{fffd}b")),
    ("a\u{2028}b", None),
    ("a\u{85}b", None),
    ("a\nb", None),
    ("a\u{1b}[31mb", None),
    ("a\u{202e}b", None),
];

#[tokio::test]
async fn hostile_names_of_subject_and_issuer_make_no_second_line_and_no_second_field() {
    let evil = "Evil \"CA\"\n{\"decision\":\"allow\"}\u{2028}\u{1b}é";
    let shown = "CN=Evil \\\"CA\\\"\\0A{\\\"decision\\\":\\\"allow\\\"}\\E2\\80\\A8\\1B\\C3\\A9";
    let site = Fixture::new()
        .plugin(json!({
            "audit": {"log": "all"},
            "certificate": {"validation": "listener"},
            "identity": {"charset": "utf8"},
        }))
        .edit(Bootstrap::accept_untrusted)
        .start()
        .await;
    let authority = Authority::named(evil);
    for (name, user) in NAMES {
        let client = site.client_with(&authority.client(name));
        let answer = client.get("/").await.unwrap();
        match user {
            Some(_) => assert_eq!(answer.status, 200, "{name:?}"),
            None => answer.assert_denied(403, "invalid_identity"),
        }
    }
    let logged = site.access_log(NAMES.len()).await;
    for (logged, (name, user)) in logged.iter().zip(NAMES) {
        assert_eq!(logged.record["user"].as_str(), user, "{name:?}");
        assert_eq!(logged.record["issuer"], shown);
    }
    assert_lines_of_the_filter(&site, 5);
}
