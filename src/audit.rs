//! The record of a decision: one line of JSON, whatever bytes the client sent.

use std::fmt::Write;

use crate::denial::Reason;
use crate::encoding::hex;
use crate::filter::{Outcome, RequestHead};
use crate::header_value::Holder;
use crate::peer::Peer;

/// The longest value that a client can write into a record, in bytes; what is longer is cut there.
const MAXIMUM_CLIENT_VALUE: usize = 1024;

/// What most records need, in bytes.
const TYPICAL_RECORD: usize = 512;

/// Which decisions are written to the proxy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema, serde::Serialize),
    serde(rename_all = "lowercase")
)]
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

/// The record of an outcome as one line of ASCII; every field is always there. `client` is the address that Envoy
/// takes for the client's.
pub fn record(outcome: &Outcome<'_>, head: &RequestHead<'_>, client: &[u8]) -> String {
    let decision = &outcome.decision;
    let evidence = decision.evidence();
    let mut line = Line::of("decision", decision.as_str());
    line.text_or_null("reason", decision.reason().map(Reason::as_str));
    match &evidence.standing {
        Some(standing) => line.fields(&standing.description),
        None => line.fields(&description(&Holder {
            identity: None,
            peer: evidence.peer.as_ref(),
        })),
    }
    line.client_bytes("method", head.first(":method"));
    line.client_bytes("path", head.path().as_bytes());
    line.client_bytes("client", client);
    line.client_bytes("request_id", head.first("x-request-id"));
    line.text_or_null("rule", evidence.rule);
    line.list("observed", &evidence.observed);
    line.end()
}

/// The fields of a record that say who somebody is.
pub(crate) fn description(holder: &Holder<'_>) -> String {
    let certificate = holder.peer.and_then(Peer::certificate);
    let mut line = Line::default();
    line.text_or_null("user", holder.identity.map(|it| it.user.as_str()));
    line.text_or_null("source", holder.identity.map(|it| it.source.as_str()));
    let fingerprint = certificate.map(|it| hex(it.sha256()));
    line.text_or_null("fingerprint", fingerprint.as_deref());
    match certificate {
        Some(certificate) => {
            line.client_bytes("serial", hex(certificate.serial()).as_bytes());
            line.client_bytes("issuer", certificate.issuer().to_string().as_bytes());
        }
        None => {
            line.text_or_null("serial", None);
            line.text_or_null("issuer", None);
        }
    }
    line.text
}

/// The line that says how many records a flood has cost.
pub fn suppressed(count: u64) -> String {
    format!(r#"{{"decision":"suppressed","count":{count}}}"#)
}

/// The fields of a JSON object on one line of printable ASCII, so that no reader of lines sees two.
#[derive(Debug, Default)]
struct Line {
    text: String,
}

impl Line {
    /// An object that begins with this field.
    fn of(name: &str, value: &str) -> Self {
        let mut line = Self {
            text: String::with_capacity(TYPICAL_RECORD),
        };
        line.text.push('{');
        line.text_or_null(name, Some(value));
        line
    }

    fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }

    /// Fields that are written already.
    fn fields(&mut self, fields: &str) {
        self.text.push(',');
        self.text.push_str(fields);
    }

    fn name(&mut self, name: &str) {
        if !matches!(self.text.as_bytes(), [] | [b'{']) {
            self.text.push(',');
        }
        self.text.extend(["\"", name, "\":"]);
    }

    fn text_or_null(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        match value {
            None => self.text.push_str("null"),
            Some(value) => {
                self.text.push('"');
                push_escaped(&mut self.text, value);
                self.text.push('"');
            }
        }
    }

    /// Bytes of the client: what is not ASCII as `\xNN`, cut at its bound.
    fn client_bytes(&mut self, name: &str, bytes: &[u8]) {
        self.name(name);
        self.text.push('"');
        let kept = bytes.get(..MAXIMUM_CLIENT_VALUE).unwrap_or(bytes);
        match std::str::from_utf8(kept) {
            Ok(plain) if plain.is_ascii() => push_escaped(&mut self.text, plain),
            Ok(_) | Err(_) => kept
                .iter()
                .for_each(|&byte| push_byte(&mut self.text, byte)),
        }
        if kept.len() < bytes.len() {
            self.text.push_str("...");
        }
        self.text.push('"');
    }

    fn list(&mut self, name: &str, reasons: &[Reason]) {
        self.name(name);
        self.text.push('[');
        for (place, reason) in reasons.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            self.text.extend([comma, "\"", reason.as_str(), "\""]);
        }
        self.text.push(']');
    }
}

/// What stands in a JSON string for this text (RFC 8259 section 7), in printable ASCII.
fn push_escaped(line: &mut String, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(is_plain) {
        line.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            _ => push_code_units(line, character),
        }
    }
}

fn push_code_units(line: &mut String, character: char) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        let _ = write!(line, "\\u{unit:04x}");
    }
}

/// A byte of text that is not all ASCII.
fn push_byte(line: &mut String, byte: u8) {
    if byte.is_ascii() {
        push_escaped(line, char::from(byte).encode_utf8(&mut [0; 4]));
    } else {
        // Writing to a String cannot fail.
        let _ = write!(line, "\\\\x{byte:02x}");
    }
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
