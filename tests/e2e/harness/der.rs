//! DER (X.690) as a test wants it: also what no certificate authority would write.

use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const TELETEX_STRING: u8 = 0x14;
pub(crate) const IA5_STRING: u8 = 0x16;
pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
pub(crate) const BMP_STRING: u8 = 0x1e;

/// One element: tag, length in the shortest form, content.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    if length < 0x80 {
        der.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let octets = significant(&octets);
        der.push(0x80 | octets.len() as u8);
        der.extend(octets);
    }
    der.extend(content);
    der
}

pub(crate) fn sequence(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &elements.concat())
}

/// In the order given: DER would sort, which is one of the things to get wrong.
pub(crate) fn set(elements: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &elements.concat())
}

/// A number that is not negative.
pub(crate) fn integer(big_endian: &[u8]) -> Vec<u8> {
    let mut octets = significant(big_endian).to_vec();
    if octets.first().is_none_or(|first| first & 0x80 != 0) {
        octets.insert(0, 0);
    }
    element(0x02, &octets)
}

pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    element(0x03, &[&[0], octets].concat())
}

pub(crate) fn octet_string(octets: &[u8]) -> Vec<u8> {
    element(0x04, octets)
}

/// From dotted decimal.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    let arcs: Vec<u64> = dotted.split('.').map(|arc| arc.parse().unwrap()).collect();
    let mut content = base128(arcs[0] * 40 + arcs[1]);
    for arc in &arcs[2..] {
        content.extend(base128(*arc));
    }
    element(0x06, &content)
}

/// `[number]`, constructed.
pub(crate) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// `[number] IMPLICIT`, primitive.
pub(crate) fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    element(0x80 | number, content)
}

/// UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 §4.1.2.5).
pub(crate) fn time(time: SystemTime) -> Vec<u8> {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let clock = seconds % 86_400;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    let rest = format!("{month:02}{day:02}{hour:02}{minute:02}{second:02}Z");
    if year < 2050 {
        element(0x17, format!("{:02}{rest}", year % 100).as_bytes())
    } else {
        element(0x18, format!("{year:04}{rest}").as_bytes())
    }
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn base128(mut arc: u64) -> Vec<u8> {
    let mut octets = vec![(arc & 0x7f) as u8];
    while arc > 0x7f {
        arc >>= 7;
        octets.insert(0, 0x80 | (arc & 0x7f) as u8);
    }
    octets
}

fn significant(big_endian: &[u8]) -> &[u8] {
    let zeros = big_endian.iter().take_while(|octet| **octet == 0).count();
    &big_endian[zeros..]
}
