//! Signed certificate timestamps in a certificate: RFC 6962 section 3, in the notation of TLS.

/// Whether bytes are a SignedCertificateTimestampList with at least one entry, all of version 1 by their form. Who
/// signed them, and how, is not asked.
pub(crate) fn is_timestamp_list(bytes: &[u8]) -> bool {
    let Some((mut list, [])) = split_vector(bytes) else {
        return false;
    };
    loop {
        match split_vector(list) {
            Some((timestamp, [])) => return is_timestamp(timestamp),
            Some((timestamp, rest)) if is_timestamp(timestamp) => list = rest,
            _ => return false,
        }
    }
}

/// SignedCertificateTimestamp, section 3.2: version, log, time, extensions, and a signature behind its algorithms.
fn is_timestamp(bytes: &[u8]) -> bool {
    const VERSION_LOG_AND_TIME: usize = 1 + 32 + 8;
    const ALGORITHMS: usize = 2;
    let extensions = bytes.get(VERSION_LOG_AND_TIME..).and_then(split_vector);
    let signature = extensions.and_then(|(_, rest)| split_vector(rest.get(ALGORITHMS..)?));
    matches!(signature, Some((_, [])))
}

/// A vector of at most 2^16-1 bytes behind its length (RFC 5246 section 4.3), and what follows it.
fn split_vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(bytes: &[u8]) -> Vec<u8> {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length, bytes].concat()
    }

    #[test]
    fn a_list_is_its_timestamps_to_the_last_byte() {
        let head = [7; 41];
        let timestamp = [&head[..], &vector(b"x"), &[4, 3], &vector(b"signature")].concat();
        let longer = [&timestamp[..], &[0]].concat();
        let shorter = &timestamp[..timestamp.len() - 1];
        let one = vector(&timestamp);
        for (list, expected) in [
            (one.clone(), true),
            ([&one[..], &one].concat(), true),
            (vec![], false),
            (vec![0, 0], false),
            (vector(&longer), false),
            (vector(shorter), false),
            (vector(&head), false),
            ([&one[..], &[0]].concat(), false),
            ([&one[..], &vector(b"x")].concat(), false),
        ] {
            assert_eq!(is_timestamp_list(&vector(&list)), expected, "{list:?}");
        }
        assert!(!is_timestamp_list(&one));
        assert!(!is_timestamp_list(&[vector(&one), vec![0]].concat()));
        assert!(!is_timestamp_list(&[]));
    }
}
