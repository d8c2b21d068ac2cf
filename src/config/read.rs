//! How the types of the configuration are read: strictly, and each key once.

use std::collections::BTreeSet;
use std::fmt;

use super::json::{Fault, Json, Slot};

/// A type that a value of JSON can become.
pub(super) trait Read: Sized {
    fn read(json: Json<'_>) -> Result<Self, Fault>;
}

impl<T: Read> Slot for Option<T> {
    fn fill(&mut self, json: Json<'_>) -> Result<(), Fault> {
        *self = Some(T::read(json)?);
        Ok(())
    }

    fn is_filled(&self) -> bool {
        self.is_some()
    }
}

impl Read for bool {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        json.boolean()
    }
}

impl Read for String {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        json.text().map(str::to_owned)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let entries = json.list()?;
        let mut list = Self::new();
        loop {
            let mut entry = None;
            entries.next(&mut entry)?;
            match entry {
                Some(entry) => list.push(entry),
                None => return Ok(list),
            }
        }
    }
}

/// An object with keys of its own in their order, none twice: also not when two become one in canonical form.
#[derive(Debug)]
pub(super) struct UniqueMap<K, V>(pub(super) Vec<(K, V)>);

impl<K, V> Default for UniqueMap<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Read + fmt::Display, V: Read> Read for UniqueMap<K, V> {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let members = json.object()?;
        let mut map = Self::default();
        let mut seen = BTreeSet::new();
        loop {
            let (mut key, mut value) = (None::<K>, None);
            members.key(&mut key)?;
            let Some(key) = key else {
                return Ok(map);
            };
            see(&mut seen, key.to_string())?;
            members.value(&mut value)?;
            map.0.extend(value.map(|value| (key, value)));
        }
    }
}

fn see(seen: &mut BTreeSet<String>, key: String) -> Result<(), Fault> {
    match seen.insert(key.clone()) {
        true => Ok(()),
        false => Err(Fault::new(format!(
            "found the key {key:?} twice, expected each key once"
        ))),
    }
}

/// Text that becomes a value of its own.
pub(super) fn parsed<T>(json: Json<'_>) -> Result<T, Fault>
where
    T: TryFrom<String, Error: fmt::Display>,
{
    T::try_from(String::read(json)?).map_err(|error| Fault::of(&error))
}

/// One of a few names.
pub(super) fn named<T: Copy>(json: Json<'_>, names: &[(&str, T)]) -> Result<T, Fault> {
    let text = json.text()?;
    match names.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            Err(unknown("variant", text, &names))
        }
    }
}

/// Reads an object into the slots of its keys; it has no others.
pub(super) fn section(
    json: Json<'_>,
    keys: &mut [(&'static str, &mut dyn Slot)],
) -> Result<(), Fault> {
    let members = json.object()?;
    let names: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
    loop {
        let mut key = KnownKey::of(&names);
        members.key(&mut key)?;
        let Some((name, slot)) = key.place.and_then(|place| keys.get_mut(place)) else {
            return Ok(());
        };
        if slot.is_filled() {
            return Err(Fault::new(format!("duplicate field `{name}`")));
        }
        members.value(*slot)?;
    }
}

/// The key of a section.
struct KnownKey<'a> {
    names: &'a [&'static str],
    place: Option<usize>,
}

impl<'a> KnownKey<'a> {
    fn of(names: &'a [&'static str]) -> Self {
        Self { names, place: None }
    }
}

impl Slot for KnownKey<'_> {
    fn fill(&mut self, json: Json<'_>) -> Result<(), Fault> {
        let text = json.text()?;
        self.place = self.names.iter().position(|name| *name == text);
        match self.place {
            Some(_) => Ok(()),
            None => Err(unknown("field", text, self.names)),
        }
    }

    fn is_filled(&self) -> bool {
        self.place.is_some()
    }
}

fn unknown(kind: &str, found: &str, expected: &[&str]) -> Fault {
    let expected = match expected {
        [one, other] => format!("`{one}` or `{other}`"),
        several => format!("one of `{}`", several.join("`, `")),
    };
    Fault::new(format!("unknown {kind} `{found}`, expected {expected}"))
}

/// The value of a key that must be there.
pub(super) fn required<T>(key: &str, value: Option<T>) -> Result<T, Fault> {
    value.ok_or_else(|| Fault::new(format!("missing field `{key}`")))
}

/// The value of a key, or what holds without it.
pub(super) fn or_default<T: Default>(_: &str, value: Option<T>) -> Result<T, Fault> {
    Ok(value.unwrap_or_default())
}

/// The value of a key that may be absent. One that is there has a value; `null` is none.
pub(super) fn or_none<T>(_: &str, value: Option<T>) -> Result<Option<T>, Fault> {
    Ok(value)
}

/// Reads structures from objects that have their fields as keys, in this order, and no others. Each is [`required`],
/// [`or_default`] or [`or_none`].
macro_rules! sections {
    ($($section:ident { $($key:ident: $presence:ident),+ $(,)? })+) => {$(
        impl Read for $section {
            fn read(json: Json<'_>) -> Result<Self, Fault> {
                $(let mut $key = None;)+
                section(json, &mut [$((stringify!($key), &mut $key)),+])?;
                Ok(Self { $($key: $presence(stringify!($key), $key)?),+ })
            }
        }
    )+};
}

pub(super) use sections;
