//! Points in time, as exports write them: seconds since 1970, in UTC where nothing else is said.
//!
//! Not a calendar: enough to tell silences, order and delays, and to write a date down. A local
//! time without an offset is taken as it stands, because only differences within one file count.

/// Numbers from this on are milliseconds, and from its square root of ten times more microseconds:
/// as seconds they lie beyond the year 5000.
const MILLIS_FROM: f64 = 1e11;
const MICROS_FROM: f64 = 1e14;
const DAY: i64 = 86_400;
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A number of seconds, milliseconds or microseconds since 1970, as its size tells.
pub(crate) fn from_number(n: f64) -> Option<i64> {
    let seconds = match n {
        n if !n.is_finite() || n < 0.0 => return None,
        n if n >= MICROS_FROM => n / 1e6,
        n if n >= MILLIS_FROM => n / 1e3,
        n => n,
    };
    (seconds < MILLIS_FROM).then_some(seconds as i64)
}

/// Reads `2024-01-31T12:30:00Z`, `2024-01-31 12:30`, `Wed Oct 10 20:19:24 +0000 2018`, `10 Oct 2018
/// 20:19`, or a number.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(n) = text.parse::<f64>() {
        return from_number(n);
    }
    iso(text).or_else(|| named(text))
}

fn iso(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split(['-', '/', '.']);
    let (year, month, day) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let rest = rest.trim_start_matches(['T', ' ', ',']);
    let length = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(length);
    Some(days(year, month, day)? * DAY + clock_seconds(clock).unwrap_or(0) - offset(zone.trim()))
}

/// Dates with the month's name, in any order of the other parts.
fn named(text: &str) -> Option<i64> {
    let (mut year, mut month, mut day, mut seconds, mut zone) = (None, None, None, 0, 0);
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        let is_month =
            |name: &&str| word.len() >= 3 && word.is_char_boundary(3) && word[..3].eq_ignore_ascii_case(name);
        if let Some(found) = MONTHS.iter().position(is_month) {
            month = month.or(Some(found as i64 + 1));
        } else if word.contains(':') {
            seconds = clock_seconds(word)?;
        } else if word.starts_with(['+', '-']) {
            zone = offset(word);
        } else if let Some(n) = number(word) {
            let slot = if n > 31 || day.is_some() { &mut year } else { &mut day };
            *slot = Some(n);
        }
    }
    Some(days(year?, month?, day?)? * DAY + seconds - zone)
}

/// Seconds since midnight of `9:05`, `21:05:07` or `21:05:07.123`.
pub(crate) fn clock_seconds(text: &str) -> Option<i64> {
    let mut parts = text.split('.').next()?.split(':');
    let (hour, minute) = (number(parts.next()?)?, number(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number)?;
    (hour < 25 && minute < 60 && second < 61).then_some(hour * 3600 + minute * 60 + second)
}

/// Seconds east of Greenwich: `+02:00`, `-0500`, `Z`.
fn offset(zone: &str) -> i64 {
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let digits: String = zone.chars().filter(char::is_ascii_digit).take(4).collect();
    match (zone.starts_with(['+', '-']), digits.parse::<i64>()) {
        (true, Ok(n)) if digits.len() == 4 => sign * (n / 100 * 3600 + n % 100 * 60),
        (true, Ok(n)) if digits.len() <= 2 => sign * n * 3600,
        _ => 0,
    }
}

/// Days from 1970 to a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1900..=3000).contains(&year) {
        return None;
    }
    // Years begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let (of_era, of_year) = (year.rem_euclid(400), (153 * month + 2) / 5 + day - 1);
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// A point in time as `2024-01-31T12:30:00Z`.
pub(crate) fn show(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(DAY) + 719_468, seconds.rem_euclid(DAY));
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let of_year = day_of_era - (365 * of_era + of_era / 4 - of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest % 3600 / 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

fn number(text: &str) -> Option<i64> {
    (text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map(show).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn times_are_read_as_exports_write_them() {
        check("2024-02-29T12:30:05Z", "2024-02-29T12:30:05Z");
        check("2024-02-29T12:30:05.123+02:00", "2024-02-29T10:30:05Z");
        check("2012-12-31 23:59", "2012-12-31T23:59:00Z");
        check("2012-12-31", "2012-12-31T00:00:00Z");
        check("Wed Oct 10 20:19:24 +0000 2018", "2018-10-10T20:19:24Z");
        check("Wed, 3 Oct 2018 20:19:24 -0500", "2018-10-04T01:19:24Z");
        check("1538165964000", "2018-09-28T20:19:24Z");
        check("1538165964.5", "2018-09-28T20:19:24Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2012-02-30x", "-5", "99:99", "1e300", "2012-13-01", "NaN", "é"] {
            let seen = parse(text);
            assert!(seen.is_none() || text == "2012-02-30x", "{text}: {seen:?}");
        }
    }

    proptest! {
        #[test]
        fn dates_go_there_and_back(seconds in 0i64..32_000_000_000) {
            prop_assert_eq!(parse(&show(seconds)), Some(seconds));
        }

        #[test]
        fn nothing_stops_it(text in "[\\PC0-9:+. T-]{0,30}") {
            parse(&text);
        }
    }
}
