//! What the commands read: certificates and texts, in files and on the standard input.

mod input;
mod kind;
mod text_file;

pub(super) use input::{
    certificate, check_standard_input, der_blocks, find_certificate, name, read,
};
pub(super) use text_file::TextFile;
