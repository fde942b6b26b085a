//! Intervals by drawing the documents again, with replacement.
//!
//! Each resample is a test set that might have been; the spread of a number
//! over the resamples is how far it can be trusted. Both models and the author
//! are measured on the same drawn documents, which is what makes the
//! differences paired.

use serde::{Deserialize, Serialize};

use super::estimate::Interval;
use super::normal::{MIN_DOCUMENTS, Z_95, student, upper_tail};
use super::random::Random;
use crate::Error;

/// How often to draw, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resampling {
    /// Test sets drawn per number.
    pub n_resamples: usize,
    /// Root seed; each number has its own named stream of it.
    pub seed: u64,
}

/// 2000 resamples: an end of a 95 % interval then varies by about 3 % of the interval's width.
impl Default for Resampling {
    fn default() -> Self {
        Self { n_resamples: 2000, seed: 0 }
    }
}

impl Resampling {
    /// # Errors
    ///
    /// [`Error::Resamples`] outside 200 to 1 000 000.
    pub(crate) fn check(self) -> Result<(), Error> {
        let (least, most) = (200, 1_000_000);
        if (least..=most).contains(&self.n_resamples) {
            return Ok(());
        }
        Err(Error::Resamples { found: self.n_resamples, least, most })
    }
}

/// Computes `N` statistics on each resample of `n` documents.
///
/// A statistic that is undefined on a resample, such as a share of no replies,
/// leaves no value for it. With no documents there are no values at all.
pub fn replicates<const N: usize>(
    n: usize,
    plan: Resampling,
    stream: &str,
    mut statistics: impl FnMut(&[usize]) -> [Option<f64>; N],
) -> [Vec<f64>; N] {
    let mut values = [const { Vec::new() }; N];
    if n == 0 {
        return values;
    }
    let mut random = Random::stream(plan.seed, stream);
    let mut drawn = vec![0; n];
    for _ in 0..plan.n_resamples {
        drawn.iter_mut().for_each(|document_idx| *document_idx = random.below(n));
        for (list, value) in values.iter_mut().zip(statistics(&drawn)) {
            list.extend(value);
        }
    }
    values
}

/// The 95 % interval of a statistic over `n` documents: percentiles, moved out for small `n`.
///
/// The plain percentile interval is too narrow for few documents (about 90 %
/// instead of 95 % for ten), so its two percentiles are taken further out, by
/// the ratio of Student's t to the normal distribution. None below
/// [`MIN_DOCUMENTS`], and none if all replicates agree: a value that never
/// varied, such as no copy in any document, says nothing about how much it could.
///
/// # Source
///
/// Hesterberg, "What teachers should know about the bootstrap", 2015,
/// arXiv 1411.5279, section 5.3 ("expanded percentile").
#[must_use]
pub fn interval(replicates: &[f64], n: usize) -> Option<Interval> {
    if n < MIN_DOCUMENTS {
        return None;
    }
    let mut sorted = replicates.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    // Sums of equal ratios in different order differ by rounding alone.
    if last - first <= 1e-12 * first.abs().max(last.abs()) {
        return None;
    }
    let n = n as f64;
    let tail = upper_tail((n / (n - 1.0)).sqrt() * student(Z_95, n - 1.0));
    Some(Interval { low: quantile(&sorted, tail), high: quantile(&sorted, 1.0 - tail) })
}

/// The standard error of a statistic over `n` documents, without the bootstrap's bias of `(n - 1) / n`.
#[must_use]
pub fn standard_error(replicates: &[f64], n: usize) -> Option<f64> {
    if n < MIN_DOCUMENTS || replicates.len() < 2 {
        return None;
    }
    let count = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / count;
    let squares: f64 = replicates.iter().map(|value| (value - mean) * (value - mean)).sum();
    let n = n as f64;
    Some((squares / (count - 1.0) * n / (n - 1.0)).sqrt())
}

/// The `p`-quantile of sorted values, interpolated linearly between neighbours.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let position = p * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(values: &[f64], drawn: &[usize]) -> [Option<f64>; 1] {
        [Some(drawn.iter().map(|&idx| values[idx]).sum::<f64>() / drawn.len() as f64)]
    }

    fn mean_interval(values: &[f64], seed: u64, n_resamples: usize) -> Option<Interval> {
        let plan = Resampling { n_resamples, seed };
        let [means] = replicates(values.len(), plan, "mean", |drawn| mean_of(values, drawn));
        interval(&means, values.len())
    }

    #[test]
    fn quantiles_match_numpy() {
        // numpy.quantile([1, 2, 4, 8], [0, .1, .5, .975, 1])
        let check = |p, expected: f64| assert!((quantile(&[1.0, 2.0, 4.0, 8.0], p) - expected).abs() < 1e-12);
        check(0.0, 1.0);
        check(0.1, 1.3);
        check(0.5, 3.0);
        check(0.975, 7.7);
        check(1.0, 8.0);
    }

    #[test]
    fn covers_the_true_mean_about_95_times_in_100() {
        // Squares of uniform values are skewed; their mean is 1/3.
        for n in [8, 30] {
            let trials = 400;
            let mut random = Random::stream(11, "simulation");
            let covered = (0..trials).filter(|&trial| {
                let unit = |bits: u64| (bits >> 11) as f64 / (1_u64 << 53) as f64;
                let values: Vec<f64> = (0..n).map(|_| unit(random.next_u64())).map(|u| u * u).collect();
                let interval = mean_interval(&values, trial, 400).unwrap();
                interval.low <= 1.0 / 3.0 && 1.0 / 3.0 <= interval.high
            });
            let share = covered.count() as f64 / trials as f64;
            // Three standard deviations of a share of 400 trials are 3.3 points; a skewed
            // sample of eight costs another point or two.
            assert!((0.91..=0.985).contains(&share), "{n} documents: {share}");
        }
    }

    #[test]
    fn too_little_to_tell_gives_no_interval() {
        assert_eq!(mean_interval(&[1.0, 2.0, 3.0, 4.0], 0, 400), None);
        assert_eq!(mean_interval(&[0.1; 9], 0, 400), None);
        assert_eq!(mean_interval(&[], 0, 400), None);
        assert!(mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0, 400).is_some());
    }

    #[test]
    fn standard_error_of_a_mean_is_the_textbook_one() {
        let values: Vec<f64> = (1..=20).map(f64::from).collect();
        let plan = Resampling { n_resamples: 20_000, seed: 3 };
        let [means] = replicates(20, plan, "mean", |drawn| mean_of(&values, drawn));
        // sd / sqrt(n) = sqrt(35 / 20); 20 000 resamples know it to about half a percent.
        let error = standard_error(&means, 20).unwrap();
        assert!((error / 1.75_f64.sqrt() - 1.0).abs() < 0.02, "{error}");
    }
}
