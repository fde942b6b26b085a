//! How fast somebody decides, and so how long the rest will take.
//!
//! Taken from the times of decisions in the record: the time from one to the next is what the second one
//! took. Whoever goes for tea decides nothing meanwhile, so long pauses are left out.

use super::Review;

/// Seconds after which a decision did not take that long: somebody was away.
const AWAY_S: f64 = 180.0;
/// Decisions looked at: the last ones say how it goes now.
const LAST: usize = 60;
/// Times between decisions below which nothing is said.
const FEWEST: usize = 4;

/// Seconds a decision of `reviewer` takes, of late; nothing where too few were taken.
pub fn pace(review: &Review, reviewer: Option<&str>) -> Option<f64> {
    let own = review.order.iter().rev().filter(|taken| taken.reviewer.as_deref() == reviewer);
    let times: Vec<i64> = own.take(LAST + 1).map(|taken| taken.at.ms()).collect();
    of(&times)
}

/// The mean of what lies between neighbours, latest first. The mean, not the median: a few examples take
/// long, and they are part of the work.
fn of(times: &[i64]) -> Option<f64> {
    let between = times.windows(2).map(|pair| (pair[0] - pair[1]) as f64 / 1000.0);
    let worked: Vec<f64> = between.filter(|seconds| (0.0..=AWAY_S).contains(seconds)).collect();
    (worked.len() >= FEWEST).then(|| worked.iter().sum::<f64>() / worked.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_no_work() {
        let seconds = |times: &[i64]| of(&times.iter().map(|s| s * 1000).collect::<Vec<_>>());
        assert_eq!(seconds(&[40, 30, 25, 10, 0]), Some(10.0));
        // An hour between the second and the third.
        assert_eq!(seconds(&[3640, 3630, 30, 25, 10, 0]), Some(10.0));
        assert_eq!(seconds(&[20, 10, 0]), None);
        // A clock that was set back counts for nothing.
        assert_eq!(seconds(&[5, 900, 890, 880, 870, 860]), Some(10.0));
    }
}
