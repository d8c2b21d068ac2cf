//! The JSON Schema of the plugin configuration, from the types that read it.
//!
//! Draft 7, which every editor completes. It refuses nothing that the loader accepts; what only the loader can
//! refuse is listed by the test of the two.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Configuration;
use super::document::{Document, LimitSection, QuotaSection};
use super::read::UniqueMap;
use super::values::{NonEmpty, NonEmptyMap, Sources, UserHeader};
use crate::identity::Source;
use crate::request::HeaderName;

pub(super) mod text;

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

impl<K: JsonSchema, V: JsonSchema> JsonSchema for UniqueMap<K, V> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}_by_{}", V::schema_name(), K::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<K>(),
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for NonEmpty<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("NonEmpty_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": generator.subschema_for::<T>(), "minItems": 1})
    }
}

impl<K: JsonSchema, V: JsonSchema> JsonSchema for NonEmptyMap<K, V> {
    fn schema_name() -> Cow<'static, str> {
        format!("NonEmpty_{}", UniqueMap::<K, V>::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = UniqueMap::<K, V>::json_schema(generator);
        schema.insert("minProperties".to_owned(), json!(1));
        schema
    }
}

impl JsonSchema for Sources {
    fn schema_name() -> Cow<'static, str> {
        "Sources".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = NonEmpty::<Source>::json_schema(generator);
        schema.insert("uniqueItems".to_owned(), json!(true));
        schema
    }
}

impl JsonSchema for UserHeader {
    fn schema_name() -> Cow<'static, str> {
        "UserHeader".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        HeaderName::json_schema(generator)
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

// How defaults are written.

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for UserHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// `{"sha256": …}` or `{"issuer": …, "serial": …}`: what [`schemars`] cannot derive of a revocation.
pub(super) fn either_certificate(schema: &mut Schema) {
    let either = json!([
        {"title": "one certificate", "required": ["sha256"], "maxProperties": 1},
        {"title": "a serial number of an issuer", "required": ["issuer", "serial"], "maxProperties": 2},
    ]);
    schema.insert("oneOf".to_owned(), either);
}

/// A default of `deny` needs a rule: nobody would pass.
pub(super) fn somebody_passes(schema: &mut Schema) {
    let either = json!([
        {"required": ["rules"], "properties": {"rules": {"type": "array", "minItems": 1}}},
        {"required": ["default"], "properties": {"default": {"type": "string", "const": "allow"}}},
    ]);
    schema.insert("anyOf".to_owned(), either);
}
