//! How numbers are shown, everywhere the same.

/// A count with its thousands parted: `1 234 567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (idx, digit) in digits.chars().enumerate() {
        if idx > 0 && (digits.len() - idx).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}

/// A signed count: `-12`.
pub(crate) fn signed(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    format!("{sign}{}", count(n.unsigned_abs()))
}

/// A count and its noun: `1 file`, `12 files`.
pub(crate) fn of(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A size: `98.4 KiB`.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration: `0.3 s`, `42 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown time".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A share of a hundred: `12.34 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{share:.2} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_parted_in_threes() {
        let check = |n, expected: &str| assert_eq!(count(n), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1 000");
        check(1_234_567, "1 234 567");
        assert_eq!(signed(-1234), "-1 234");
        assert_eq!(signed(i64::MIN), "-9 223 372 036 854 775 808");
        assert_eq!(of(1, "file", "files"), "1 file");
        assert_eq!(of(0, "file", "files"), "0 files");
    }

    #[test]
    fn sizes_and_durations_have_units() {
        let check = |n, expected: &str| assert_eq!(bytes(n), expected);
        check(1023, "1023 B");
        check(1024, "1.0 KiB");
        check((1 << 20) - 1, "1.0 MiB");
        check(98_362_432, "93.8 MiB");
        check(u64::MAX, "16384.0 PiB");
        let check = |seconds, expected: &str| assert_eq!(duration(seconds), expected);
        check(0.04, "0.0 s");
        check(9.99, "10 s");
        check(59.6, "1 min 0 s");
        check(7500.0, "2 h 5 min");
        check(f64::NAN, "unknown time");
    }
}
