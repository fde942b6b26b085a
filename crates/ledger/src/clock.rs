//! The time of day and the time taken.
//!
//! The only place where a clock is read: whatever must not depend on time does not call it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Error;

const MS_PER_DAY: i64 = 86_400_000;

/// A moment in UTC to the millisecond, shown and stored as RFC 3339: `2026-11-21T06:31:05.120Z`.
///
/// Covers the years 0 to 9999, which are what RFC 3339 can spell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    ms_since_1970: i64,
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
pub fn now() -> Timestamp {
    // A clock before 1970 is set wrong; the earliest moment it could mean is as good as any.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Timestamp {
    /// The moment this many milliseconds after the start of 1970, moved into the years 0 to 9999.
    pub fn from_ms(ms_since_1970: i64) -> Self {
        let first = days_from_date(0, 1, 1) * MS_PER_DAY;
        let last = days_from_date(10_000, 1, 1) * MS_PER_DAY - 1;
        Self { ms_since_1970: ms_since_1970.clamp(first, last) }
    }

    /// Milliseconds since the start of 1970.
    pub fn ms(self) -> i64 {
        self.ms_since_1970
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
///
/// # Source
/// H. Hinnant, *chrono-compatible low-level date algorithms*, 2013, `days_from_civil`: years begin
/// in March so that the leap day is the last, and 400 years always have 146 097 days.
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The date this many days after 1970-01-01: the inverse of [`days_from_date`], same source.
fn date_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_from_days(self.ms_since_1970.div_euclid(MS_PER_DAY));
        let ms = self.ms_since_1970.rem_euclid(MS_PER_DAY);
        let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
        let (second, ms) = (ms / 1000 % 60, ms % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads exactly the form that is written.
    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).filter(|moment| moment.to_string() == text).ok_or_else(|| Error::BadName {
            name: text.to_owned(),
            expected: "a time such as `2026-11-21T06:31:05.120Z`",
        })
    }
}

/// The moment in a text of the right shape; what comes back may still be a 31st of February moved
/// into March, which the caller finds by writing it again.
fn parse(text: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days_from_date(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let minutes = number(11, 13)? * 60 + number(14, 16)?;
    let ms = (minutes * 60 + number(17, 19)?) * 1000 + number(20, 23)?;
    Some(Timestamp::from_ms(days * MS_PER_DAY + ms))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Time taken since it was started, on a clock that never jumps.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the function everyone else is sent to")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments_are_spelled_as_everyone_spells_them() {
        let check = |ms: i64, expected: &str| {
            assert_eq!(Timestamp::from_ms(ms).to_string(), expected);
            assert_eq!(expected.parse::<Timestamp>().unwrap(), Timestamp::from_ms(ms));
        };
        check(0, "1970-01-01T00:00:00.000Z");
        check(-1, "1969-12-31T23:59:59.999Z");
        check(951_782_400_000, "2000-02-29T00:00:00.000Z");
        check(1_000_000_000_123, "2001-09-09T01:46:40.123Z");
        check(4_107_542_399_999, "2100-02-28T23:59:59.999Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00.000Z");
        check(i64::MAX, "9999-12-31T23:59:59.999Z");
        check(i64::MIN, "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "",
            "2026-11-21",
            "2026-11-21T06:31:05Z",
            "2026-02-30T00:00:00.000Z",
            "2026-11-21T24:00:00.000Z",
            "2026-13-01T00:00:00.000Z",
            "2026-11-21T06:31:05.120+01:00",
            "2026-11-21T06:31:05.120Zx",
            "é026-11-21T06:31:05.120Z",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn now_is_after_this_was_written() {
        assert!(now() > "2026-01-01T00:00:00.000Z".parse().unwrap());
        let watch = Stopwatch::start();
        assert!(watch.seconds() >= 0.0 && watch.elapsed() < Duration::from_secs(600));
    }

    proptest! {
        #[test]
        fn text_goes_there_and_back_in_order(a: i64, b: i64) {
            let (a, b) = (Timestamp::from_ms(a % (1 << 47)), Timestamp::from_ms(b % (1 << 47)));
            prop_assert_eq!(a.to_string().parse::<Timestamp>().unwrap(), a);
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
