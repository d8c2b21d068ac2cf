//! JSON, one value after the other, as the types of the configuration ask for it.
//!
//! `serde_json` reads the text. It is asked in one way only, for any value into any [`Slot`]: each further kind of
//! visitor would put one more copy of its parser into the module.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::ConfigurationError;
use super::path::{self, Segment};

/// A value that is about to be read.
pub(super) enum Json<'a> {
    Null,
    Boolean(bool),
    Natural(u64),
    Negative(i64),
    /// A number with a fraction, with an exponent, or beyond 64 bits.
    FloatingPoint,
    Text(&'a str),
    List(&'a mut dyn Entries),
    Object(&'a mut dyn Members),
}

/// What is wrong with a value: what was found, and what is expected.
#[derive(Debug)]
pub(super) struct Fault(String);

/// Where a value goes.
pub(super) trait Slot {
    /// Reads the value.
    fn fill(&mut self, json: Json<'_>) -> Result<(), Fault>;

    /// Whether a value was read.
    fn is_filled(&self) -> bool;
}

/// The entries of a list that are not read yet.
pub(super) trait Entries {
    /// Reads the next entry. Without one the slot stays as it is.
    fn next(&mut self, slot: &mut dyn Slot) -> Result<(), Fault>;
}

/// The members of an object that are not read yet.
pub(super) trait Members {
    /// Reads the next key. Without one the slot stays as it is.
    fn key(&mut self, slot: &mut dyn Slot) -> Result<(), Fault>;

    /// Reads the value of that key.
    fn value(&mut self, slot: &mut dyn Slot) -> Result<(), Fault>;
}

/// Reads the whole text.
pub(super) fn read(bytes: &[u8], slot: &mut dyn Slot) -> Result<(), ConfigurationError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let mut path = Vec::new();
    let value = Place {
        slot,
        step: None,
        path: &mut path,
    };
    let read = value.deserialize(&mut deserializer);
    read.and_then(|()| deserializer.end())
        .map_err(|error| ConfigurationError::at(path::written(&path), error))
}

impl Fault {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(super) fn of(error: &dyn fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl<'a> Json<'a> {
    pub(super) fn boolean(self) -> Result<bool, Fault> {
        let Self::Boolean(value) = self else {
            return Err(self.unexpected("type", "a boolean"));
        };
        Ok(value)
    }

    pub(super) fn u32(self) -> Result<u32, Fault> {
        let number = match self {
            Self::Natural(number) => u32::try_from(number).ok(),
            Self::Negative(_) => None,
            Self::Null
            | Self::Boolean(_)
            | Self::FloatingPoint
            | Self::Text(_)
            | Self::List(_)
            | Self::Object(_) => return Err(self.unexpected("type", "u32")),
        };
        number.ok_or_else(|| self.unexpected("value", "u32"))
    }

    #[inline(never)]
    pub(super) fn text(self) -> Result<&'a str, Fault> {
        let Self::Text(text) = self else {
            return Err(self.unexpected("type", "a string"));
        };
        Ok(text)
    }

    pub(super) fn list(self) -> Result<&'a mut dyn Entries, Fault> {
        let Self::List(entries) = self else {
            return Err(self.unexpected("type", "a sequence"));
        };
        Ok(entries)
    }

    pub(super) fn object(self) -> Result<&'a mut dyn Members, Fault> {
        let Self::Object(members) = self else {
            return Err(self.unexpected("type", "an object"));
        };
        Ok(members)
    }

    /// The fault of another `type` or `value` than is expected.
    pub(super) fn unexpected(&self, what: &str, expected: &str) -> Fault {
        Fault(format!("invalid {what}: {self}, expected {expected}"))
    }
}

/// What was found.
impl fmt::Display for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "boolean `{value}`"),
            Self::Natural(number) => write!(f, "integer `{number}`"),
            Self::Negative(number) => write!(f, "integer `{number}`"),
            Self::FloatingPoint => f.write_str("floating point number"),
            Self::Text(text) => write!(f, "string {text:?}"),
            Self::List(_) => f.write_str("sequence"),
            Self::Object(_) => f.write_str("map"),
        }
    }
}

/// A slot, and where in the text it is.
struct Place<'a> {
    slot: &'a mut dyn Slot,
    /// The step to here from what this is in.
    step: Option<Segment>,
    /// To what is wrong, its last step first. Whoever returns with an error adds the step to itself.
    path: &'a mut Vec<Segment>,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Self { slot, step, path } = self;
        let visitor = Place {
            slot,
            step: None,
            path: &mut *path,
        };
        let read = deserializer.deserialize_any(visitor);
        if read.is_err() {
            path.extend(step);
        }
        read
    }
}

impl Place<'_> {
    fn fill<E: Error>(self, json: Json<'_>) -> Result<(), E> {
        self.slot
            .fill(json)
            .map_err(|Fault(message)| E::custom(message))
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.fill(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.fill(Json::Boolean(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.fill(Json::Natural(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.fill(Json::Negative(number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        self.fill(Json::FloatingPoint)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.fill(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let Self { slot, path, .. } = self;
        let mut inner = Inner::of(access, path);
        let filled = slot.fill(Json::List(&mut inner));
        filled.map_err(|fault| inner.outer_error(fault))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<(), A::Error> {
        let Self { slot, path, .. } = self;
        let mut inner = Inner::of(access, path);
        let filled = slot.fill(Json::Object(&mut inner));
        filled.map_err(|fault| inner.outer_error(fault))
    }
}

/// What is in a list or an object.
struct Inner<'a, A, E> {
    access: A,
    /// Entries that were read.
    count: usize,
    /// The key that was read last.
    key: Option<String>,
    path: &'a mut Vec<Segment>,
    /// Why reading stopped here. It knows its place in the text, which a fault does not.
    error: Option<E>,
}

impl<'a, A, E: Error> Inner<'a, A, E> {
    fn of(access: A, path: &'a mut Vec<Segment>) -> Self {
        Self {
            access,
            count: 0,
            key: None,
            path,
            error: None,
        }
    }

    /// Keeps an error, and gives it to the slots around as a fault.
    fn keep<T>(&mut self, result: Result<T, E>) -> Result<(), Fault> {
        let Err(error) = result else {
            return Ok(());
        };
        let fault = Fault::of(&error);
        self.error = Some(error);
        Err(fault)
    }

    /// The error that was kept, or a fault of the list or object itself.
    fn outer_error(self, Fault(message): Fault) -> E {
        self.error.unwrap_or_else(|| E::custom(message))
    }
}

impl<'de, A: SeqAccess<'de>> Entries for Inner<'_, A, A::Error> {
    fn next(&mut self, slot: &mut dyn Slot) -> Result<(), Fault> {
        let entry = self.access.next_element_seed(Place {
            slot,
            step: Some(Segment::Index(self.count)),
            path: &mut *self.path,
        });
        self.count += 1;
        self.keep(entry)
    }
}

/// Knows a key even if the slot does not want it.
struct Key<'a> {
    slot: &'a mut dyn Slot,
    text: Option<String>,
}

impl Slot for Key<'_> {
    fn fill(&mut self, json: Json<'_>) -> Result<(), Fault> {
        let text = json.text()?;
        self.text = Some(text.to_owned());
        self.slot.fill(Json::Text(text))
    }

    fn is_filled(&self) -> bool {
        self.slot.is_filled()
    }
}

impl<'de, A: MapAccess<'de>> Members for Inner<'_, A, A::Error> {
    fn key(&mut self, slot: &mut dyn Slot) -> Result<(), Fault> {
        let mut key = Key { slot, text: None };
        let read = self.access.next_key_seed(Place {
            slot: &mut key,
            step: None,
            path: &mut *self.path,
        });
        self.key = key.text;
        if read.is_err() {
            self.path.extend(self.key.take().map(Segment::Key));
        }
        self.keep(read)
    }

    fn value(&mut self, slot: &mut dyn Slot) -> Result<(), Fault> {
        let value = self.access.next_value_seed(Place {
            slot,
            step: self.key.take().map(Segment::Key),
            path: &mut *self.path,
        });
        self.keep(value)
    }
}
