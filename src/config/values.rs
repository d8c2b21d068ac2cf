//! The strings of the plugin configuration that no other room reads. Each function says in its error what was found
//! and what is expected.

use crate::certificate::{self, ComparableName};
use crate::encoding::bytes_of_written_hex;
use crate::identity::is_token;
use crate::limit::{Burst, MAXIMUM_REQUESTS};
use crate::request::RequestPath;
use crate::rules::{Pattern, comparable, sha256_of_hex};
use serde_json::Number;

/// The whole path of requests, without a query.
pub(super) fn exact_path(text: String) -> Result<String, String> {
    match is_path(&text) && !text.contains('*') {
        true => Ok(text),
        false => Err(format!(
            "found {text:?}, expected a whole path such as \"/health\""
        )),
    }
}

fn is_path(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    text.starts_with('/') && visible && !text.contains(['?', '#'])
}

/// A path, or a pattern of paths.
pub(super) fn path_pattern(text: String) -> Result<Pattern, String> {
    let pattern = Pattern::parse(&text).map_err(|error| error.to_string())?;
    if pattern == Pattern::Anything {
        return Ok(pattern);
    }
    if !is_path(text.strip_prefix('*').unwrap_or(&text)) {
        return Err(format!(
            "found {text:?}, expected a path such as \"/mcp\" or \"/servers/*\""
        ));
    }
    // A pattern is in normal form if some path that fits it is: one with text in the place of the star.
    let end = text.strip_prefix('*');
    let fitting = [
        Some(text.replace('*', "x")),
        end.map(|end| format!("/x{end}")),
    ];
    let mut fitting = fitting.iter().flatten();
    match fitting.any(|path| RequestPath::of(path.as_bytes()).is_normal()) {
        true => Ok(pattern),
        false => Err(format!("found {text:?}, expected a path in normal form")),
    }
}

/// The name of a rule in records.
pub(super) fn rule_name(text: String) -> Result<String, String> {
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    match (1..=64).contains(&text.len()) && printable {
        true => Ok(text),
        false => Err(format!(
            "found {text:?}, expected 1 to 64 characters of ASCII"
        )),
    }
}

/// An organizationName as it is compared: X.520 compares without case.
pub(super) fn organization(text: String) -> Result<String, &'static str> {
    match text.is_empty() {
        true => Err("found \"\", expected an organization"),
        false => Ok(comparable(&text)),
    }
}

/// A method in upper case.
pub(super) fn method(text: String) -> Result<String, String> {
    match is_token(&text) && !text.contains('*') {
        true => Ok(text.to_ascii_uppercase()),
        false => Err(format!("found {text:?}, expected a method such as \"GET\"")),
    }
}

/// The SHA-256 of a certificate, in every usual writing: with colons or none, with `sha256:` before it or nothing.
pub(super) fn fingerprint(text: String) -> Result<[u8; 32], String> {
    let digits = without_prefix(&text, "sha256:");
    sha256_of_hex(digits).ok_or_else(|| format!("found {text:?}, expected 64 hexadecimal digits"))
}

/// The name of an issuer.
pub(super) fn issuer(text: String) -> Result<ComparableName, String> {
    certificate::parse_name(&text).map_err(|error| format!("found {text:?}: {error}"))
}

/// A serial number without leading zeros, in every usual writing: with colons or none, with `0x` before it or nothing.
pub(super) fn serial_number(text: String) -> Result<Vec<u8>, String> {
    let digits = without_prefix(&text, "0x");
    let even = match digits.len() % 2 == 1 && !digits.contains(':') {
        true => format!("0{digits}"),
        false => digits.to_owned(),
    };
    match bytes_of_written_hex(&even) {
        Some(bytes) if !bytes.is_empty() => Ok(certificate::magnitude(&bytes).to_vec()),
        _ => Err(format!("found {text:?}, expected hexadecimal digits")),
    }
}

/// The text behind a prefix that may be there, in any case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> &'a str {
    match text.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
        _ => text,
    }
}

/// How many requests may come at once.
pub(super) fn burst(number: &Number) -> Result<Burst, String> {
    let count = number.as_u64().and_then(|count| u32::try_from(count).ok());
    let burst = count.and_then(|count| Burst::try_from(count).ok());
    burst.ok_or_else(|| {
        format!("found {number}, expected a whole number from 0 to {MAXIMUM_REQUESTS}")
    })
}
