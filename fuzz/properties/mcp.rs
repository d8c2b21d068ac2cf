//! Messages of MCP: what the strict reader finds, every other reader finds.

use mtls_identity::request::McpMessage;
use serde_json::{Map, Value};

/// For any body.
pub fn any_body(body: &[u8]) {
    let Ok(message) = McpMessage::parse(body) else {
        return;
    };
    let Ok(Value::Object(other)) = serde_json::from_slice(body) else {
        panic!("a message that is no JSON object for another reader");
    };
    // The last of two equal keys counts for that reader; the first one counts for others, so there must be one only.
    let written = serde_json::to_vec(&other).expect("JSON");
    assert_eq!(McpMessage::parse(&written).as_ref(), Ok(&message));
    is_spelt_once(&other);
    let McpMessage::Request { method, name } = &message else {
        assert!(!other.contains_key("method"));
        assert_ne!(other.contains_key("result"), other.contains_key("error"));
        return;
    };
    assert_eq!(other["method"], **method);
    let params = other.get("params").and_then(Value::as_object);
    if let Some(params) = params {
        is_spelt_once(params);
    }
    let key = match method.split('/').next() {
        Some("resources") => "uri",
        _ => "name",
    };
    if let Some(name) = name {
        assert_eq!(params.expect("a name has params")[key], **name);
    }
}

/// Readers that take keys without letter case find one key of each name.
fn is_spelt_once(object: &Map<String, Value>) {
    for key in ["jsonrpc", "id", "method", "params", "name", "uri"] {
        let spellings = object
            .keys()
            .filter(|other| other.eq_ignore_ascii_case(key));
        assert!(spellings.count() <= 1, "{key} twice");
    }
}
