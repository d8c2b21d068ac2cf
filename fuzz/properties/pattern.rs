//! Patterns of rules: a star at one end, and nothing else that is not itself.

use mtls_identity::rules::Pattern;

/// For any pattern and any text.
pub fn any_text(pattern: &str, text: &str) {
    let stars = pattern.matches('*').count();
    let is_at_an_end = pattern.starts_with('*') || pattern.ends_with('*');
    let parsed = Pattern::parse(pattern);
    let is_pattern = !pattern.is_empty() && (stars == 0 || (stars == 1 && is_at_an_end));
    assert_eq!(parsed.is_ok(), is_pattern, "{pattern:?}");
    let Ok(parsed) = parsed else {
        return;
    };
    let expected = match pattern {
        "*" => !text.is_empty(),
        _ => is_of(pattern.as_bytes(), text.as_bytes()),
    };
    assert_eq!(
        parsed.matches(text.as_bytes()),
        expected,
        "{pattern:?} {text:?}"
    );
}

/// A star stands for any bytes, or none; said a byte at a time.
fn is_of(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|start| is_of(rest, &text[start..])),
        ([one, pattern @ ..], [other, text @ ..]) => one == other && is_of(pattern, text),
        ([], []) => true,
        _ => false,
    }
}
