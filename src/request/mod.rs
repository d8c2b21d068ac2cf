//! The head of a request: header names, header values, the path.

mod head;
mod header_name;
mod path;

pub use head::{Field, RequestHead, write_map};
pub use header_name::{HeaderName, HeaderNameError};
pub(crate) use header_name::{has_folded_prefix, is_spelling_of};
pub use path::RequestPath;
