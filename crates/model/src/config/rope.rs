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
    /// Slow turns divided by a factor, fast ones left alone, those between blended by their place in
    /// the head; and all that is turned grows a little, which makes attention sharper.
    ///
    /// # Source
    ///
    /// Peng et al., *YaRN: Efficient Context Window Extension of Large Language Models*, 2023, arXiv
    /// 2309.00071, sections 3.2 and 3.4.
    Yarn {
        /// Divisor of the slow turns.
        factor: f64,
        /// Turns within the original context from which on a frequency is fast.
        beta_fast: f64,
        /// Turns within the original context up to which a frequency is slow.
        beta_slow: f64,
        /// The context before stretching.
        original_context: usize,
        /// Whether the places where blending begins and ends are made whole ones.
        truncate: bool,
        /// What cosines and sines are multiplied by, where it does not follow from the factor.
        attention_factor: Option<f64>,
    },
}

impl RopeScaling {
    /// What one frequency, in radians a position, is divided by; in [`RopeScaling::Yarn`] that is a
    /// matter of its place in the head as well, and [`super::Config::rope_frequencies`] tells.
    pub fn divisor(&self, frequency: f64) -> f64 {
        match *self {
            RopeScaling::None | RopeScaling::Yarn { .. } => 1.0,
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

    /// What cosines and sines are multiplied by.
    pub fn attention_factor(&self) -> f64 {
        match *self {
            RopeScaling::Yarn { attention_factor: Some(said), .. } => said,
            RopeScaling::Yarn { factor, .. } if factor > 1.0 => 0.1 * factor.ln() + 1.0,
            _ => 1.0,
        }
    }

    /// Refuses numbers the formulae cannot work with.
    pub(super) fn check(&self) -> Result<()> {
        if let Some(said) = Some(self.attention_factor()).filter(|x| !(x.is_finite() && *x > 0.0)) {
            return Err(refuse("rope scaling attention_factor", said, "a positive number"));
        }
        let (factor, low, high, original) = match *self {
            RopeScaling::None => return Ok(()),
            RopeScaling::Linear { factor } => (factor, 1.0, 2.0, 1),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => {
                (factor, low_freq_factor, high_freq_factor, original_context)
            }
            RopeScaling::Yarn { factor, beta_fast, beta_slow, original_context, .. } => {
                (factor, beta_slow, beta_fast, original_context)
            }
        };
        if !(factor.is_finite() && factor > 0.0) {
            return Err(refuse("rope scaling factor", factor, "a positive number"));
        }
        if !(low.is_finite() && high.is_finite() && low > 0.0 && low < high) {
            return Err(refuse(
                "rope scaling low_freq_factor or beta_slow",
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
    if let RopeScaling::Yarn { factor, .. } = *scaling {
        let kept = yarn_kept(theta, head_width, scaling);
        let blend = |(pair, kept): (usize, f64)| plain(pair) * ((1.0 - kept) / factor + kept);
        return kept.into_iter().enumerate().map(blend).collect();
    }
    (0..head_width / 2).map(plain).map(|frequency| frequency / scaling.divisor(frequency)).collect()
}

/// How much of each frequency YaRN leaves as it is: one where it is fast, zero where it is slow.
fn yarn_kept(theta: f64, head_width: usize, scaling: &RopeScaling) -> Vec<f64> {
    let RopeScaling::Yarn { beta_fast, beta_slow, original_context, truncate, .. } = *scaling else {
        return vec![1.0; head_width / 2];
    };
    let width = head_width as f64;
    // The place, counted in pairs, of the frequency that turns so often within the original context.
    let place = |turns: f64| width * (original_context as f64 / (turns * TAU)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (place(beta_fast), place(beta_slow));
    if truncate {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(width - 1.0));
    if low == high {
        high += 0.001;
    }
    (0..head_width / 2).map(|pair| 1.0 - ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `_compute_yarn_parameters` of transformers 5.24, at the numbers of gpt-oss-20b.
    #[test]
    fn frequencies_of_gpt_oss_are_those_of_transformers() {
        let scaling = RopeScaling::Yarn {
            factor: 32.0,
            beta_fast: 32.0,
            beta_slow: 1.0,
            original_context: 4096,
            truncate: false,
            attention_factor: None,
        };
        let found = frequencies(150_000.0, 64, &scaling);
        let expected = [
            (0, 1.0),
            (5, 0.15532298386096954),
            (8, 0.05081327259540558),
            (9, 0.031705696135759354),
            (12, 0.006794959306716919),
            (16, 0.0004564839182421565),
            (17, 0.00012931869423482567),
            (20, 1.818833698052913e-05),
            (31, 3.023511396804679e-07),
        ];
        for (pair, expected) in expected {
            assert!((found[pair] / expected - 1.0).abs() < 1e-5, "{pair}: {} {expected}", found[pair]);
        }
        assert!((scaling.attention_factor() - 1.346_573_590_279_972_6).abs() < 1e-12);
    }
}
