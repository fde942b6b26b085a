//! How large a difference is, and how large it must be to be seen.

use serde::{Deserialize, Serialize};

use super::normal::{MIN_DOCUMENTS, Z_95, Z_POWER, student};

/// A difference in units of how much it varies from document to document.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Mean difference over documents, each counting once.
    pub mean: f64,
    /// Standard deviation of the difference over documents.
    pub deviation: f64,
    /// `mean / deviation`, shrunk for few documents; 0.2 is small, 0.5 medium, 0.8 large.
    pub standardised: f64,
    /// Documents compared.
    pub n_documents: usize,
}

/// The paired effect of one difference per document; none for fewer than two or without variation.
///
/// # Source
///
/// Cohen's d for pairs with the small-sample factor `1 - 3 / (4 df - 1)` of
/// Hedges, "Distribution theory for Glass's estimator of effect size", 1981.
#[must_use]
pub fn paired(differences: &[f64]) -> Option<Effect> {
    if differences.len() < 2 {
        return None;
    }
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|d| (d - mean) * (d - mean)).sum();
    let deviation = (squares / (n - 1.0)).sqrt();
    if deviation <= 1e-12 * mean.abs() {
        return None;
    }
    let shrink = 1.0 - 3.0 / (4.0 * (n - 1.0) - 1.0);
    Some(Effect { mean, deviation, standardised: mean / deviation * shrink, n_documents: differences.len() })
}

/// The smallest true change that `n` documents show in four of five test sets.
///
/// `deviation` is the standard deviation of the change from document to
/// document: the standard error times the square root of the documents it came
/// from. Two-sided at 5 %, power 80 %. None below [`MIN_DOCUMENTS`].
#[must_use]
pub fn detectable(deviation: f64, n: usize) -> Option<f64> {
    if n < MIN_DOCUMENTS {
        return None;
    }
    let df = (n - 1) as f64;
    Some((student(Z_95, df) + student(Z_POWER, df)) * deviation / (n as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let effect = paired(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((effect.mean, effect.deviation), (2.0, 1.0));
        assert!((effect.standardised - 2.0 * (1.0 - 3.0 / 7.0)).abs() < 1e-12);
        assert_eq!(paired(&[0.5]), None);
        assert_eq!(paired(&[0.5, 0.5, 0.5]), None);
    }

    #[test]
    fn detectable_matches_the_noncentral_t() {
        // Effect size that a two-sided paired t-test finds with power 0.8, from scipy.stats.nct.
        for (n, expected) in [(10, 0.9962), (20, 0.6604), (50, 0.4042), (150, 0.2302)] {
            let found = detectable(1.0, n).unwrap();
            // The sum of two t points leaves out the skew of the noncentral t.
            assert!((found / expected - 1.0).abs() < 0.02, "{n}: {found}");
        }
        assert_eq!(detectable(1.0, 4), None);
    }
}
