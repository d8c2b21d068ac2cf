//! Where in a configuration something is: `pins["admin@example.com"][1]`, and its line.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A path from the top of the configuration to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an entry of a list, the first of which is 0.
    Index(usize),
}

/// A place in a text. Both numbers begin with 1; the column counts bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column in that line.
    pub column: usize,
}

impl Path {
    /// The path to a key of the object at this path.
    pub(super) fn key(&self, key: impl Into<String>) -> Self {
        self.with(Step::Key(key.into()))
    }

    /// The path to an entry of the list at this path.
    pub(super) fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    /// The path one step further on.
    pub(crate) fn with(&self, step: Step) -> Self {
        Self(self.0.iter().cloned().chain([step]).collect())
    }

    /// The steps from the top.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl From<&serde_path_to_error::Path> for Path {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let step = |segment: &Segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            // The name of an enum's value is no step: it is the value.
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        Self(path.iter().filter_map(step).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("configuration");
        }
        let mut dot = "";
        for step in &self.0 {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain(key) => write!(f, "{dot}{key}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
            }
            dot = ".";
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    key.starts_with(|first: char| first.is_ascii_lowercase()) && key.bytes().all(plain)
}

/// Reads a text up to the value at a path and fails there on purpose: the error that the reader of the text then
/// gives knows the value's line. It ends well only if there is no such value.
#[derive(Clone, Copy, Debug)]
pub struct Seek<'a>(pub &'a [Step]);

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.0.is_empty() {
            // Whatever the value is, this fails at its beginning, even if it is `true`.
            true => deserializer.deserialize_bool(self),
            false => deserializer.deserialize_any(self),
        }
    }
}

/// Where nothing else is said, a visitor fails.
impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a path that goes on")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("found"));
        };
        for _ in 0..*wanted {
            if entries.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        entries.next_element_seed(Seek(rest)).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("found"));
        };
        while let Some(key) = members.next_key::<String>()? {
            match key == *wanted {
                true => return members.next_value_seed(Seek(rest)),
                false => members.next_value::<IgnoredAny>().map(|_| ())?,
            }
        }
        Ok(())
    }
}

/// The place in a text of JSON of the value at a path, or of what it is missing in.
pub(super) fn place_in_json(text: &[u8], path: &Path) -> Option<Place> {
    (0..=path.0.len()).rev().find_map(|length| {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let error = Seek(path.0.get(..length)?)
            .deserialize(&mut deserializer)
            .err()?;
        Some(Place {
            line: error.line(),
            column: error.column().max(1),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_value_is_found() {
        let text = b"{\n \"a\": [\n  1,\n  {\"b c\": null}\n ]\n}";
        let a = Path::default().key("a");
        for (path, written, line) in [
            (Path::default(), "configuration", 1),
            (a.clone(), "a", 2),
            (a.index(0), "a[0]", 3),
            (a.index(1), "a[1]", 4),
            (a.index(1).key("b c"), "a[1][\"b c\"]", 4),
            // What is not there is missing in what is.
            (a.index(1).key("d"), "a[1].d", 4),
            (a.index(7).key("d"), "a[7].d", 2),
            (Path::default().key("e"), "e", 1),
        ] {
            assert_eq!(path.to_string(), written);
            let place = place_in_json(text, &path);
            assert_eq!(place.map(|place| place.line), Some(line), "{written}");
        }
    }
}
