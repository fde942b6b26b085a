//! Intervals for shares of replies, honest where nothing was found.
//!
//! A fault that occurred in none of forty replies may still occur in one of
//! fifteen; drawing the forty again cannot know that, a score interval does.

use super::estimate::{Contrast, Estimate, Interval};
use super::normal::Z_95;
use super::ratio::{Cluster, Ratio, total};

/// The 95 % score interval of the share `p` found in `n` independent cases.
///
/// With several replies per document, `n` is the documents: at worst the
/// replies to one document are all alike.
///
/// # Source
///
/// Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
#[must_use]
pub fn wilson(p: f64, n: usize) -> Option<Interval> {
    if n == 0 {
        return None;
    }
    let n = n as f64;
    let z2 = Z_95 * Z_95;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 * ((p * (1.0 - p) + z2 / (4.0 * n)) / n).sqrt() / (1.0 + z2 / n);
    Some(Interval { low: (centre - half).max(0.0).min(p), high: (centre + half).min(1.0).max(p) })
}

/// The 95 % interval of `later - earlier`, from the intervals of both.
///
/// Treats the two as independent; pairing would narrow it a little.
///
/// # Source
///
/// Newcombe, "Interval estimation for the difference between independent
/// proportions", 1998, method 10.
#[must_use]
pub fn difference(earlier: &Estimate, later: &Estimate) -> Option<Interval> {
    let (a, b) = (earlier.interval?, later.interval?);
    let change = later.value - earlier.value;
    let hypotenuse = |x: f64, y: f64| (x * x + y * y).sqrt();
    Some(Interval {
        low: change - hypotenuse(later.value - b.low, a.high - earlier.value),
        high: change + hypotenuse(b.high - later.value, earlier.value - a.low),
    })
}

/// Compares shares of replies, in percent.
#[must_use]
pub fn contrast(clusters: &[Cluster]) -> Contrast {
    let sum = total(clusters);
    let share = |ratio: Ratio, of: fn(&Cluster) -> Ratio| {
        let n_documents = clusters.iter().filter(|cluster| of(cluster).under > 0.0).count();
        let value = ratio.value()?;
        Some(Estimate { value, interval: wilson(value, n_documents), n_documents })
    };
    let base = share(sum.base, |cluster| cluster.base);
    let tuned = share(sum.tuned, |cluster| cluster.tuned);
    let author = share(sum.author, |cluster| cluster.author);
    let beside = share(sum.beside_author, |cluster| cluster.beside_author);
    let change = |from: Option<Estimate>, to: Option<Estimate>| {
        let (from, to) = (from?, to?);
        Some(Estimate { value: to.value - from.value, interval: difference(&from, &to), ..to })
    };
    let percent = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.scaled(100.0));
    Contrast {
        author: percent(author),
        base: percent(base),
        tuned: percent(tuned),
        difference: percent(change(base, tuned)),
        from_author: percent(change(author, beside)),
        detectable: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_scipy() {
        // scipy.stats.binomtest(k, n).proportion_ci(method="wilson")
        let check = |k: f64, n: usize, low: f64, high: f64| {
            let found = wilson(k / n as f64, n).unwrap();
            assert!((found.low - low).abs() < 1e-9 && (found.high - high).abs() < 1e-9, "{found:?}");
        };
        check(0.0, 40, 0.0, 0.087_621_601_197_286_62);
        check(3.0, 40, 0.025_836_025_774_588_198, 0.198_642_335_243_105_43);
        check(40.0, 40, 0.912_378_398_802_713_3, 1.0);
        assert_eq!(wilson(0.0, 0), None);
    }

    #[test]
    fn newcombe_example() {
        // 56/70 against 48/80 in Newcombe's table II, method 10: 0.0524 to 0.3339.
        let share = |k: f64, n: usize| {
            let value = k / n as f64;
            Estimate { value, interval: wilson(value, n), n_documents: n }
        };
        let found = difference(&share(48.0, 80), &share(56.0, 70)).unwrap();
        assert!((found.low - 0.0524).abs() < 5e-5 && (found.high - 0.3339).abs() < 5e-5, "{found:?}");
    }
}
