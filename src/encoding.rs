//! Base16 and base64 of RFC 4648, in the one way this project writes and reads them; and text for people and without its case.

use base16ct::{lower, mixed};
use base64ct::{Base64, Base64UrlUnpadded, Encoding};

/// Lower case hexadecimal (RFC 4648 section 8).
pub fn hex(bytes: &[u8]) -> String {
    lower::encode_string(bytes)
}

/// Hexadecimal of either case, two digits a byte.
pub fn bytes_of_hex(digits: &[u8]) -> Option<Vec<u8>> {
    mixed::decode_vec(digits).ok()
}

/// Hexadecimal as people and OpenSSL write it: of either case, with colons between the bytes or none.
pub fn bytes_of_written_hex(text: &str) -> Option<Vec<u8>> {
    let digits = match text.contains(':') {
        true if text.split(':').any(|byte| byte.len() != 2) => return None,
        true => text.replace(':', ""),
        false => text.to_owned(),
    };
    bytes_of_hex(digits.as_bytes())
}

/// Base64 with padding (RFC 4648 section 4).
pub fn base64(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Base64 with padding, and with no bit set that encodes nothing (RFC 4648 section 3.5).
pub fn bytes_of_base64(text: &[u8]) -> Option<Vec<u8>> {
    Base64::decode_vec(std::str::from_utf8(text).ok()?).ok()
}

/// Base64url without padding (RFC 4648 section 5), and with no bit set that encodes nothing.
pub fn bytes_of_base64url(text: &[u8]) -> Option<Vec<u8>> {
    Base64UrlUnpadded::decode_vec(std::str::from_utf8(text).ok()?).ok()
}

/// Text without quotes, whose control characters are shown and not sent: a terminal obeys them.
pub fn visible(text: &str) -> String {
    let visible = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(visible).collect()
}

/// Text without its letter case, a letter at a time, so that a piece of a text is folded as it is in the whole. (The lower
/// case of a capital sigma depends on what follows it: here a final sigma is a sigma.)
pub fn without_case(text: &str) -> String {
    let one_sigma = |letter| if letter == 'ς' { 'σ' } else { letter };
    text.chars()
        .flat_map(char::to_lowercase)
        .map(one_sigma)
        .collect()
}
