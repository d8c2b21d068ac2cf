//! What a command ends with.

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
