//! Moments as values: the core never asks a clock.

use std::fmt;

use crate::certificate::calendar::Date;
use crate::certificate::der::{Element, tag};

/// Whole seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

const SECONDS_OF_DAY: i64 = 86_400;

impl Timestamp {
    /// The moment so many seconds after the epoch.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// A Time of RFC 5280 section 4.1.2.5, to the second and in UTC; none for any other form, and for a moment that
    /// does not exist.
    pub(crate) fn from_der(time: Element<'_>) -> Option<Self> {
        let mut pairs = time.contents.strip_suffix(b"Z")?.chunks(2).map(two_digits);
        let mut next = || pairs.next().flatten();
        let century = match time.tag {
            tag::UTC_TIME => None,
            tag::GENERALIZED_TIME => Some(next()?),
            _ => return None,
        };
        let year = next()?;
        let century = century.unwrap_or(if year < 50 { 20 } else { 19 });
        let (year, month, day) = (century * 100 + year, next()?, next()?);
        let (hour, minute, second) = (next()?, next()?, next()?);
        if pairs.next().is_some() || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let days = Date { year, month, day }.days()?;
        let minutes = hour * 60 + minute;
        Some(Self(days * SECONDS_OF_DAY + minutes * 60 + second))
    }
}

fn two_digits(digits: &[u8]) -> Option<i64> {
    match digits {
        &[tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        }
        _ => None,
    }
}

/// RFC 3339 in UTC, such as `2026-03-01T12:00:00Z`; the seconds themselves outside the years 0 to 9999,
/// which no certificate can name.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = self.0.div_euclid(SECONDS_OF_DAY);
        let Date { year, month, day } = Date::from_days(days);
        if !(0..=9999).contains(&year) {
            return write!(f, "@{}", self.0);
        }
        let seconds = self.0.rem_euclid(SECONDS_OF_DAY);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "@253402300800"),
            (-62_167_219_200, "0000-01-01T00:00:00Z"),
            (-62_167_219_201, "@-62167219201"),
            (-1, "1969-12-31T23:59:59Z"),
            (i64::MAX, "@9223372036854775807"),
            (i64::MIN, "@-9223372036854775808"),
        ] {
            assert_eq!(Timestamp::from_unix(seconds).to_string(), expected);
        }
    }

    fn read(tag: u8, contents: &str) -> Option<String> {
        let contents = contents.as_bytes();
        let raw = contents;
        let time = Timestamp::from_der(Element { tag, contents, raw });
        time.map(|time| time.to_string())
    }

    #[test]
    fn times_are_read_to_the_second_and_in_utc() {
        for (contents, expected) in [
            ("700101000000Z", "1970-01-01T00:00:00Z"),
            ("491231235959Z", "2049-12-31T23:59:59Z"),
            ("500101000000Z", "1950-01-01T00:00:00Z"),
            ("000229120000Z", "2000-02-29T12:00:00Z"),
        ] {
            assert_eq!(read(tag::UTC_TIME, contents).as_deref(), Some(expected));
        }
        for (contents, expected) in [
            ("99991231235959Z", "9999-12-31T23:59:59Z"),
            ("20000229000000Z", "2000-02-29T00:00:00Z"),
            ("00000101000000Z", "0000-01-01T00:00:00Z"),
        ] {
            let time = read(tag::GENERALIZED_TIME, contents);
            assert_eq!(time.as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_time_of_another_form_or_that_does_not_exist_is_none() {
        for contents in [
            "",
            "Z",
            "260301120000",
            "2603011200Z",
            "260301120000+0000",
            "260301120000.5Z",
            "2603011200000Z",
            "26030112000aZ",
            "26 301120000Z",
            "20260301120000Z",
            "261301120000Z",
            "260001120000Z",
            "260230120000Z",
            "260300120000Z",
            "260301240000Z",
            "260301126000Z",
            "260301120060Z",
        ] {
            assert_eq!(read(tag::UTC_TIME, contents), None, "{contents}");
        }
        for (tag, contents) in [
            (tag::GENERALIZED_TIME, "260301120000Z"),
            (tag::GENERALIZED_TIME, "19000229000000Z"),
            (tag::GENERALIZED_TIME, "20260301120000.0Z"),
            (tag::UTF8_STRING, "260301120000Z"),
        ] {
            assert_eq!(read(tag, contents), None, "{contents}");
        }
    }
}
