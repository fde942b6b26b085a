//! Numbers as a reader wants them: rounded, with their interval.

use crate::stat::estimate::{Estimate, Interval};

/// What a table shows where nothing could be measured.
pub(crate) const MISSING: &str = "-";

/// `value` with `decimals` digits after the point and never a negative zero.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

/// Like [`fixed`], with a plus sign if it rises.
pub(crate) fn signed(value: f64, decimals: usize) -> String {
    let text = fixed(value, decimals);
    let rises = value > 0.0 && text.chars().any(|c| matches!(c, '1'..='9'));
    if rises { format!("+{text}") } else { text }
}

/// `1.052 (1.010 to 1.093)`.
pub(crate) fn estimate(estimate: Option<Estimate>, decimals: usize) -> String {
    with(estimate, |value| fixed(value, decimals))
}

/// `-0.158 (-0.190 to -0.120)`.
pub(crate) fn change(estimate: Option<Estimate>, decimals: usize) -> String {
    with(estimate, |value| signed(value, decimals))
}

fn with(estimate: Option<Estimate>, show: impl Fn(f64) -> String) -> String {
    match estimate {
        None => MISSING.to_owned(),
        Some(Estimate { value, interval: None, .. }) => show(value),
        Some(Estimate { value, interval: Some(Interval { low, high }), .. }) => {
            format!("{} ({} to {})", show(value), show(low), show(high))
        }
    }
}

/// `1 document`, `2 documents`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ => format!("{n} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_and_signs() {
        let check = |value: f64, fixed_text: &str, signed_text: &str| {
            assert_eq!((fixed(value, 2).as_str(), signed(value, 2).as_str()), (fixed_text, signed_text));
        };
        check(1.239, "1.24", "+1.24");
        check(-0.001, "0.00", "0.00");
        check(0.001, "0.00", "0.00");
        check(-0.01, "-0.01", "-0.01");
        check(0.0, "0.00", "0.00");
    }

    #[test]
    fn estimates_and_counts() {
        let interval = Some(Interval { low: -0.25, high: 0.5 });
        let found = Estimate { value: 0.0, interval, n_documents: 9 };
        assert_eq!(change(Some(found), 1), "0.0 (-0.2 to +0.5)");
        assert_eq!(estimate(None, 1), "-");
        assert_eq!((count(1, "reply").as_str(), count(0, "reply").as_str()), ("1 reply", "0 replies"));
        assert_eq!(count(2, "document"), "2 documents");
    }
}
