//! The text of distinguished names, RFC 4514: written as Envoy writes it, and read from people (section 3) to be compared
//! with the names of certificates.

use std::fmt::{self, Write};

use thiserror::Error;

use super::attribute_type::AttributeType;
use super::distinguished_name::{
    Attribute, AttributeValue, ComparableName, ComparableValue, DistinguishedName,
};
use crate::encoding::bytes_of_hex;

/// RFC 4514 in the one form Envoy's own subject string has: last RelativeDistinguishedName first, the
/// attributes of a multi-valued one reversed as well, bytes outside ASCII as `\XX`, types without a
/// short name as `oid=#hex`. Always printable ASCII.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for relative in self.relative.iter().rev() {
            for attribute in relative.iter().rev() {
                f.write_str(separator)?;
                write_attribute(f, attribute)?;
                separator = "+";
            }
            separator = ",";
        }
        Ok(())
    }
}

fn write_attribute(f: &mut fmt::Formatter<'_>, attribute: &Attribute) -> fmt::Result {
    let Some(name) = attribute.kind.short_name() else {
        write!(f, "{}=", attribute.kind.dotted())?;
        return write_hex(f, &attribute.der);
    };
    write!(f, "{name}=")?;
    match &attribute.value {
        AttributeValue::Text(text) | AttributeValue::Latin1(text) => write_escaped(f, text),
        AttributeValue::Other => write_hex(f, &attribute.der),
    }
}

/// RFC 4514 section 2.4.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let last = text.len().saturating_sub(1);
    for (index, byte) in text.bytes().enumerate() {
        let at_an_end = byte == b' ' && (index == 0 || index == last);
        match byte {
            0..0x20 | 0x7f.. => write!(f, "\\{byte:02X}")?,
            b',' | b'+' | b'<' | b'>' | b';' | b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
            b'#' if index == 0 => f.write_str("\\#")?,
            b' ' if at_an_end => f.write_str("\\ ")?,
            _ => f.write_char(char::from(byte))?,
        }
    }
    Ok(())
}

fn write_hex(f: &mut fmt::Formatter<'_>, der: &[u8]) -> fmt::Result {
    f.write_char('#')?;
    der.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
}

/// Why text is no distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameTextError {
    /// Not `type=value` between the separators.
    #[error("expected type=value, separated by ','")]
    NotTypeAndValue,
    /// A type that has no such short name and is no OBJECT IDENTIFIER.
    #[error("{0:?} is no attribute type; expected the text that `mtls-identity inspect` prints")]
    Type(String),
    /// Text for a type that has no short name.
    #[error("a text for {0}; expected '#' and hexadecimal, as `mtls-identity inspect` prints it")]
    Dotted(String),
    /// A backslash that escapes nothing.
    #[error("a '\\' that escapes nothing")]
    Escape,
    /// A character that RFC 4514 wants escaped.
    #[error("{0:?} without a '\\' before it")]
    Unescaped(char),
    /// A `#` without the hexadecimal DER of a value behind it.
    #[error("a '#' without hexadecimal behind it")]
    Hexadecimal,
}

/// Reads the text of a distinguished name. Case, white space around separators, the way of escaping and
/// the order inside a multi-valued RelativeDistinguishedName make no difference.
///
/// # Errors
/// [`NameTextError`] says what is wrong with the text.
pub fn parse(text: &str) -> Result<ComparableName, NameTextError> {
    let mut name = vec![Vec::new()];
    let mut rest = text.as_bytes();
    loop {
        let (attribute, separator, behind) = take_attribute(rest)?;
        if let Some(last) = name.last_mut() {
            last.push(attribute);
        }
        match separator {
            None => break,
            Some(b',') => name.push(Vec::new()),
            Some(_) => {}
        }
        rest = behind;
    }
    name.iter_mut().for_each(|attributes| attributes.sort());
    Ok(name)
}

type Taken<'a> = ((String, ComparableValue), Option<u8>, &'a [u8]);

/// An attribute, the separator behind it (`,` or `+`; none at the end), and the rest.
fn take_attribute(text: &[u8]) -> Result<Taken<'_>, NameTextError> {
    let equals = text.iter().position(|&byte| byte == b'=');
    let (kind, value) = equals
        .and_then(|place| text.split_at_checked(place))
        .ok_or(NameTextError::NotTypeAndValue)?;
    let kind = String::from_utf8_lossy(kind.trim_ascii()).into_owned();
    let kind = AttributeType::comparable_name(&kind).ok_or(NameTextError::Type(kind))?;
    let value = value.get(1..).unwrap_or_default().trim_ascii_start();
    let (value, separator, behind) = match value.split_first() {
        Some((b'#', digits)) => take_hexadecimal(digits)?,
        Some((b'"', quoted)) => take_quoted(quoted)?,
        _ => take_text(value)?,
    };
    let value = comparable(&kind, value)?;
    Ok(((kind, value), separator, behind))
}

/// A type without a short name has its value in hexadecimal (RFC 4514 section 2.4); a text of any other is
/// the same in either form.
fn comparable(kind: &str, value: ComparableValue) -> Result<ComparableValue, NameTextError> {
    let is_dotted = kind.starts_with(|first: char| first.is_ascii_digit());
    match value {
        ComparableValue::Text(_) if is_dotted => Err(NameTextError::Dotted(kind.to_owned())),
        ComparableValue::Text(text) => Ok(ComparableValue::Text(text)),
        ComparableValue::Der(der) if is_dotted => Ok(ComparableValue::Der(der)),
        ComparableValue::Der(der) => Ok(match AttributeValue::from_der(&der) {
            Ok(AttributeValue::Text(text) | AttributeValue::Latin1(text)) => {
                ComparableValue::Text(text.into_bytes().to_ascii_lowercase())
            }
            Ok(AttributeValue::Other) | Err(_) => ComparableValue::Der(der),
        }),
    }
}

type Value<'a> = (ComparableValue, Option<u8>, &'a [u8]);

fn take_hexadecimal(text: &[u8]) -> Result<Value<'_>, NameTextError> {
    let end = text.iter().position(|byte| matches!(byte, b',' | b'+'));
    let (digits, behind) = text
        .split_at_checked(end.unwrap_or(text.len()))
        .ok_or(NameTextError::Hexadecimal)?;
    let der = bytes_of_hex(digits.trim_ascii_end())
        .filter(|der| !der.is_empty())
        .ok_or(NameTextError::Hexadecimal)?;
    let (separator, behind) = split_separator(behind);
    Ok((ComparableValue::Der(der), separator, behind))
}

/// The quotes that OpenSSL puts around a value (RFC 2253 section 4).
fn take_quoted(text: &[u8]) -> Result<Value<'_>, NameTextError> {
    let mut value = Vec::new();
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = match byte {
            b'"' => {
                let (separator, behind) = split_separator(behind.trim_ascii_start());
                if !matches!(separator, None | Some(b',' | b'+')) {
                    return Err(NameTextError::Unescaped('"'));
                }
                return Ok((ComparableValue::Text(value), separator, behind));
            }
            b'\\' => unescape(behind, &mut value)?,
            _ => {
                value.push(byte.to_ascii_lowercase());
                behind
            }
        };
    }
    Err(NameTextError::Unescaped('"'))
}

fn take_text(text: &[u8]) -> Result<Value<'_>, NameTextError> {
    let mut value = Vec::new();
    // Spaces at the end belong to the value only where they are escaped.
    let mut end = 0;
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        match byte {
            b',' | b'+' => break,
            b'\\' => {
                rest = unescape(behind, &mut value)?;
                end = value.len();
                continue;
            }
            b'"' | b';' | b'<' | b'>' => return Err(NameTextError::Unescaped(char::from(byte))),
            _ => value.push(byte.to_ascii_lowercase()),
        }
        if byte != b' ' {
            end = value.len();
        }
        rest = behind;
    }
    value.truncate(end);
    let (separator, behind) = split_separator(rest);
    Ok((ComparableValue::Text(value), separator, behind))
}

/// RFC 4514 section 3: a special character, or two hexadecimal digits.
fn unescape<'a>(text: &'a [u8], value: &mut Vec<u8>) -> Result<&'a [u8], NameTextError> {
    let (&first, behind) = text.split_first().ok_or(NameTextError::Escape)?;
    if b"\"+,;<>\\ #=".contains(&first) {
        value.push(first);
        return Ok(behind);
    }
    let (digits, behind) = text.split_at_checked(2).ok_or(NameTextError::Escape)?;
    let bytes = bytes_of_hex(digits);
    value.extend(bytes.ok_or(NameTextError::Escape)?.to_ascii_lowercase());
    Ok(behind)
}

fn split_separator(text: &[u8]) -> (Option<u8>, &[u8]) {
    match text.split_first() {
        Some((&separator, behind)) => (Some(separator), behind),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_writings_of_one_name_are_equal() {
        let expected = parse(r"CN=Example\, Inc. CA,OU=a+O=b").unwrap();
        for text in [
            r"cn=example\, inc. ca,ou=a+o=b",
            r"CN=Example\2c Inc. CA , O = b + OU = a",
            r"2.5.4.3=Example\, Inc. CA,OU=a+O=b",
        ] {
            assert_eq!(parse(text), Ok(expected.clone()), "{text}");
        }
        for text in [
            r"OU=a+O=b,CN=Example\, Inc. CA",
            r"CN=Example\, Inc. CA,OU=a,O=b",
        ] {
            assert_ne!(parse(text), Ok(expected.clone()), "{text}");
        }
    }

    #[test]
    fn values_are_unescaped() {
        let value = |text: &str| match parse(text).unwrap().remove(0).remove(0) {
            (_, ComparableValue::Text(bytes)) => String::from_utf8(bytes).unwrap(),
            (_, ComparableValue::Der(der)) => format!("{der:?}"),
        };
        for (text, expected) in [
            ("CN=", ""),
            ("CN=a b ", "a b"),
            (r"CN=\ a\ ", " a "),
            (r"CN=\C3\A9", "\u{e9}"),
            ("CN=\u{e9}", "\u{e9}"),
            (r"CN=\#a", "#a"),
            ("CN=a=b", "a=b"),
            ("1.2.3=#0C0178", "[12, 1, 120]"),
            ("CN=#0C0158", "x"),
            (r#"CN = "a, b\"c" "#, "a, b\"c"),
            (r#"CN="""#, ""),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_says_why() {
        for (text, expected) in [
            ("", NameTextError::NotTypeAndValue),
            ("CN", NameTextError::NotTypeAndValue),
            ("CN=a,", NameTextError::NotTypeAndValue),
            ("CN=a;O=b", NameTextError::Unescaped(';')),
            ("CN=\"a", NameTextError::Unescaped('"')),
            ("CN=\"a\"b", NameTextError::Unescaped('"')),
            ("CN=a\"b", NameTextError::Unescaped('"')),
            ("2.5.4.97=a", NameTextError::Dotted("2.5.4.97".to_owned())),
            ("E=a", NameTextError::Type("E".to_owned())),
            ("=a", NameTextError::Type(String::new())),
            ("/C=DE/CN=a", NameTextError::Type("/C".to_owned())),
            (r"CN=a\", NameTextError::Escape),
            (r"CN=a\x", NameTextError::Escape),
            (r"CN=a\c", NameTextError::Escape),
            ("CN=#", NameTextError::Hexadecimal),
            ("CN=#xy", NameTextError::Hexadecimal),
        ] {
            assert_eq!(parse(text), Err(expected), "{text}");
        }
    }
}
