//! JSON, one value after the other, as the types of the configuration ask for it.

use std::fmt;

use thiserror::Error;

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
#[derive(Debug, Error)]
#[error("{0}")]
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
