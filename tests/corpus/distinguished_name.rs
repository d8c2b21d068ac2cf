//! A distinguished name as OpenSSL writes it with `-nameopt RFC2253`, taken apart and brought to the
//! writing of Envoy, whose BoringSSL knows fewer short names.

use data_encoding::HEXUPPER;

/// Attribute types for which OpenSSL has a short name and BoringSSL has none: its table is that of OpenSSL
/// 1.0.2 before these came in. Envoy, and so mtls-identity, writes them as an OBJECT IDENTIFIER with a value
/// in hexadecimal.
const SHORT_NAMES_OF_OPENSSL_ALONE: [(&str, &str); 3] = [
    // jurisdictionCountryName of the CA/Browser Forum's extended validation.
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3"),
    // The number of a Russian company, and of its tax file.
    ("OGRN", "1.2.643.100.1"),
    ("INN", "1.2.643.3.131.1.1"),
];

/// One attribute as it is written, and what joins it to the one before: nothing, `,` or `+`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attribute<'a> {
    joint: &'a str,
    kind: &'a str,
    value: &'a str,
}

/// Envoy's text of the name that OpenSSL writes as `text`. `dump` is OpenSSL's text of the same name with
/// `oid,dump_all`: all types as OBJECT IDENTIFIER, all values in hexadecimal.
pub(crate) fn as_envoy_writes_it(text: &str, dump: impl FnOnce() -> String) -> String {
    let attributes = attributes(text);
    let is_of_openssl_alone = |attribute: &Attribute<'_>| {
        let mut alone = SHORT_NAMES_OF_OPENSSL_ALONE.iter();
        alone.any(|(name, _)| *name == attribute.kind)
    };
    if !attributes.iter().any(is_of_openssl_alone) {
        return text.to_owned();
    }
    let dump = dump();
    let dumped = self::attributes(&dump);
    assert_eq!(attributes.len(), dumped.len(), "{text} {dump}");
    let pairs = attributes.into_iter().zip(dumped);
    let written = pairs.map(|(attribute, dumped)| {
        let here = (attribute.kind, dumped.kind);
        let is_alone = SHORT_NAMES_OF_OPENSSL_ALONE.contains(&here);
        let shown = if is_alone { dumped } else { attribute };
        format!("{}{}={}", shown.joint, shown.kind, shown.value)
    });
    written.collect()
}

/// The text, with the types and values of `dump` for those attributes of which this is said in the order of the DER. A `#`
/// that is all of a value is escaped, as RFC 2253 section 2.4 has it and Envoy: OpenSSL forgets it there.
pub(crate) fn with_dumped_types(text: &str, dump: &str, is_dumped: &[bool]) -> String {
    let (attributes, dumped) = (attributes(text), self::attributes(dump));
    assert_eq!(attributes.len(), is_dumped.len(), "{text}");
    assert_eq!(attributes.len(), dumped.len(), "{text} {dump}");
    let all = attributes.iter().zip(&dumped).zip(is_dumped.iter().rev());
    all.map(|((attribute, dumped), is_dumped)| {
        let shown = if *is_dumped { dumped } else { attribute };
        let value = if shown.value == "#" {
            r"\#"
        } else {
            shown.value
        };
        format!("{}{}={value}", shown.joint, shown.kind)
    })
    .collect()
}

/// The commonNames in the order of the DER, which is the reverse of the text.
pub(crate) fn common_names(text: &str) -> Vec<String> {
    let values = attributes(text).into_iter().rev();
    let values = values.filter(|attribute| attribute.kind == "CN");
    values.map(|attribute| unescaped(attribute.value)).collect()
}

fn attributes(text: &str) -> Vec<Attribute<'_>> {
    let mut joints = vec![0];
    let mut escaped = false;
    for (place, byte) in text.bytes().enumerate() {
        if matches!(byte, b',' | b'+') && !escaped {
            joints.push(place);
        }
        escaped = byte == b'\\' && !escaped;
    }
    joints.push(text.len());
    let pieces = joints.windows(2).map(|ends| &text[ends[0]..ends[1]]);
    pieces.filter_map(attribute).collect()
}

fn attribute(piece: &str) -> Option<Attribute<'_>> {
    let bare = piece.trim_start_matches([',', '+']);
    let (kind, value) = bare.split_once('=')?;
    let joint = &piece[..piece.len() - bare.len()];
    Some(Attribute { joint, kind, value })
}

/// RFC 4514 section 2.4, read backwards; a value in hexadecimal is no character string.
fn unescaped(value: &str) -> String {
    if value.starts_with('#') {
        return "(not a character string)".to_owned();
    }
    let mut bytes = Vec::new();
    let mut rest = value;
    while let Some((before, behind)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let behind = behind.as_bytes();
        let hex = behind.get(..2).and_then(|hex| HEXUPPER.decode(hex).ok());
        let length = if hex.is_some() { 2 } else { 1 };
        bytes.push(hex.map_or(behind[0], |hex| hex[0]));
        rest = &rest[before.len() + 1 + length..];
    }
    bytes.extend(rest.bytes());
    String::from_utf8(bytes).unwrap()
}

#[test]
fn openssls_text_is_taken_apart_at_the_right_places() {
    let text = r"CN=a\,b+OU=c\\,CN=\C3\A9=\+,jurisdictionC=DE,CN=#0500,CN=\#1";
    let common_names = common_names(text);
    let none = "(not a character string)";
    assert_eq!(common_names, ["#1", none, "\u{e9}=+", "a,b"]);
    let dump =
        "2.5.4.3=#1+2.5.4.11=#2,2.5.4.3=#3,1.3.6.1.4.1.311.60.2.1.3=#4,2.5.4.3=#5,2.5.4.3=#6";
    let expected = text.replace("jurisdictionC=DE", "1.3.6.1.4.1.311.60.2.1.3=#4");
    assert_eq!(as_envoy_writes_it(text, || dump.to_owned()), expected);
    assert_eq!(as_envoy_writes_it("", String::new), "");
}
