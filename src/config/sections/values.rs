//! The strings of the plugin configuration that no other room reads. Each function says in its error what was found
//! and what is expected.

use crate::certificate::{self, ComparableName, SerialNumber};
use crate::identity::is_token;
use crate::limit::{Burst, MAXIMUM_REQUESTS};
use crate::rules::{MAXIMUM_MAX_BODY, comparable_group, sha256_of_hex};
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

/// A key of Envoy's dynamic metadata.
pub(super) fn metadata_key(text: String) -> Result<String, String> {
    // In the path of an attribute a NUL would begin another key.
    match text.is_empty() || text.contains('\0') {
        true => Err(format!(
            "found {text:?}, expected a key such as \"jwt_payload\""
        )),
        false => Ok(text),
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

/// An organizationName or an organizationalUnitName as it is compared: X.520 compares without case.
pub(super) fn group(text: String) -> Result<String, &'static str> {
    match text.is_empty() {
        true => Err("found \"\", expected an organization"),
        false => Ok(comparable_group(&text)),
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

/// The name of an issuer. OpenSSL prints a name from its other end, so [`either_order`] is what is meant.
pub(super) fn issuer(text: String) -> Result<ComparableName, String> {
    certificate::parse_name(&text).map_err(|error| format!("found {text:?}: {error}"))
}

/// A name as it is written, and from its other end.
pub(super) fn either_order(name: ComparableName) -> [ComparableName; 2] {
    [name.iter().rev().cloned().collect(), name]
}

/// The serial numbers that a text can mean: hexadecimal with its sign, with colons or none, with `0x` before it or nothing.
/// Digits only could also be decimal, as `openssl x509 -text` prints them: then both are meant.
pub(super) fn serial_numbers(text: String) -> Result<Vec<SerialNumber>, String> {
    let numbers = SerialNumber::readings(&text);
    match numbers.is_empty() {
        true => Err(format!("found {text:?}, expected hexadecimal digits")),
        false => Ok(numbers),
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

/// The longest body that is read, in bytes.
pub(super) fn max_body(number: &Number) -> Result<usize, String> {
    let bytes = number
        .as_u64()
        .and_then(|bytes| usize::try_from(bytes).ok());
    let bytes = bytes.filter(|bytes| (1..=MAXIMUM_MAX_BODY).contains(bytes));
    bytes.ok_or_else(|| {
        format!("found {number}, expected a whole number from 1 to {MAXIMUM_MAX_BODY}")
    })
}
