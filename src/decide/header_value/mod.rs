//! What stands in an identity header: which value of the certificate, and how its text is written.

mod text;
mod value;

pub use text::{HeaderEncoding, HeaderText};
pub use value::{HeaderSource, HeaderValue};
