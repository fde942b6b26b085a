//! How fast a host is asked: no faster than the settings say, and no faster than the host does.

use std::time::Duration;

use penname_ledger::Timestamp;

use super::Answer;
use crate::when;

/// The longest pause that a window of requests is spread by, in milliseconds.
const MAX_SPREAD_MS: i64 = 10_000;
/// Numbers from this on are a point in time, not a number of seconds; and from the second on one in
/// milliseconds.
const POINT_FROM: f64 = 1e9;
const MILLIS_FROM: f64 = 1e11;

/// What a host says of how much it will still answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Requests left.
    remaining: f64,
    /// When there are new ones, in milliseconds since 1970.
    reset_ms: i64,
}

impl Window {
    /// Reads the headers of an answer, in the spellings there are.
    pub(super) fn of(answer: &Answer, now: Timestamp) -> Option<Self> {
        let number = |names: &[&str]| {
            let text = names.iter().find_map(|name| answer.header(name))?;
            text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 0.0)
        };
        if let Some(window) = Self::of_anthropic(answer) {
            return Some(window);
        }
        let remaining = number(&["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"])?;
        let reset = number(&["x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset"])?;
        let reset_ms = match reset {
            reset if reset >= MILLIS_FROM => reset as i64,
            reset if reset >= POINT_FROM => (reset * 1000.0) as i64,
            reset => now.ms().saturating_add((reset * 1000.0) as i64),
        };
        Some(Self { remaining, reset_ms })
    }

    /// A bucket that fills up all the time: only an empty one makes one wait.
    fn of_anthropic(answer: &Answer) -> Option<Self> {
        let kinds = ["requests", "tokens", "input-tokens", "output-tokens"];
        let empty = kinds.iter().filter_map(|kind| {
            let left = answer.header(&format!("anthropic-ratelimit-{kind}-remaining"))?;
            let reset = when::parse(answer.header(&format!("anthropic-ratelimit-{kind}-reset"))?)?;
            (left.trim().parse::<f64>().ok()? < 1.0).then(|| reset.saturating_mul(1000))
        });
        empty.max().map(|reset_ms| Self { remaining: 0.0, reset_ms })
    }

    /// When the host may be asked again so that what is left lasts until the window ends.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        let left = (self.reset_ms - now.ms()).max(0);
        let pause = match self.remaining {
            n if n < 1.0 => left,
            n => ((left as f64 / n) as i64).min(MAX_SPREAD_MS),
        };
        Timestamp::from_ms(now.ms().saturating_add(pause))
    }

    /// Whether it is used up.
    pub(super) fn is_empty(&self) -> bool {
        self.remaining < 1.0
    }
}

/// Moves a moment on.
pub(super) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_ms(moment.ms().saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
}

/// From one moment to a later one; nothing where it is past.
pub(super) fn until(now: Timestamp, moment: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(moment.ms().saturating_sub(now.ms())).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::super::address::Address;
    use super::*;

    fn check(headers: &[(&str, &str)], pause_ms: Option<i64>) {
        let answer = Answer {
            status: 200,
            headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            body: Vec::new(),
            address: Address::parse("https://a.test/").unwrap(),
        };
        let now = Timestamp::from_ms(1_700_000_000_000);
        let found = Window::of(&answer, now).map(|window| window.next(now).ms() - now.ms());
        assert_eq!(found, pause_ms, "{headers:?}");
    }

    #[test]
    fn what_is_left_is_spread_over_the_window() {
        check(&[("x-ratelimit-remaining", "300.0"), ("x-ratelimit-reset", "600")], Some(2000));
        check(&[("x-ratelimit-remaining", "2"), ("x-ratelimit-reset", "600")], Some(10_000));
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "600")], Some(600_000));
        check(&[("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1700000060")], Some(60_000));
        check(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "1700000005000")], Some(5000));
        check(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "-3")], None);
        check(&[("x-ratelimit-remaining", "many"), ("x-ratelimit-reset", "3")], None);
        check(&[("x-ratelimit-remaining", "5")], None);
        let anthropic = |left| {
            [
                ("anthropic-ratelimit-requests-remaining", left),
                ("anthropic-ratelimit-requests-reset", "2023-11-14T22:13:50Z"),
                ("anthropic-ratelimit-tokens-remaining", "40000"),
            ]
        };
        check(&anthropic("0"), Some(30_000));
        check(&anthropic("1"), None);
    }
}
