//! Where in a configuration something is: `pins["admin@example.com"][1]`.

/// One step of a path.
#[derive(Debug)]
pub(super) enum Segment {
    /// To the value of a key.
    Key(String),
    /// To an entry of a list, the first of which is 0.
    Index(usize),
}

/// The path whose last step comes first.
pub(super) fn written(reversed: &[Segment]) -> String {
    let mut text = String::new();
    for segment in reversed.iter().rev() {
        match segment {
            Segment::Index(index) => text.push_str(&format!("[{index}]")),
            Segment::Key(key) if is_plain(key) => {
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(&format!("{dot}{key}"));
            }
            Segment::Key(key) => text.push_str(&format!("[{key:?}]")),
        }
    }
    if text.is_empty() {
        text.push_str("configuration");
    }
    text
}

fn is_plain(key: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    key.starts_with(|first: char| first.is_ascii_lowercase()) && key.bytes().all(plain)
}
