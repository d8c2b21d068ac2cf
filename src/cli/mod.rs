//! The commands, one module each, and what several of them need.

mod because;
mod certificate_report;
pub(crate) mod check;
mod configurations;
pub(crate) mod doctor;
pub(crate) mod explain;
mod input;
pub(crate) mod inspect;
mod kind;
mod layout;
pub(crate) mod pages;
pub(crate) mod pin;
pub(crate) mod revoke;
pub(crate) mod schema;
pub(crate) mod text;
mod text_file;
mod time;
pub(crate) mod verify;
mod warnings;

/// What a command ends with.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// For the standard output.
    pub(crate) output: String,
    /// For the standard error, one line each.
    pub(crate) notes: Vec<String>,
    /// The exit code.
    pub(crate) code: u8,
}

impl Finished {
    /// Success with this output.
    pub(crate) fn with(output: String) -> Self {
        Self {
            output,
            ..Self::default()
        }
    }

    /// An error in one line, or in several.
    pub(crate) fn failed(code: u8, lines: String) -> Self {
        Self {
            notes: lines.lines().map(str::to_owned).collect(),
            code,
            ..Self::default()
        }
    }
}
