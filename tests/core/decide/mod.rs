//! The filter: strip, decide, set.

pub(crate) mod decision;
mod headers;
mod mcp;
mod remembered;
