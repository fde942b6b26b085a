//! `strftime` for the one date a template may know.

use minijinja::{Error, ErrorKind};
use penname_ledger::Timestamp;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment in UTC, taken apart.
struct Civil {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    seconds: i64,
}

impl Civil {
    /// # Source
    /// Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
    fn of(at: Timestamp) -> Self {
        let seconds = at.ms().div_euclid(1000);
        let days = seconds.div_euclid(86_400);
        // Years begin in March here, so that the leap day is the last of its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 2 } else { shifted_month - 10 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 1),
            month: month as usize,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            weekday: (days + 4).rem_euclid(7) as usize,
            seconds: seconds.rem_euclid(86_400),
        }
    }

    fn hour12(&self) -> i64 {
        (self.seconds / 3600 + 11) % 12 + 1
    }
}

/// Writes a moment as `format` says. An unknown letter is an error: a prompt
/// with `%Q` in it would be trained on silently.
pub(super) fn format(at: Timestamp, format: &str) -> Result<String, Error> {
    let civil = Civil::of(at);
    let mut out = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        let mut directive = letters.next();
        let is_bare = directive == Some('-');
        if is_bare {
            directive = letters.next();
        }
        let written = directive.and_then(|directive| civil.write(directive)).ok_or_else(|| {
            let shown = directive.map(String::from).unwrap_or_default();
            Error::new(ErrorKind::InvalidOperation, format!("strftime_now does not know `%{shown}`"))
        })?;
        out.push_str(if is_bare { written.trim_start_matches('0') } else { &written });
        if is_bare && written.chars().all(|c| c == '0') {
            out.push('0');
        }
    }
    Ok(out)
}

impl Civil {
    fn write(&self, directive: char) -> Option<String> {
        let (hour, minute, second) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        Some(match directive {
            'Y' => self.year.to_string(),
            'y' => format!("{:02}", self.year.rem_euclid(100)),
            'm' => format!("{:02}", self.month + 1),
            'd' => format!("{:02}", self.day),
            'e' => format!("{:2}", self.day),
            'B' => MONTHS[self.month].to_owned(),
            'b' | 'h' => MONTHS[self.month][..3].to_owned(),
            'A' => DAYS[self.weekday].to_owned(),
            'a' => DAYS[self.weekday][..3].to_owned(),
            'H' => format!("{hour:02}"),
            'I' => format!("{:02}", self.hour12()),
            'p' => (if hour < 12 { "AM" } else { "PM" }).to_owned(),
            'M' => format!("{minute:02}"),
            'S' => format!("{second:02}"),
            'F' => format!("{}-{:02}-{:02}", self.year, self.month + 1, self.day),
            'T' => format!("{hour:02}:{minute:02}:{second:02}"),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(seconds: i64, pattern: &str, expected: &str) {
        let found = format(Timestamp::from_ms(seconds * 1000), pattern).unwrap();
        assert_eq!(found, expected, "{seconds} {pattern}");
    }

    #[test]
    fn known_moments() {
        check(0, "%A %d %B %Y, %H:%M:%S", "Thursday 01 January 1970, 00:00:00");
        check(951_782_400, "%d %b %Y", "29 Feb 2000");
        check(1_721_995_200, "%d %b %Y", "26 Jul 2024");
        check(1_721_995_200 + 46_800, "%-I %p %-m/%-d/%y %T %F %%", "1 AM 7/27/24 01:00:00 2024-07-27 %");
        check(-1, "%F %T %a", "1969-12-31 23:59:59 Wed");
        check(0, "%-M|%e", "0| 1");
    }

    #[test]
    fn unknown_letters_are_refused() {
        for pattern in ["%Q", "%", "%-"] {
            assert!(format(Timestamp::from_ms(0), pattern).is_err(), "{pattern}");
        }
    }
}
