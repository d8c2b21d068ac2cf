//! Distinguished names: what is written is printable ASCII, and says all that was read.

use mtls_identity::certificate::{DistinguishedName, parse_name};

/// For any bytes.
pub fn any_der(bytes: &[u8]) {
    if let Ok(name) = DistinguishedName::from_der(bytes) {
        is_written_so_that_it_can_be_read(&name);
    }
}

/// For a name of a certificate: the configuration, where a person writes what `inspect` prints, means it.
pub fn is_written_so_that_it_can_be_read(name: &DistinguishedName) {
    let text = name.to_string();
    assert!(
        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{text:?}"
    );
    if !name.is_empty() {
        assert_eq!(parse_name(&text), Ok(name.comparable()), "{text}");
    }
    assert_eq!(text.is_empty(), name.is_empty());
}

/// Short names of attribute types, with their OBJECT IDENTIFIER in DER.
pub const TYPES: [(&str, &[u8]); 6] = [
    ("CN", &[0x55, 4, 3]),
    ("SN", &[0x55, 4, 4]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    (
        "emailAddress",
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1],
    ),
    ("UID", &[9, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1]),
];

/// Relative distinguished names, each of (place in [`TYPES`], text).
pub type Structure = Vec<Vec<(usize, String)>>;

/// For any structure: the text of its name gives it back, so no two names have one text.
pub fn any_structure(structure: &Structure) {
    let der = encode(structure);
    let name = DistinguishedName::from_der(&der).expect("this is a name");
    is_written_so_that_it_can_be_read(&name);
    let text = name.to_string();
    assert_eq!(&decode(&text), structure, "{text}");
}

/// The DER, with UTF8Strings.
pub fn encode(structure: &Structure) -> Vec<u8> {
    let attribute = |(kind, text): &(usize, String)| {
        let (_, oid) = TYPES[*kind];
        element(0x30, &[element(6, &[oid]), element(12, &[text])])
    };
    let relative = |attributes: &Vec<(usize, String)>| {
        element(0x31, &attributes.iter().map(attribute).collect::<Vec<_>>())
    };
    element(0x30, &structure.iter().map(relative).collect::<Vec<_>>())
}

pub(super) fn element(tag: u8, contents: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let contents: Vec<u8> = contents.iter().flat_map(AsRef::as_ref).copied().collect();
    let [.., high, low] = contents.len().to_be_bytes();
    let length = match contents.len() {
        0..0x80 => vec![low],
        0x80..0x100 => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [vec![tag], length, contents].concat()
}

/// Reads the text as RFC 4514 section 3 does, in the one form that is written.
fn decode(text: &str) -> Structure {
    let mut structure = Structure::new();
    let mut rest = text.as_bytes();
    let mut joint = b',';
    while !rest.is_empty() {
        let equals = rest.iter().position(|&byte| byte == b'=').expect("a '='");
        let kind = TYPES
            .iter()
            .position(|(name, _)| name.as_bytes() == &rest[..equals]);
        let (value, behind) = take_value(&rest[equals + 1..]);
        let attribute = (kind.expect("a type"), value);
        match structure.first_mut() {
            // The last is written first, so what is read is put in front.
            Some(relative) if joint == b'+' => relative.insert(0, attribute),
            _ => structure.insert(0, vec![attribute]),
        }
        let Some((&separator, next)) = behind.split_first() else {
            break;
        };
        (joint, rest) = (separator, next);
    }
    structure
}

fn take_value(text: &[u8]) -> (String, &[u8]) {
    let mut value = Vec::new();
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        let (byte, next) = match (byte, take_hex(behind)) {
            (b',' | b'+', _) => break,
            (b'\\', Some(escaped)) => escaped,
            (b'\\', None) => (behind[0], &behind[1..]),
            _ => (byte, behind),
        };
        value.push(byte);
        rest = next;
    }
    (String::from_utf8(value).expect("UTF-8 was written"), rest)
}

fn take_hex(text: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |place: usize| char::from(*text.get(place)?).to_digit(16);
    let byte = digit(0)? * 16 + digit(1)?;
    Some((u8::try_from(byte).ok()?, text.get(2..)?))
}
