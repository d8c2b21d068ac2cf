//! What the head of a request must say so that its body can be read as one message of MCP.

use crate::encoding::bytes_of_base64;
use crate::request::head::RequestHead;
use crate::request::mcp::McpMessage;

/// Why a body is not held: nothing in it could be a message, or it is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum McpHeadError {
    /// `content-type` is not one `application/json` in UTF-8.
    ContentType,
    /// `content-encoding` is there, and is not `identity`.
    ContentEncoding,
    /// `content-length` is over the bound, in bytes.
    TooLarge,
}

impl McpHeadError {
    /// The rule that is broken, for the record.
    pub fn detail(self) -> &'static str {
        match self {
            Self::ContentType => "content-type: expected one application/json in UTF-8",
            Self::ContentEncoding => "content-encoding: expected none",
            Self::TooLarge => "content-length: more than mcp.max_body",
        }
    }
}

/// Checks a head before its body is held.
///
/// # Errors
/// [`McpHeadError`] names the header that is in the way.
pub fn check_mcp_head(head: &RequestHead<'_>, max_body: usize) -> Result<(), McpHeadError> {
    let lengths = head.values("content-length");
    let is_longer = |value: &[u8]| {
        let number = std::str::from_utf8(value)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        number.is_none_or(|number: usize| number > max_body)
    };
    if lengths.into_iter().any(is_longer) {
        return Err(McpHeadError::TooLarge);
    }
    let mut types = head.values_in_any_spelling("content-type");
    match (types.next(), types.next()) {
        (Some(value), None) if is_json_in_utf8(value) => {}
        _ => return Err(McpHeadError::ContentType),
    }
    let mut encodings = head.values_in_any_spelling("content-encoding");
    match encodings.all(|value| value.trim_ascii().eq_ignore_ascii_case(b"identity")) {
        true => Ok(()),
        false => Err(McpHeadError::ContentEncoding),
    }
}

/// Whether a request may turn out to have no body: a method other than POST, and no length. A hop over HTTP/2 may say only
/// after the head that nothing follows.
pub fn may_lack_body(head: &RequestHead<'_>) -> bool {
    let mut lengths = head.values("content-length");
    head.first(":method") != b"POST" && lengths.all(|length| length == b"0")
}

/// Whether a media type (RFC 9110 section 8.3.1) is `application/json`, with no parameter but `charset=utf-8`.
fn is_json_in_utf8(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
    let is_json = parts
        .next()
        .is_some_and(|it| it.eq_ignore_ascii_case(b"application/json"));
    let is_utf8 = |parameter: &[u8]| {
        let lower = parameter.to_ascii_lowercase();
        matches!(
            &lower[..],
            b"" | b"charset=utf-8" | b"charset=\"utf-8\"" | b"charset=utf8"
        )
    };
    is_json && parts.all(is_utf8)
}

/// Whether `Mcp-Method` and `Mcp-Name`, where the client sends them, say what the body says.
pub fn mcp_headers_agree(head: &RequestHead<'_>, message: &McpMessage) -> bool {
    let method = match message {
        McpMessage::Request { method, .. } => Some(method.as_str()),
        McpMessage::Response => None,
    };
    agrees(head, "mcp-method", method) && agrees(head, "mcp-name", message.name())
}

fn agrees(head: &RequestHead<'_>, name: &str, expected: Option<&str>) -> bool {
    let mut values = head.values_in_any_spelling(name);
    let Some(value) = values.next() else {
        return true;
    };
    let is_same =
        |expected: &str| decoded(value.trim_ascii()).as_deref() == Some(expected.as_bytes());
    values.next().is_none() && expected.is_some_and(is_same)
}

/// The value of a header of MCP: as it is, or in the form `=?base64?…?=`; none for a form that does not decode.
fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    let encoded = value
        .strip_prefix(b"=?base64?")
        .and_then(|it| it.strip_suffix(b"?="));
    match encoded {
        Some(base64) => bytes_of_base64(base64),
        None => Some(value.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::write_map;

    fn check(fields: &[(&str, &str)]) -> Result<(), McpHeadError> {
        let map = map(fields);
        check_mcp_head(&RequestHead::read(&map).unwrap(), 100)
    }

    fn map(fields: &[(&str, &str)]) -> Vec<u8> {
        write_map(
            fields
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes())),
        )
    }

    #[test]
    fn only_plain_json_is_held() {
        let json = ("content-type", "application/json");
        for (fields, expected) in [
            (&[json][..], Ok(())),
            (
                &[("content-type", "Application/JSON; charset=\"UTF-8\"")],
                Ok(()),
            ),
            (&[json, ("content-length", "100")], Ok(())),
            (&[json, ("content-encoding", "identity")], Ok(())),
            (
                &[json, ("content-length", "101")],
                Err(McpHeadError::TooLarge),
            ),
            (
                &[json, ("content-length", "x")],
                Err(McpHeadError::TooLarge),
            ),
            (
                &[json, ("content-encoding", "gzip")],
                Err(McpHeadError::ContentEncoding),
            ),
            (
                &[json, ("content_encoding", "br")],
                Err(McpHeadError::ContentEncoding),
            ),
            (&[], Err(McpHeadError::ContentType)),
            (&[json, json], Err(McpHeadError::ContentType)),
            (
                &[("content-type", "text/plain")],
                Err(McpHeadError::ContentType),
            ),
            (
                &[("content-type", "application/json; charset=utf-16")],
                Err(McpHeadError::ContentType),
            ),
            (
                &[("content-type", "application/json, text/plain")],
                Err(McpHeadError::ContentType),
            ),
        ] {
            assert_eq!(check(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn headers_that_say_something_else_than_the_body_do_not_agree() {
        let call = McpMessage::Request {
            method: "tools/call".to_owned(),
            name: Some("a".to_owned()),
        };
        let list = McpMessage::Request {
            method: "tools/list".to_owned(),
            name: None,
        };
        for (fields, message, expected) in [
            (&[][..], &call, true),
            (
                &[("mcp-method", "tools/call"), ("mcp-name", "a")],
                &call,
                true,
            ),
            (&[("mcp-name", "=?base64?YQ==?=")], &call, true),
            (&[("mcp-name", "=?base64?Yg==?=")], &call, false),
            (&[("mcp-name", "=?base64?Y?=")], &call, false),
            (&[("mcp-method", "tools/list")], &call, false),
            (&[("mcp_method", "tools/list")], &call, false),
            (
                &[("mcp-method", "tools/call"), ("mcp-method", "tools/call")],
                &call,
                false,
            ),
            (&[("mcp-name", "A")], &call, false),
            (&[("mcp-name", "a")], &list, false),
            (&[("mcp-method", "tools/list")], &list, true),
            (&[("mcp-method", "response")], &McpMessage::Response, false),
            (&[], &McpMessage::Response, true),
        ] {
            let map = map(fields);
            let head = RequestHead::read(&map).unwrap();
            assert_eq!(mcp_headers_agree(&head, message), expected, "{fields:?}");
        }
    }
}
