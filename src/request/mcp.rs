//! One message of MCP: JSON-RPC 2.0, read so strictly that no other reader can find another method or name in it.

use thiserror::Error;

use crate::request::strict_json::{self, Json, find};

/// The keys that decide. A key that differs from one of them in case only is another key for one reader, and the same for
/// another (Go's encoding/json).
const KEYS: [&str; 8] = [
    "jsonrpc", "id", "method", "params", "name", "uri", "result", "error",
];

/// Why bytes are not one message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum McpError {
    /// Not JSON (RFC 8259), or something behind it, or a key twice, or too deep.
    #[error("no strict JSON: {0}")]
    Json(String),
    /// A batch, a text, a number.
    #[error("not one JSON object")]
    NotObject,
    /// A key that differs from a known one in case only.
    #[error("the key {0:?} differs from {1:?} in case only")]
    KeyCase(String, &'static str),
    /// Not JSON-RPC 2.0.
    #[error("no \"jsonrpc\": \"2.0\"")]
    Version,
    /// An `id` that is no text and no number.
    #[error("an \"id\" that is no text and no number")]
    Id,
    /// Neither a request nor a response, or both.
    #[error("neither one \"method\" nor one of \"result\" and \"error\"")]
    Kind,
    /// `params` that is no object.
    #[error("\"params\" that is no object")]
    Params,
    /// The method wants a name, and there is none.
    #[error("{0} without a text in \"params\".{1:?}")]
    NoName(String, &'static str),
}

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum McpMessage {
    /// A request or a notification.
    Request {
        /// The method, such as `tools/call`.
        method: String,
        /// The tool or prompt (`params.name`), or the resource (`params.uri`), that it is about; none for other methods.
        name: Option<String>,
    },
    /// The client's answer to a request of the server.
    Response,
}

impl McpMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// [`McpError`] names the rule that is broken.
    pub fn parse(body: &[u8]) -> Result<Self, McpError> {
        let json = strict_json::read(body);
        let json = json.map_err(|error| McpError::Json(error.to_string()))?;
        let Json::Object(message) = json else {
            return Err(McpError::NotObject);
        };
        check_keys(&message)?;
        if !matches!(find(&message, "jsonrpc"), Some(Json::Text(version)) if version == "2.0") {
            return Err(McpError::Version);
        }
        if matches!(find(&message, "id"), Some(Json::Object(_) | Json::Other)) {
            return Err(McpError::Id);
        }
        let answers = ["result", "error"].map(|key| find(&message, key).is_some());
        match (find(&message, "method"), answers) {
            (Some(Json::Text(method)), [false, false]) if method != RESPONSE => {
                let name = name(method, find(&message, "params"))?;
                let method = method.clone();
                Ok(Self::Request { method, name })
            }
            (None, [true, false] | [false, true]) => Ok(Self::Response),
            _ => Err(McpError::Kind),
        }
    }

    /// The method as rules name it; `response` for a response.
    pub fn method(&self) -> &str {
        match self {
            Self::Request { method, .. } => method,
            Self::Response => RESPONSE,
        }
    }

    /// The same message with its method and name in lower case, for rules that take no notice of it.
    pub(crate) fn to_lowercase(&self) -> Self {
        match self {
            Self::Request { method, name } => Self::Request {
                method: lowercase(method),
                name: name.as_deref().map(lowercase),
            },
            Self::Response => Self::Response,
        }
    }

    /// The tool, prompt or resource.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Request { name, .. } => name.as_deref(),
            Self::Response => None,
        }
    }
}

fn lowercase(text: &str) -> String {
    #[cfg(test)]
    work::count(text.len());
    text.to_lowercase()
}

/// How much was put into lower case, for the test that holds the work of a request to its bound.
#[cfg(test)]
pub(crate) mod work {
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn count(bytes: usize) {
        BYTES.set(BYTES.get() + bytes);
    }

    /// The bytes since the last time this was asked.
    pub(crate) fn take() -> usize {
        BYTES.take()
    }
}

/// How rules name a response. No request may have this method.
const RESPONSE: &str = "response";

/// The name that a method is about.
fn name(method: &str, params: Option<&Json>) -> Result<Option<String>, McpError> {
    let params: &[_] = match params {
        None | Some(Json::Null) => &[],
        Some(Json::Object(params)) => params,
        Some(Json::Text(_) | Json::Number | Json::Other) => return Err(McpError::Params),
    };
    check_keys(params)?;
    let key = match method.split('/').next() {
        Some("tools" | "prompts") => "name",
        Some("resources") => "uri",
        _ => return Ok(None),
    };
    let is_needed = matches!(method, "tools/call" | "prompts/get" | "resources/read");
    match find(params, key) {
        Some(Json::Text(name)) => Ok(Some(name.clone())),
        None if !is_needed => Ok(None),
        _ => Err(McpError::NoName(method.to_owned(), key)),
    }
}

fn check_keys(object: &[(String, Json)]) -> Result<(), McpError> {
    for (key, _) in object {
        let mut known = KEYS.into_iter();
        if let Some(known) = known.find(|known| known != key && is_same_without_case(known, key)) {
            return Err(McpError::KeyCase(key.clone(), known));
        }
    }
    Ok(())
}

/// Some letters outside ASCII have one inside as their other case: `ſ` is a small `S`, the Kelvin sign a capital `k`.
fn is_same_without_case(known: &str, key: &str) -> bool {
    if key.is_ascii() {
        // Nearly every key is, and here no text is made of it.
        return known.eq_ignore_ascii_case(key);
    }
    known.to_lowercase() == key.to_lowercase() || known.to_uppercase() == key.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<(String, Option<String>), McpError> {
        let message = McpMessage::parse(text.as_bytes())?;
        Ok((
            message.method().to_owned(),
            message.name().map(str::to_owned),
        ))
    }

    #[test]
    fn a_message_has_a_method_and_perhaps_a_name() {
        for (text, method, name) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":1}}}"#,
                "tools/call",
                Some("a"),
            ),
            (
                r#" {"method":"tools\/call","params":{"n\u0061me":"\u0061"},"jsonrpc":"2.0"} "#,
                "tools/call",
                Some("a"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":"x","method":"prompts/get","params":{"name":"p"}}"#,
                "prompts/get",
                Some("p"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a"}}"#,
                "resources/read",
                Some("file:///a"),
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"resources/list","params":{"name":"x"}}"#,
                "resources/list",
                None,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#,
                "tools/list",
                None,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}"#,
                "tools/list",
                None,
            ),
            (
                r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
                "notifications/initialized",
                None,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "response", None),
            (
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x"}}"#,
                "response",
                None,
            ),
        ] {
            let expected = (method.to_owned(), name.map(str::to_owned));
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
        let deep = format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{"x":{deep}}}}}"#);
        for text in [
            "",
            "1",
            "[]",
            r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}{}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\0",
            "\u{feff}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","meth\u006fd":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","param\u017f":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","NAME":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1,"x":2}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["a"]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"name":null}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"response"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a","result":1}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":2}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"a"}"#,
            r#"{"jsonrpc":"1.0","id":1,"method":"a"}"#,
            r#"{"jsonrpc":2.0,"id":1,"method":"a"}"#,
            r#"{"id":1,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":null}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#,
            r#"{"jsonrpc":"2.0","id":NaN,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":01,"method":"a"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"a",}"#,
            r#"{'jsonrpc':'2.0','id':1,'method':'a'}"#,
            r#"{"jsonrpc":"2.0","id":1/**/,"method":"a"}"#,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\nb\"}",
            &deep,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let latin = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xe9\"}";
        assert!(McpMessage::parse(latin).is_err());
    }
}
