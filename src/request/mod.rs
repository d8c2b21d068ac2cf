//! The head of a request: header names, header values, the path.

mod head;
mod header_name;
mod mcp;
mod mcp_head;
mod path;
mod strict_json;

pub use head::{Field, RequestHead, write_map};
pub(crate) use header_name::{Fold, MARK, starts_with};
pub use header_name::{HeaderName, HeaderNameError};
#[cfg(test)]
pub(crate) use mcp::work as lowercase_work;
pub use mcp::{McpError, McpMessage};
pub use mcp_head::{McpHeadError, check_mcp_head, may_lack_body, mcp_headers_agree};
pub use path::RequestPath;
pub(crate) use path::{End, normal_form};
