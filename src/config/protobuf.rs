//! The one thing that is known of protobuf here: what a `google.protobuf.Struct` looks like.

/// Whether bytes are a `google.protobuf.Struct`: nothing but entries of `fields = 1`, each of which begins
/// with its `key = 1`. Envoy hands a Struct in a plugin's configuration over in this form.
pub(crate) fn is_struct(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        match take_field_1(rest) {
            Some((entry, behind)) if take_field_1(entry).is_some() => rest = behind,
            _ => return false,
        }
    }
    !bytes.is_empty()
}

/// A field with number 1 and a length: its contents and the rest.
fn take_field_1(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = bytes.strip_prefix(&[0x0a])?;
    let mut length = 0_usize;
    for shift in [0, 7, 14, 21] {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_known_from_json() {
        // {"identity": {"missing": "strip"}}, as protobuf writes it.
        let nested = b"\n\x0b\n\x07missing\x12\x00";
        let entry = [b"\n\x08identity\x12\x0f\x2a\x0d", &nested[..]].concat();
        let bytes = [&[0x0a, u8::try_from(entry.len()).unwrap()], &entry[..]].concat();
        assert!(is_struct(&bytes));
        for json in [
            &b""[..],
            b"{}",
            b"\n{}",
            b"\n\n{\"a\": 1}",
            b"\n",
            b"\n\x02\x12\x00",
        ] {
            assert!(!is_struct(json), "{json:?}");
        }
    }
}
