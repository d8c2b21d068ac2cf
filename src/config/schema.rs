//! The JSON Schema of the plugin configuration, from the types that read it.
//!
//! Draft 7, which every editor completes. It has the keys, their kinds, their defaults, their descriptions and the
//! names of values. It accepts everything that the loader accepts, and more: only the loader knows which strings are
//! users, paths or digests.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::configuration::Configuration;
use super::document::{Document, LimitSection, QuotaSection};
use super::strict::Members;

impl Configuration {
    /// The JSON Schema, draft 7, of what [`Configuration::parse`] reads.
    pub fn schema() -> Value {
        let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
        let settings = settings.with_transform(describe);
        settings
            .into_generator()
            .into_root_schema_for::<Document>()
            .to_value()
    }
}

/// What the derived schemas say in another way than the loader, or not at all.
fn describe(schema: &mut Schema) {
    forbid_null(schema);
    fold_description(schema);
    let required = schema.get("required").cloned().unwrap_or_default();
    let is_required = |name: &String| {
        let mut names = required.as_array().into_iter().flatten();
        names.any(|required| required == name)
    };
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        if let (false, Ok(property)) = (is_required(name), property.try_into()) {
            add_default(property);
        }
    }
    transform_subschemas(&mut describe, schema);
}

/// An `Option` is a key that may be absent; a key that is there has a value, and `null` is none.
fn forbid_null(schema: &mut Schema) {
    let null = json!({"type": "null"});
    let either = schema.get("anyOf").and_then(Value::as_array);
    if let Some([Value::Object(value), other]) = either.map(Vec::as_slice)
        && *other == null
    {
        let value = value.clone();
        schema.remove("anyOf");
        let annotations = std::mem::take(schema.ensure_object());
        let keywords = value.into_iter().chain(annotations);
        schema.ensure_object().extend(keywords);
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [kind] = types.as_slice() {
            let kind = kind.clone();
            schema.insert("type".to_owned(), kind);
        }
    }
}

/// A comment's lines are one paragraph.
fn fold_description(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

/// A list or a map that may be empty is empty where it is not given.
fn add_default(schema: &mut Schema) {
    let has = |keyword| schema.get(keyword).is_some();
    let is_map = schema
        .get("additionalProperties")
        .is_some_and(Value::is_object);
    let empty = match schema.get("type").and_then(Value::as_str) {
        Some("array") if !has("minItems") => json!([]),
        Some("object") if is_map && !has("minProperties") => json!({}),
        _ => return,
    };
    schema.insert("default".to_owned(), empty);
}

impl<V: JsonSchema> JsonSchema for Members<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("Members_{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}

impl JsonSchema for LimitSection {
    fn schema_name() -> Cow<'static, str> {
        "LimitSection".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "oneOf": [
                generator.subschema_for::<QuotaSection>(),
                {"const": "unlimited", "description": "No limit.", "type": "string"},
            ],
        })
    }
}
