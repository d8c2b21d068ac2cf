//! OBJECT IDENTIFIERs (X.690 section 8.19), without tag and length.

/// Whether bytes are one, each of its numbers in the shortest form.
pub(crate) fn is_oid(bytes: &[u8]) -> bool {
    let mut inside = false;
    let is_shortest = bytes.iter().all(|&byte| {
        let begins_with_nothing = !inside && byte == 0x80;
        inside = byte & 0x80 != 0;
        !begins_with_nothing
    });
    is_shortest && !inside && !bytes.is_empty()
}

/// In dotted decimal; none for bytes that are not one, and for a number above 2^64.
pub(crate) fn dotted(bytes: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    let mut inside = false;
    for &byte in bytes {
        if (!inside && byte == 0x80) || arc > u64::MAX >> 7 {
            return None;
        }
        arc = arc << 7 | u64::from(byte & 0x7f);
        inside = byte & 0x80 != 0;
        if !inside {
            arcs.push(std::mem::take(&mut arc));
        }
    }
    let (&first, rest) = arcs.split_first().filter(|_| !inside)?;
    let root = (first / 40).min(2);
    let text = format!("{root}.{}", first - root * 40);
    Some(rest.iter().fold(text, |text, arc| format!("{text}.{arc}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_identifier_is_written_in_dotted_decimal() {
        for (oid, expected) in [
            (&[0x2a, 0x86, 0x48][..], Some("1.2.840")),
            (&[0x88, 0x37], Some("2.999")),
            (&[], None),
            (&[0x2a, 0x86], None),
            (&[0x2a, 0x80, 1], None),
            (&[0x2a, 0x80], None),
            (&[0xff; 12], None),
        ] {
            assert_eq!(is_oid(oid), expected.is_some());
            assert_eq!(dotted(oid).as_deref(), expected, "{oid:02x?}");
        }
    }
}
