//! The record of a decision: one line of JSON, whatever bytes the client sent.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::denial::Reason;
use crate::filter::{Outcome, RequestHead};
use crate::peer::Peer;

/// The longest value that a client can write into a record, in bytes; what is longer is cut there.
const MAXIMUM_CLIENT_VALUE: usize = 1024;

/// Which decisions are written to the proxy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema, serde::Serialize))]
#[serde(rename_all = "lowercase")]
pub enum AuditLog {
    /// None.
    None,
    /// Denials, and what would have been one.
    #[default]
    Denials,
    /// All.
    All,
}

/// Where records go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditRules {
    /// To the proxy's log.
    pub log: AuditLog,
    /// To filter state, for the proxy's own access log.
    pub access_log: bool,
}

impl AuditRules {
    /// Whether the record of this outcome goes to the proxy's log.
    pub fn logs(&self, outcome: &Outcome<'_>) -> bool {
        let is_denial = outcome.decision.reason().is_some();
        match self.log {
            AuditLog::None => false,
            AuditLog::Denials => is_denial || !outcome.decision.evidence().observed.is_empty(),
            AuditLog::All => true,
        }
    }
}

/// What is written down of a decision. Every field is always there.
#[derive(Debug, Serialize)]
struct Record<'a> {
    decision: &'static str,
    reason: Option<&'static str>,
    user: Option<&'a str>,
    source: Option<&'static str>,
    fingerprint: Option<String>,
    serial: Option<String>,
    issuer: Option<String>,
    method: String,
    path: String,
    client: String,
    request_id: String,
    rule: Option<&'a str>,
    observed: Vec<&'static str>,
}

/// The record of an outcome as one line of ASCII. `client` is the address that Envoy
/// takes for the client's.
pub fn record(outcome: &Outcome<'_>, head: &RequestHead<'_>, client: &[u8]) -> String {
    let decision = &outcome.decision;
    let evidence = decision.evidence();
    let certificate = evidence.peer.as_ref().and_then(Peer::certificate);
    let identity = evidence.identity.as_ref();
    ascii_json(&Record {
        decision: decision.as_str(),
        reason: decision.reason().map(Reason::as_str),
        user: identity.map(|identity| identity.user.as_str()),
        source: identity.map(|identity| identity.source.as_str()),
        fingerprint: certificate.map(|it| HEXLOWER.encode(it.sha256())),
        serial: certificate.map(|it| client_value(HEXLOWER.encode(it.serial()).as_bytes())),
        issuer: certificate.map(|it| client_value(it.issuer().to_string().as_bytes())),
        method: client_value(head.first(":method")),
        path: client_value(head.path().as_bytes()),
        client: client_value(client),
        request_id: client_value(head.first("x-request-id")),
        rule: evidence.rule,
        observed: evidence.observed_names(),
    })
}

/// The line that says how many records a flood has cost.
pub fn suppressed(count: u64) -> String {
    format!(r#"{{"decision":"suppressed","count":{count}}}"#)
}

/// Bytes of the client as text: what is not ASCII as `\xNN`, cut at its bound.
fn client_value(bytes: &[u8]) -> String {
    let kept = bytes.get(..MAXIMUM_CLIENT_VALUE).unwrap_or(bytes);
    let mut text = String::with_capacity(kept.len());
    for &byte in kept {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    if kept.len() < bytes.len() {
        text.push_str("...");
    }
    text
}

/// JSON with everything outside printable ASCII escaped (RFC 8259 section 7), so that no reader of lines
/// sees two.
fn ascii_json(record: &Record<'_>) -> String {
    let json = serde_json::to_string(record).unwrap_or_default();
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            line.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(line, "\\u{unit:04x}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_of_json_whatever_the_client_sent() {
        let path = b"/a\"}\r\n{\"decision\":\"allow\"}\0\x1b\x7f\xe2\x80\xa8\xff?secret=1".to_vec();
        let headers = [
            (":path".to_owned(), path),
            (":method".to_owned(), b"G\nT".to_vec()),
        ];
        let head = RequestHead::of(&headers);
        let outcome = Outcome::refused(Reason::NoCertificate);
        let line = record(&outcome, &head, b"192.0.2.1:1");
        assert!(
            line.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{line}"
        );
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        let path = "/a\"}\r\n{\"decision\":\"allow\"}\0\u{1b}\u{7f}\\xe2\\x80\\xa8\\xff";
        assert_eq!(json["path"], path);
        assert_eq!(json["method"], "G\nT");
        assert_eq!(json["decision"], "deny");
        assert_eq!(json["reason"], "no_certificate");
        assert_eq!(json["user"], serde_json::Value::Null);
        assert_eq!(json.as_object().unwrap().len(), 13);
    }

    #[test]
    fn a_client_cannot_make_a_record_long() {
        let headers = [(":path".to_owned(), vec![0xff; 60_000])];
        let head = RequestHead::of(&headers);
        let line = record(&Outcome::refused(Reason::NoCertificate), &head, b"");
        assert!(line.len() < 6 * 1024, "{}", line.len());
    }
}
