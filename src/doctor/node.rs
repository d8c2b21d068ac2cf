//! A value in a document, and the path that leads to it.

use serde_json::Value;

use crate::config::{Path, Step};

/// A document that was read: an Envoy file, a dump, an object of Kubernetes.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What messages call its file.
    pub file: String,
    /// Its place among the documents of that file, the first of which is 0; none if it stands in a string of another one.
    pub number: Option<usize>,
    /// What is in it.
    pub value: Value,
    /// Whether the files that it names are those of this machine. A dump names files of another one.
    pub is_local: bool,
}

/// A value of a document. Keys are asked for as the protobuf names them (`filter_chains`); a file may as well have them
/// in the JSON form (`filterChains`).
#[derive(Clone, Debug)]
pub(crate) struct Node<'a> {
    pub(crate) document: &'a Document,
    pub(crate) value: &'a Value,
    path: Path,
}

impl<'a> Node<'a> {
    /// The whole document.
    pub(crate) fn root(document: &'a Document) -> Self {
        Self {
            document,
            value: &document.value,
            path: Path::default(),
        }
    }

    /// The path from the top of the document.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn step(&self, value: &'a Value, step: Step) -> Self {
        Self {
            document: self.document,
            value,
            path: self.path.with(step),
        }
    }

    /// The value of this very key.
    pub(crate) fn key(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.step(value, Step::Key(key.to_owned())))
    }

    /// The value behind field names with dots between them; nothing where one is missing or null.
    pub(crate) fn get(&self, fields: &str) -> Option<Self> {
        let mut node = self.clone();
        for field in fields.split('.') {
            let found = node.key(field).or_else(|| node.key(&json_name(field)))?;
            node = found;
        }
        Some(node)
    }

    /// The entries of a list behind field names; none where there is no list.
    pub(crate) fn list(&self, fields: &str) -> Vec<Self> {
        self.get(fields)
            .map(|list| list.entries())
            .unwrap_or_default()
    }

    /// The entries of this list.
    pub(crate) fn entries(&self) -> Vec<Self> {
        let entries = self.value.as_array().into_iter().flatten().enumerate();
        entries
            .map(|(index, value)| self.step(value, Step::Index(index)))
            .collect()
    }

    /// The members of this object, in the order of the file.
    pub(crate) fn members(&self) -> Vec<(&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten();
        members
            .map(|(key, value)| (key.as_str(), self.step(value, Step::Key(key.clone()))))
            .collect()
    }

    /// The text of this value.
    pub(crate) fn as_str(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The text behind field names; empty where there is none.
    pub(crate) fn text(&self, fields: &str) -> &'a str {
        let node = self.get(fields);
        node.and_then(|node| node.value.as_str())
            .unwrap_or_default()
    }

    /// The texts of a list behind field names.
    pub(crate) fn texts(&self, fields: &str) -> Vec<&'a str> {
        let entries = self.list(fields).into_iter();
        entries.filter_map(|entry| entry.value.as_str()).collect()
    }

    /// Whether the value behind field names is `true`.
    pub(crate) fn is_true(&self, fields: &str) -> bool {
        self.get(fields).is_some_and(|node| *node.value == true)
    }

    /// The whole number behind field names, which protobuf may write as text.
    pub(crate) fn number(&self, fields: &str) -> Option<u64> {
        let node = self.get(fields)?;
        let text = || node.value.as_str()?.parse().ok();
        node.value.as_u64().or_else(text)
    }

    /// Whether the value of an enum behind field names is this one. Protobuf writes its name or its number.
    pub(crate) fn is(&self, fields: &str, name: &str, number: u64) -> bool {
        self.text(fields) == name || (self.number(fields) == Some(number))
    }

    /// The name of the message in an `Any`, without what stands before its last dot.
    pub(crate) fn kind(&self) -> &'a str {
        let name = self.key("@type").and_then(|node| node.value.as_str());
        let of_struct = || self.text("type_url");
        let name = match name {
            Some(name) if is_typed_struct(name) => of_struct(),
            Some(name) => name,
            None => "",
        };
        name.rsplit('.').next().unwrap_or_default()
    }

    /// The message behind `typed_config`, also where it is wrapped in a TypedStruct.
    pub(crate) fn typed_config(&self) -> Option<Self> {
        self.get("typed_config")
    }

    /// The fields of the message in an `Any`: of a TypedStruct those in its `value`.
    pub(crate) fn fields(&self) -> Self {
        let name = self.key("@type").and_then(|node| node.value.as_str());
        let wrapped = name.filter(|name| is_typed_struct(name));
        wrapped
            .and_then(|_| self.get("value"))
            .unwrap_or_else(|| self.clone())
    }

    /// Whether this text is anywhere in the value.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        match self.value {
            Value::String(own) => own.contains(text),
            Value::Array(_) => self.entries().iter().any(|entry| entry.mentions(text)),
            Value::Object(members) => {
                let mut keys = members.keys();
                keys.any(|key| key.contains(text))
                    || self.members().iter().any(|(_, value)| value.mentions(text))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

fn is_typed_struct(name: &str) -> bool {
    name.ends_with(".TypedStruct")
}

/// The JSON name of a protobuf field.
fn json_name(field: &str) -> String {
    let mut parts = field.split('_');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_in_both_spellings_with_the_path_as_it_is_written() {
        let document = Document {
            file: String::new(),
            number: Some(0),
            value: json!({"filterChains": [{"transport_socket": {"name": "tls"}}, null], "a": null}),
            is_local: true,
        };
        let root = Node::root(&document);
        let chain = &root.list("filter_chains")[0];
        let name = chain.get("transport_socket.name").unwrap();
        assert_eq!(name.as_str(), Some("tls"));
        let path = "[\"filterChains\"][0].transport_socket.name";
        assert_eq!(name.path().to_string(), path);
        assert!(root.get("a").is_none() && root.get("filter_chains.b").is_none());
    }

    #[test]
    fn a_typed_struct_is_read_as_what_it_holds() {
        let document = Document {
            file: String::new(),
            number: Some(0),
            value: json!({
                "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
                "type_url": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "value": {"config": {}},
            }),
            is_local: true,
        };
        let node = Node::root(&document);
        assert_eq!(node.kind(), "Wasm");
        assert!(node.fields().get("config").is_some());
    }
}
