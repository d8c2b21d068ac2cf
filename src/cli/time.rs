//! Points in time: now, and as they are given on the command line.

use std::time::{SystemTime, UNIX_EPOCH};

use mtls_identity::certificate::Timestamp;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime};

/// Reads a time in RFC 3339, or a date, which is its first moment in UTC.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let moment = OffsetDateTime::parse(text, &Rfc3339).ok();
    let date = || Date::parse(text, &Iso8601::DATE).ok();
    let moment = moment.or_else(|| Some(date()?.midnight().assume_utc()));
    let moment = moment.ok_or("expected a time such as 2026-12-01T08:00:00Z, or a date")?;
    Ok(Timestamp::from_unix(moment.unix_timestamp()))
}

/// The time of this machine.
pub(super) fn now() -> Result<Timestamp, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the command's edge: here time is asked"
    )]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_err(|error| error.to_string())?.as_secs();
    let seconds = i64::try_from(seconds).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_unix(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_moment() {
        assert_eq!(moment("2026-12-01"), moment("2026-12-01T00:00:00Z"));
        assert_eq!(moment("2026-12-01T01:00:00+01:00"), moment("2026-12-01"));
        for text in ["", "tomorrow", "2026-13-01", "1764547200"] {
            let error = moment(text).unwrap_err();
            assert!(error.contains("expected a time such as"), "{text}: {error}");
        }
    }
}
