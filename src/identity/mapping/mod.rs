//! `identity.map`: from the name in a certificate to the user a gateway knows.

mod rule;
mod template;

pub use rule::{MapRule, MapSide, UnmappableError};
pub use template::MappingError;
