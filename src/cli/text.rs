//! Text for a terminal.

/// Text in quotes, in which white space at an end, control characters and characters without a width can be seen.
pub(super) fn quoted(text: &str) -> String {
    // A backslash is not doubled: RFC 4514 text has its own.
    let shown = |character: char| match character {
        '\\' | '"' | '\'' => character.to_string(),
        other => other.escape_debug().to_string(),
    };
    format!("\"{}\"", text.chars().map(shown).collect::<String>())
}
