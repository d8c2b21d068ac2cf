//! Dates of the proleptic Gregorian calendar, which is that of ISO 8601, RFC 3339 and ASN.1.

/// A day by its year, month and day of the month, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_468;
/// After 400 years the calendar begins anew.
const DAYS_OF_ERA: i64 = 146_097;

impl Date {
    /// Days since 1970-01-01; none for a day that the calendar does not have. Years begin in March here, so that the
    /// day that some of them have more is their last.
    pub(crate) fn days(self) -> Option<i64> {
        let since_march = (self.month + 9) % 12;
        let year = self.year - since_march / 10;
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * since_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * DAYS_OF_ERA + day_of_era - DAYS_TO_EPOCH;
        (Self::from_days(days) == self).then_some(days)
    }

    /// The day so many days after 1970-01-01.
    pub(crate) fn from_days(days: i64) -> Self {
        let days = days + DAYS_TO_EPOCH;
        let (era, day_of_era) = (days.div_euclid(DAYS_OF_ERA), days.rem_euclid(DAYS_OF_ERA));
        let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
        let year_of_era = (day_of_era - leap_days) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let since_march = (5 * day_of_year + 2) / 153;
        Self {
            year: year_of_era + era * 400 + since_march / 10,
            month: (since_march + 2) % 12 + 1,
            day: day_of_year - (153 * since_march + 2) / 5 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    #[test]
    fn every_day_of_the_years_0_to_9999_is_that_of_another_calendar() {
        let first = Date {
            year: 0,
            month: 1,
            day: 1,
        }
        .days()
        .unwrap();
        let last = Date {
            year: 9999,
            month: 12,
            day: 31,
        }
        .days()
        .unwrap();
        for days in first..=last {
            let other = OffsetDateTime::from_unix_timestamp(days * 86_400).unwrap();
            let (year, month, day) = other.to_calendar_date();
            let date = Date {
                year: year.into(),
                month: u8::from(month).into(),
                day: day.into(),
            };
            assert_eq!(Date::from_days(days), date);
            assert_eq!(date.days(), Some(days));
        }
    }

    #[test]
    fn a_day_that_is_not_in_the_calendar_is_none() {
        for (year, month, day) in [
            (2023, 2, 29),
            (1900, 2, 29),
            (2024, 2, 30),
            (2024, 4, 31),
            (2024, 1, 0),
            (2024, 1, 32),
            (2024, 1, 99),
            (2024, 0, 1),
            (2024, 13, 1),
            (2024, 99, 1),
        ] {
            assert_eq!(
                Date { year, month, day }.days(),
                None,
                "{year}-{month}-{day}"
            );
        }
    }
}
