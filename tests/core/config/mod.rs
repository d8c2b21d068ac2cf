//! A filter from JSON.

pub(crate) mod configuration;
mod schema;
