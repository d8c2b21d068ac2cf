//! JSON (RFC 8259) as every reader reads it: no key twice, nothing behind the value, no deep nesting.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep arrays and objects may lie in each other.
const MAXIMUM_DEPTH: usize = 64;

/// How deep the members of objects are kept: a message has its params at depth 1, and nothing below decides.
const KEPT_DEPTH: usize = 2;

/// A JSON value, as far as a message needs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Text(String),
    Number,
    /// Those of its members that the reader was told to keep.
    Object(Vec<(String, Json)>),
    /// A list or a Boolean.
    Other,
}

/// Reads a whole value. Of an object the members are kept whose key `keeps` names.
///
/// # Errors
/// What is no JSON, or can be read in two ways.
pub(super) fn read(bytes: &[u8], keeps: fn(&str) -> bool) -> serde_json::Result<Json> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let json = Value { depth: 0, keeps }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(json)
}

/// The value of a key.
pub(super) fn find<'a>(object: &'a [(String, Json)], key: &str) -> Option<&'a Json> {
    let mut members = object.iter();
    members
        .find(|(name, _)| name == key)
        .map(|(_, value)| value)
}

/// Reads a value at this depth.
#[derive(Clone, Copy)]
struct Value {
    depth: usize,
    keeps: fn(&str) -> bool,
}

impl Value {
    fn inner<E: Error>(self) -> Result<Self, E> {
        match self.depth {
            MAXIMUM_DEPTH => Err(E::custom("nested deeper than 64")),
            depth => Ok(Self {
                depth: depth + 1,
                ..self
            }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        while list.next_element_seed(inner)?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let (mut keys, mut members) = (HashSet::new(), Vec::new());
        while let Some(key) = object.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key {key:?} is there twice"
                )));
            }
            let value = object.next_value_seed(inner)?;
            if self.depth < KEPT_DEPTH && (self.keeps)(&key) {
                members.push((key.clone(), value));
            }
            keys.insert(key);
        }
        Ok(Json::Object(members))
    }
}
