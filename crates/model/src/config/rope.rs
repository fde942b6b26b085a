//! How rotary frequencies are stretched for sequences longer than those first trained on.

use std::f64::consts::TAU;

use super::refuse;
use crate::error::{Error, Result};

/// A rule for stretching rotary frequencies.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Not stretched.
    None,
    /// All divided by the same factor.
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Slow turns divided by a factor, fast ones left alone, those between blended.
    ///
    /// # Source
    ///
    /// Llama 3.1, as released; Grattafiori et al., *The Llama 3 Herd of Models*, 2024,
    /// arXiv 2407.21783 tells of it without the formula.
    Llama3 {
        /// Divisor of the slow turns.
        factor: f64,
        /// Turns within the original context below which a frequency is slow.
        low_freq_factor: f64,
        /// Turns within the original context above which a frequency is fast.
        high_freq_factor: f64,
        /// The context before stretching.
        original_context: usize,
    },
}

impl RopeScaling {
    /// What one frequency, in radians a position, is divided by.
    pub fn divisor(&self, frequency: f64) -> f64 {
        match *self {
            RopeScaling::None => 1.0,
            RopeScaling::Linear { factor } => factor,
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                let turns = original_context as f64 * frequency / TAU;
                if turns > high_freq_factor {
                    1.0
                } else if turns < low_freq_factor {
                    factor
                } else {
                    let kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    1.0 / ((1.0 - kept) / factor + kept)
                }
            }
        }
    }

    /// Refuses numbers the formulae cannot work with.
    pub(super) fn check(&self) -> Result<()> {
        let (factor, low, high, original) = match *self {
            RopeScaling::None => return Ok(()),
            RopeScaling::Linear { factor } => (factor, 1.0, 2.0, 1),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                (factor, low_freq_factor, high_freq_factor, original_context)
            }
        };
        if !(factor.is_finite() && factor > 0.0) {
            return Err(refuse("rope scaling factor", factor, "a positive number"));
        }
        if !(low.is_finite() && high.is_finite() && low > 0.0 && low < high) {
            return Err(refuse(
                "rope scaling low_freq_factor",
                low,
                &format!("positive and less than {high}"),
            ));
        }
        if original == 0 {
            return Err(refuse("rope scaling original context", original, "at least 1"));
        }
        Ok(())
    }

    /// The rule behind a table of divisors, one for each frequency. GGUF stores the table and not
    /// the rule, so the rules in use are tried.
    pub(super) fn from_divisors(divisors: &[f32], theta: f64, head_width: usize) -> Result<RopeScaling> {
        // What a table in `f32`, computed in `f32` by the converter, may be off by.
        const TOLERANCE: f64 = 1e-4;
        let largest = divisors.iter().fold(1.0f32, |largest, divisor| largest.max(*divisor));
        let unknown = || Error::FieldUnsupported {
            field: "rope_freqs.weight".to_owned(),
            found: format!("a table of {} divisors up to {largest}", divisors.len()),
            expected: format!("{} divisors that follow a known rule of scaling", head_width / 2),
        };
        if divisors.len() != head_width / 2 {
            return Err(unknown());
        }
        let plain = frequencies(theta, head_width, &RopeScaling::None);
        let llama3 = RopeScaling::Llama3 {
            factor: largest.into(),
            low_freq_factor: 1.0,
            high_freq_factor: 4.0,
            original_context: 8192,
        };
        let fits = |rule: &RopeScaling| {
            divisors.iter().zip(&plain).all(|(divisor, frequency)| {
                (f64::from(*divisor) / rule.divisor(*frequency) - 1.0).abs() < TOLERANCE
            })
        };
        let linear = RopeScaling::Linear { factor: largest.into() };
        [RopeScaling::None, llama3, linear].into_iter().find(fits).ok_or_else(unknown)
    }
}

/// Radians a position turns each pair of a head by: theta^(−2i/E), divided as the rule says.
pub(super) fn frequencies(theta: f64, head_width: usize, scaling: &RopeScaling) -> Vec<f64> {
    let plain = |pair: usize| theta.powf(-2.0 * pair as f64 / head_width as f64);
    (0..head_width / 2).map(plain).map(|frequency| frequency / scaling.divisor(frequency)).collect()
}
