//! From the text of JSON to the slots for its values.
//!
//! `serde_json` reads the text. It is asked in one way only, for any value into any [`Slot`]: each further kind of
//! visitor would put one more copy of its parser into the module.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::ConfigurationError;
use super::json::{Entries, Fault, Json, Members, Slot};
use super::path::{self, Segment};

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
        self.slot.fill(json).map_err(E::custom)
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
    fn outer_error(self, fault: Fault) -> E {
        self.error.unwrap_or_else(|| E::custom(fault))
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
