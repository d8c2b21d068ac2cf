//! The plugin configuration: JSON in, policy out, or one line that says what is wrong where.
//!
//! A pure function of its bytes: Envoy configures each worker on its own, and a worker that refused
//! what the first one accepted would run without the filter.

use std::fmt;
use thiserror::Error;

mod build;
mod document;
mod json;
mod path;
mod protobuf;
mod read;
#[cfg(feature = "cli")]
mod schema;
mod strings;
mod values;
mod visitor;

use crate::config::protobuf::is_struct;
use crate::decide::Filter;
use crate::report::AuditRules;

use document::Document;

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What is done with every request.
    pub filter: Filter,
    /// What is written down.
    pub audit: AuditRules,
}

/// Why a configuration is refused: one line.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ConfigurationError {
    path: String,
    message: String,
}

impl ConfigurationError {
    fn at(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            path: path.into(),
            message: message.to_string(),
        }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = format!("{}: {}", self.path, self.message);
        line.chars().try_for_each(|character| {
            if character.is_control() {
                write!(f, "{}", character.escape_default())
            } else {
                write!(f, "{character}")
            }
        })
    }
}

impl Configuration {
    /// Reads a plugin configuration. No bytes at all are `{}`, as Istio sends when there is none.
    ///
    /// # Errors
    /// [`ConfigurationError`] names the path, what was found and what is expected.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        match read(bytes) {
            Ok(document) => document.into_configuration(),
            Err(_) if is_struct(bytes) => Err(whole(
                "found the protobuf bytes of a google.protobuf.Struct, \
                 expected JSON in a google.protobuf.StringValue",
            )),
            Err(error) => Err(error),
        }
    }
}

fn read(bytes: &[u8]) -> Result<Document, ConfigurationError> {
    let mut document = None;
    visitor::read(bytes, &mut document)?;
    document.ok_or_else(|| whole("found nothing, expected an object"))
}

fn whole(message: impl fmt::Display) -> ConfigurationError {
    ConfigurationError::at("configuration", message)
}
