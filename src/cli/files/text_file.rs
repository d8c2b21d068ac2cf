//! A file of JSON or YAML, and the lines of what is in it.

use std::path::Path;

use mtls_identity::config::{Place, Seek, Step};
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::Value;

use super::input;

/// The text of a file.
#[derive(Debug)]
pub(in crate::cli) struct TextFile {
    /// What messages call it.
    pub(in crate::cli) name: String,
    pub(in crate::cli) text: String,
    /// Whether it is JSON, and not YAML.
    pub(in crate::cli) is_json: bool,
}

impl TextFile {
    /// Reads a file; the standard input for `-`.
    ///
    /// # Errors
    /// One line for a file that cannot be read or is no text.
    pub(in crate::cli) fn read(path: &Path) -> Result<Self, String> {
        let name = input::name(path);
        let text = String::from_utf8(input::read(path)?);
        let text = text.map_err(|_| format!("{name}: this is not UTF-8"))?;
        let is_json = text.trim_start().starts_with(['{', '[', '"']);
        Ok(Self {
            name,
            text,
            is_json,
        })
    }

    /// Whether there is nothing in the file.
    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The documents of the file: of JSON one.
    ///
    /// # Errors
    /// One line, with the place.
    pub(in crate::cli) fn documents(&self) -> Result<Vec<Value>, String> {
        match self.is_json {
            true => self.json_document().map(|value| vec![value]),
            false => self.yaml_documents(),
        }
    }

    fn json_document(&self) -> Result<Value, String> {
        serde_json::from_str(&self.text).map_err(|error| {
            let place = Place {
                line: error.line(),
                column: error.column().max(1),
            };
            let said = error.to_string();
            self.line(
                Some(place),
                &format!("this is no JSON: {}", before_line(&said)),
            )
        })
    }

    fn yaml_documents(&self) -> Result<Vec<Value>, String> {
        let documents = serde_yaml_ng::Deserializer::from_str(&self.text);
        let documents = documents
            .map(Value::deserialize)
            .collect::<Result<Vec<_>, _>>();
        documents.map_err(|error| {
            let place = error.location().map(|at| Place {
                line: at.line(),
                column: at.column(),
            });
            let said = error.to_string();
            let message = format!("this is neither JSON nor YAML: {}", before_line(&said));
            self.line(place, &message)
        })
    }

    /// The place of a value in a document, or of what it is missing in.
    pub(in crate::cli) fn place(&self, document: usize, steps: &[Step]) -> Option<Place> {
        let lengths = (0..=steps.len()).rev();
        lengths
            .into_iter()
            .find_map(|length| self.place_of(document, steps.get(..length)?))
    }

    fn place_of(&self, document: usize, steps: &[Step]) -> Option<Place> {
        if self.is_json {
            let mut json = serde_json::Deserializer::from_str(&self.text);
            let error = Seek(steps).deserialize(&mut json).err()?;
            return Some(Place {
                line: error.line(),
                column: error.column().max(1),
            });
        }
        let mut documents = serde_yaml_ng::Deserializer::from_str(&self.text);
        let error = Seek(steps).deserialize(documents.nth(document)?).err()?;
        error.location().map(|at| Place {
            line: at.line(),
            column: at.column(),
        })
    }

    /// `FILE:LINE:COLUMN: message`.
    pub(in crate::cli) fn line(&self, place: Option<Place>, message: &str) -> String {
        match place {
            Some(Place { line, column }) => format!("{}:{line}:{column}: {message}", self.name),
            None => format!("{}: {message}", self.name),
        }
    }
}

/// What a reader says, without the place at its end.
fn before_line(said: &str) -> &str {
    let end = said.find(" at line ").unwrap_or(said.len());
    said.get(..end).unwrap_or_default()
}
