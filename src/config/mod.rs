//! The plugin configuration: JSON in, a filter out, or one line that says what is wrong where.
//!
//! A pure function of its bytes: Envoy configures each worker on its own, and a worker that refused
//! what the first one accepted would run without the filter.

mod configuration;
mod document;
mod error;
mod parse;
mod place;
#[cfg(feature = "cli")]
mod schema;
mod sections;
mod strict;

pub use configuration::Configuration;
pub use error::ConfigurationError;
pub use place::{Path, Place, Seek, Step};
