//! Reads a plugin configuration: the whole, or for the reports of the commands each section alone.

use serde_json::value::RawValue;

use super::configuration::Configuration;
use super::document::Document;
use super::error::ConfigurationError;
use super::place::Path;
use super::strict::{Members, Strict};

impl Configuration {
    /// Reads a plugin configuration. No bytes at all are `{}`, as Istio sends when there is none.
    ///
    /// # Errors
    /// The first [`ConfigurationError`], which names the path, what was found and what is expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let bytes = or_empty_object(bytes);
        read(bytes)?.build().map_err(|errors| {
            let first = errors.into_iter().next();
            let first = first.unwrap_or_else(|| ConfigurationError::whole("is refused"));
            first.placed(bytes)
        })
    }

    /// Reads a plugin configuration as [`Configuration::parse`] does, and accepts the same.
    ///
    /// # Errors
    /// All that can be found, at least one: the first thing that is wrong with each key of a top-level section, and
    /// everything that is wrong with the values of the others.
    pub fn parse_reporting_all(bytes: &[u8]) -> Result<Self, Vec<ConfigurationError>> {
        let bytes = or_empty_object(bytes);
        let errors = match read(bytes) {
            Ok(document) => match document.build() {
                Ok(configuration) => return Ok(configuration),
                Err(errors) => errors,
            },
            Err(first) => errors_of_sections(bytes, first),
        };
        Err(errors
            .into_iter()
            .map(|error| error.placed(bytes))
            .collect())
    }
}

fn or_empty_object(bytes: &[u8]) -> &[u8] {
    if bytes.is_empty() { b"{}" } else { bytes }
}

fn read(bytes: &[u8]) -> Result<Document, ConfigurationError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let document = serde_path_to_error::deserialize(Strict(&mut json));
    let document = document.map_err(|error| {
        let path = Path::from(error.path());
        ConfigurationError::of_json(bytes, path, error.inner())
    });
    let document = document.and_then(|document| {
        let end = json.end().map(|()| document);
        end.map_err(|error| ConfigurationError::of_json(bytes, Path::default(), &error))
    });
    document.map_err(|error| match is_struct(bytes) {
        true => ConfigurationError::whole(
            "found the protobuf bytes of a google.protobuf.Struct, \
             expected JSON in a google.protobuf.StringValue",
        ),
        false => error,
    })
}

/// Whether bytes that are not JSON are a `google.protobuf.Struct`, as Envoy hands one over: it begins with the tag of a
/// field 1, and has a field 2 with a value for each key. No text has that second byte.
fn is_struct(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x0a) && bytes.contains(&0x12)
}

/// The errors of the top-level sections and their keys, each read alone, and then those of the values of all that can be
/// read. `first` is what stopped the reading of the whole.
fn errors_of_sections(bytes: &[u8], first: ConfigurationError) -> Vec<ConfigurationError> {
    let Ok(sections) = serde_json::from_slice::<Members<&RawValue>>(bytes) else {
        return vec![first];
    };
    let mut alone = Alone::default();
    for (key, value) in sections.0 {
        match serde_json::from_str::<Members<&RawValue>>(value.get()) {
            Ok(members) if !members.0.is_empty() => alone.read_members(&key, members),
            Ok(_) | Err(_) => alone.read_whole(&key, value.get()),
        }
    }
    let readable = alone.readable.join(",");
    let mut errors = alone.errors;
    match read(format!("{{{readable}}}").as_bytes()).map(Document::build) {
        Ok(Err(values)) => errors.extend(values),
        // A key is there twice.
        Err(error) if error.without_place() == first.without_place() => errors.push(first),
        Err(error) => errors.push(error.without_its_place()),
        Ok(Ok(_)) if errors.is_empty() => errors.push(first),
        Ok(Ok(_)) => {}
    }
    errors
}

/// Pieces of a document, each read as if it were all.
#[derive(Default)]
struct Alone {
    readable: Vec<String>,
    errors: Vec<ConfigurationError>,
}

impl Alone {
    fn read_whole(&mut self, key: &str, value: &str) {
        let section = member(key, value);
        if self.is_readable(&section) {
            self.readable.push(section);
        }
    }

    fn read_members(&mut self, key: &str, members: Members<&RawValue>) {
        let members = members.0.iter();
        let members = members.map(|(key, value)| member(key, value.get()));
        let readable: Vec<_> = members
            .filter(|it| self.is_readable(&member(key, &format!("{{{it}}}"))))
            .collect();
        if !readable.is_empty() {
            let section = member(key, &format!("{{{}}}", readable.join(",")));
            self.readable.push(section);
        }
    }

    fn is_readable(&mut self, section: &str) -> bool {
        match read(format!("{{{section}}}").as_bytes()) {
            Ok(_) => true,
            Err(error) => {
                let error = error.without_its_place();
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
                false
            }
        }
    }
}

/// A key and its value in JSON.
fn member(key: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::Value::from(key))
}
