//! Why a configuration is refused, in the words of who writes it.

use std::fmt;

use serde_json::error::Category;
use thiserror::Error;

use super::place::{Path, Place, place_in_json};
use crate::encoding::visible;

/// Why a configuration is refused: one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigurationError {
    path: Path,
    message: String,
    place: Option<Place>,
}

impl ConfigurationError {
    /// What is wrong with the value at a path.
    pub(super) fn at(path: &Path, message: impl fmt::Display) -> Self {
        Self {
            path: path.clone(),
            message: message.to_string(),
            place: None,
        }
    }

    /// What is wrong with the whole.
    pub(super) fn whole(message: impl fmt::Display) -> Self {
        Self::at(&Path::default(), message)
    }

    /// What the reader of JSON says of a text.
    pub(super) fn of_json(text: &[u8], path: Path, error: &serde_json::Error) -> Self {
        let place = Place {
            line: error.line(),
            column: error.column(),
        };
        let said = error.to_string();
        let position = format!(" at line {} column {}", place.line, place.column);
        let said = said.strip_suffix(&position).unwrap_or(&said);
        let message = match error.classify() {
            Category::Data => in_plain_words(said),
            Category::Eof => said.replace("EOF while parsing", "the text ends inside"),
            Category::Syntax if !begins_as_json(text) => {
                "this is not JSON (is it YAML?)".to_owned()
            }
            Category::Syntax if said == "trailing characters" => {
                "found more text after the JSON, expected its end".to_owned()
            }
            Category::Syntax | Category::Io => format!("this is not JSON: {said}"),
        };
        let place = Some(place);
        Self {
            path,
            message,
            place,
        }
    }

    /// The same error with the line of its value in that text.
    pub(super) fn placed(mut self, text: &[u8]) -> Self {
        self.place = self.place.or_else(|| place_in_json(text, &self.path));
        self
    }

    /// The same error without its line, which was that of another text.
    pub(super) fn without_its_place(self) -> Self {
        Self {
            place: None,
            ..self
        }
    }

    /// Where in the configuration.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where in the text of the configuration.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// The path and what is wrong, without the line, in visible characters.
    pub fn without_place(&self) -> String {
        // It quotes the configuration, and stays one line whatever is in that.
        visible(&format!("{}: {}", self.path, self.message))
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.without_place())?;
        match self.place {
            Some(Place { line, column }) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

fn begins_as_json(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
}

/// What serde says, without the words of its data model.
fn in_plain_words(said: &str) -> String {
    if let Some(key) = between(said, "missing field `", "`") {
        return format!("the key {key:?} is missing");
    }
    if let Some(key) = between(said, "duplicate field `", "`") {
        return format!("found the key {key:?} twice, expected each key once");
    }
    let Some((found, expected)) = said.rsplit_once(", expected ") else {
        return said.to_owned();
    };
    if let Some(key) = between(found, "unknown field `", "`") {
        return unknown_key(key, &names(expected));
    }
    if let Some(name) = between(found, "unknown variant `", "`") {
        return format!(
            "found {name:?}, expected {}",
            alternatives(&names(expected))
        );
    }
    let typed = found.strip_prefix("invalid type: ");
    match typed.or_else(|| found.strip_prefix("invalid value: ")) {
        Some(found) => format!("found {}, expected {}", value(found), kind(expected)),
        None => said.to_owned(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// The names that serde lists between backticks.
fn names(list: &str) -> Vec<&str> {
    list.split('`').skip(1).step_by(2).collect()
}

fn unknown_key(key: &str, known: &[&str]) -> String {
    let likeness = |name: &&&str| strsim::jaro_winkler(&key.to_lowercase(), name);
    let closest = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    match closest.filter(|name| likeness(name) > 0.85) {
        Some(name) => format!("found the unknown key {key:?}: did you mean {name:?}?"),
        None => format!(
            "found the unknown key {key:?}, expected {}",
            alternatives(known)
        ),
    }
}

fn alternatives(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.as_slice() {
        [one, other] => format!("{one} or {other}"),
        [one] => one.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

/// A value that was found, as JSON writes it.
fn value(found: &str) -> &str {
    match found {
        "sequence" => "a list",
        "map" => "an object",
        "floating point number" => "a number with a fraction",
        other => {
            let number = other.rsplit_once(" `").map(|(_, rest)| rest);
            let number = number.and_then(|rest| rest.strip_suffix('`'));
            let text = other.strip_prefix("string ");
            text.or(number).unwrap_or(other)
        }
    }
}

fn kind(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        "a JSON number" => "a whole number",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_says_is_said_in_words_of_json() {
        for (said, plain) in [
            ("missing field `to`", "the key \"to\" is missing"),
            (
                "duplicate field `a`",
                "found the key \"a\" twice, expected each key once",
            ),
            (
                "invalid type: sequence, expected a map",
                "found a list, expected an object",
            ),
            (
                "invalid type: null, expected a boolean",
                "found null, expected true or false",
            ),
            (
                "invalid type: integer `5`, expected a string",
                "found 5, expected a string",
            ),
            (
                "invalid type: string \", expected `\", expected a sequence",
                "found \", expected `\", expected a list",
            ),
            (
                "unknown variant `x`, expected `a` or `b`",
                "found \"x\", expected \"a\" or \"b\"",
            ),
            (
                "unknown field `pin`, expected one of `pins`, `audit`, `c`",
                "found the unknown key \"pin\": did you mean \"pins\"?",
            ),
            (
                "unknown field `x`, expected one of `a`, `b`, `c`",
                "found the unknown key \"x\", expected one of \"a\", \"b\", \"c\"",
            ),
            ("found 7", "found 7"),
        ] {
            assert_eq!(in_plain_words(said), plain);
        }
    }
}
