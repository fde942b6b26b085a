//! What follows from the size of a new model: its learning rate, how much a step reads, and how long
//! it is worth training.
//!
//! Rules of thumb, each with its source. A person's own numbers stand above them; whoever asks for
//! these says so and why.

/// Tokens for each weight at which a model of a given cost is best.
const TOKENS_PER_WEIGHT: u64 = 20;
/// Positions of a step for the square of the depth, before they are rounded down to a power of two.
const STEP_PER_DEPTH: usize = 64;
const STEP_TOKENS: std::ops::RangeInclusive<usize> = 2048..=65_536;

/// The highest learning rate of a model with so many numbers in its layers, to two digits.
///
/// # Source
/// Kaplan et al., "Scaling Laws for Neural Language Models", 2020, arXiv 2001.08361, equation D.1;
/// held between the rates that were tried there.
pub fn learning_rate(n_layer_weights: u64) -> f64 {
    let rate = 0.003_239 - 0.000_139_5 * (n_layer_weights.max(1) as f64).ln();
    let digits = 10_f64.powf(rate.clamp(1e-4, 2e-3).log10().floor() - 1.0);
    (rate.clamp(1e-4, 2e-3) / digits).round() * digits
}

/// Tokens of an optimizer step. Small models learn from small steps, and on a processor more steps are
/// worth more than smoother ones.
pub fn step_tokens(depth: usize) -> usize {
    let most = (STEP_PER_DEPTH * depth * depth).max(1);
    (1_usize << most.ilog2()).clamp(*STEP_TOKENS.start(), *STEP_TOKENS.end())
}

/// How often a text of so many tokens is read by a model of so many weights, at most `repeats` times,
/// and why.
///
/// # Source
/// Twenty tokens a weight from Hoffmann et al., "Training Compute-Optimal Large Language Models",
/// 2022, arXiv 2203.15556; what repeating a text is worth from Muennighoff et al., "Scaling
/// Data-Constrained Language Models", 2023, arXiv 2305.16264: four times nearly as much as new text,
/// after sixteen little is left.
pub fn epochs(n_weights: u64, n_tokens: u64, repeats: f64) -> (f64, String) {
    let wanted = TOKENS_PER_WEIGHT.saturating_mul(n_weights) as f64 / n_tokens.max(1) as f64;
    if wanted <= repeats {
        let reason =
            format!("{TOKENS_PER_WEIGHT} tokens for each of {n_weights} weights, from {n_tokens} tokens");
        return (wanted.max(0.01), reason);
    }
    let reason = format!(
        "{n_weights} weights would take {wanted:.0} passes over {n_tokens} tokens; what is read again teaches \
         less each time"
    );
    (repeats, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_fall_with_size_and_have_two_digits() {
        let check = |n, expected: f64| assert!((learning_rate(n) - expected).abs() < 1e-9, "{n}");
        check(5_971_968, 1.1e-3);
        check(85_000_000, 6.9e-4);
        check(1, 2e-3);
        check(u64::MAX, 1e-4);
    }

    #[test]
    fn steps_grow_with_depth() {
        assert_eq!([1, 6, 8, 12, 64].map(step_tokens), [2048, 2048, 4096, 8192, 65_536]);
    }

    #[test]
    fn a_small_text_is_not_read_for_ever() {
        assert_eq!(epochs(7_000_000, 330_000, 16.0).0, 16.0);
        assert_eq!(epochs(1_000_000, 10_000_000, 16.0).0, 2.0);
        assert!(epochs(1_000_000, 0, 16.0).0 <= 16.0);
    }
}
