//! The record of a decision: one line of JSON, whatever bytes the client sent.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Write;

use crate::certificate::PeerCertificate;
use crate::decide::{Decision, Evidence};
use crate::identity::Peer;
use crate::reason::Reason;
use crate::request::{McpMessage, RequestHead};

/// The longest value that a client can write into a record, in bytes; what is longer is cut there.
const MAXIMUM_CLIENT_VALUE: usize = 1024;

/// What most records need, in bytes.
const TYPICAL_RECORD: usize = 512;

/// Which decisions are written to the proxy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
    /// Whether the record of this decision goes to the proxy's log.
    pub fn logs(&self, decision: &Decision<'_>) -> bool {
        let is_denial = decision.reason().is_some();
        match self.log {
            AuditLog::None => false,
            AuditLog::Denials => is_denial || !decision.evidence().observed.is_empty(),
            AuditLog::All => true,
        }
    }
}

/// The record of a decision as one line of ASCII; every field is always there. `client` is the address that Envoy
/// takes for the client's; the memory is that of `former`, of a record that is not needed any more.
pub fn record(
    decision: &Decision<'_>,
    head: &RequestHead<'_>,
    client: &[u8],
    former: Vec<u8>,
) -> Vec<u8> {
    let evidence = decision.evidence();
    let mut line = Line::in_place_of(former);
    line.text_or_null(r#"{"decision":"#, Some(decision.as_str()));
    line.text_or_null(r#","reason":"#, decision.reason().map(Reason::as_str));
    line.client(evidence);
    line.client_bytes(r#","method":"#, head.first(":method"));
    line.client_bytes(r#","path":"#, head.path().as_bytes());
    line.client_bytes(r#","client":"#, client);
    line.client_bytes(r#","request_id":"#, head.first("x-request-id"));
    let message = evidence.message.as_ref();
    line.cut_text_or_null(r#","mcp_method":"#, message.map(McpMessage::method));
    line.cut_text_or_null(r#","mcp_name":"#, message.and_then(McpMessage::name));
    line.cut_text_or_null(r#","detail":"#, evidence.detail.as_deref());
    line.text_or_null(r#","rule":"#, evidence.rule);
    line.list(r#","observed":"#, &evidence.observed);
    line.text.push(b'}');
    line.text
}

/// The line that says how many records a flood has cost.
pub fn suppressed(count: u64) -> String {
    format!(r#"{{"decision":"suppressed","count":{count}}}"#)
}

/// The line that says how many open requests a new configuration has ended.
pub fn ended(count: usize) -> String {
    format!(r#"{{"decision":"ended","reason":"revoked","count":{count}}}"#)
}

/// The fields of a JSON object on one line of printable ASCII, so that no reader of lines sees two. A field's name comes
/// as it is written, with what stands before and behind it.
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
}

impl Line {
    fn in_place_of(mut text: Vec<u8>) -> Self {
        text.clear();
        text.reserve(TYPICAL_RECORD);
        Self { text }
    }

    /// The fields that say who the client is.
    fn client(&mut self, evidence: &Evidence<'_>) {
        let certificate = evidence.peer.as_ref().and_then(Peer::certificate);
        let identity = evidence.identity();
        self.text_or_null(r#","user":"#, identity.map(|it| it.user.as_str()));
        self.text_or_null(r#","source":"#, identity.map(|it| it.source.as_str()));
        let texts = certificate.map(PeerCertificate::texts);
        self.text_or_null(r#","fingerprint":"#, texts.map(|it| it.sha256.as_str()));
        self.cut_text_or_null(r#","serial":"#, texts.map(|it| it.serial.as_str()));
        let issuer = texts.and_then(|it| it.issuer.as_deref());
        self.cut_text_or_null(r#","issuer":"#, issuer);
    }

    fn text_or_null(&mut self, name: &str, value: Option<&str>) {
        self.text.extend_from_slice(name.as_bytes());
        match value {
            None => self.text.extend_from_slice(b"null"),
            Some(value) => self.quoted(|line| line.escaped(value)),
        }
    }

    /// The same, or nothing.
    fn cut_text_or_null(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.cut_text(name, text),
            None => self.text_or_null(name, None),
        }
    }

    /// Text that an issuer or a client has made, cut at its bound.
    fn cut_text(&mut self, name: &str, text: &str) {
        let end = text.floor_char_boundary(MAXIMUM_CLIENT_VALUE);
        let kept = text.get(..end).unwrap_or(text);
        let is_cut = kept.len() < text.len();
        let end = if is_cut { "..." } else { "" };
        self.text.extend_from_slice(name.as_bytes());
        self.quoted(|line| [kept, end].iter().for_each(|text| line.escaped(text)));
    }

    /// Bytes of the client: what is not ASCII as `\xNN`, a backslash as two, cut at its bound.
    fn client_bytes(&mut self, name: &str, bytes: &[u8]) {
        self.text.extend_from_slice(name.as_bytes());
        let kept = bytes.get(..MAXIMUM_CLIENT_VALUE).unwrap_or(bytes);
        self.quoted(|line| {
            if kept.iter().all(is_plain) {
                line.text.extend_from_slice(kept);
            } else {
                kept.iter().for_each(|&byte| line.client_byte(byte));
            }
            if kept.len() < bytes.len() {
                line.text.extend_from_slice(b"...");
            }
        });
    }

    fn list(&mut self, name: &str, reasons: &[Reason]) {
        self.text.extend_from_slice(name.as_bytes());
        self.text.push(b'[');
        for (place, reason) in reasons.iter().enumerate() {
            if place > 0 {
                self.text.push(b',');
            }
            self.quoted(|line| line.escaped(reason.as_str()));
        }
        self.text.push(b']');
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Self)) {
        self.text.push(b'"');
        write(self);
        self.text.push(b'"');
    }

    /// What stands in a JSON string for this text (RFC 8259 section 7), in printable ASCII.
    fn escaped(&mut self, text: &str) {
        if text.as_bytes().iter().all(is_plain) {
            self.text.extend_from_slice(text.as_bytes());
            return;
        }
        for unit in text.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if byte.is_ascii() => self.byte(byte),
                Ok(_) | Err(_) => self.format(format_args!("\\u{unit:04x}")),
            }
        }
    }

    /// A byte of ASCII text.
    fn byte(&mut self, byte: u8) {
        match byte {
            b'"' | b'\\' => self.text.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => self.text.push(byte),
            _ => self.format(format_args!("\\u{byte:04x}")),
        }
    }

    /// A byte of what a client sent, which need not be text. A byte outside ASCII becomes `\xNN` in the JSON string, so a
    /// backslash of the client becomes two: no two values are written alike.
    fn client_byte(&mut self, byte: u8) {
        match byte {
            b'\\' => self.text.extend_from_slice(br"\\\\"),
            0x80.. => self.format(format_args!("\\\\x{byte:02x}")),
            _ => self.byte(byte),
        }
    }

    fn format(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a vector cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// Whether a byte stands for itself in a JSON string.
fn is_plain(byte: &u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Outcome;
    use crate::request::write_map;

    #[test]
    fn a_record_is_one_line_of_json_whatever_the_client_sent() {
        let path = b"/a\"}\r\n{\"decision\":\"allow\"}\0\x1b\x7f\xe2\x80\xa8\xff?secret=1".to_vec();
        let map = write_map([(&b":path"[..], &path[..]), (b":method", b"G\nT")]);
        let head = RequestHead::read(&map).unwrap();
        let outcome = Outcome::refused(Reason::NoCertificate);
        let line = record(&outcome.decision, &head, b"192.0.2.1:1", b"former".to_vec());
        let line = String::from_utf8(line).unwrap();
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
        assert_eq!(json["detail"], serde_json::Value::Null);
        assert_eq!(json.as_object().unwrap().len(), 16);
    }

    #[test]
    fn a_client_cannot_make_a_record_long() {
        let map = write_map([(&b":path"[..], &[0xff; 60_000][..])]);
        let head = RequestHead::read(&map).unwrap();
        let outcome = Outcome::refused(Reason::NoCertificate);
        let line = record(&outcome.decision, &head, b"", Vec::new());
        assert!(line.len() < 6 * 1024, "{}", line.len());
    }
}
