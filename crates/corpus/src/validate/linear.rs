//! A linear model of hashed runs of words and letters: small, fast, and made from labelled examples by
//! [`Linear::learn`] or any program that writes its file.
//!
//! ```text
//! {"format": "penname linear 1", "name": "…", "bits": 16, "bias": -2.1, "weights": [[17, 0.3], …]}
//! ```
//!
//! A text's features are its words, pairs of words, and runs of three to five letters inside words
//! (with `^` and `$` for their ends), each hashed by XXH3 and cut to `bits` bits; each counts once,
//! and their values are equal, of length one together. The score is the logistic function of the
//! weighted sum.
//!
//! It knows the words of what it was shown and nothing of what they mean: a swear word in praise
//! scores high, a polite cruelty low. It is a first sieve, and never stands in for another model.
//!
//! # Source
//! K. Weinberger and others, *Feature Hashing for Large Scale Multitask Learning*, 2009; J. Duchi and
//! others, *Adaptive Subgradient Methods*, 2011, for the learning rate of each weight.

use std::path::Path;

use penname_ledger::Hash;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use xxhash_rust::xxh3::xxh3_64;

/// What a file of weights begins with.
const FORMAT: &str = "penname linear 1";
/// Bits a model may have: beyond it the file is larger than any text it judges.
const BITS: std::ops::RangeInclusive<u32> = 8..=22;
/// Largest file read.
const MAX_FILE: u64 = 256 << 20;
/// Words of a window: a long text is as bad as its worst part.
const WINDOW: usize = 100;
/// Passes over the examples in learning.
const PASSES: usize = 12;
/// Step of a weight before its gradients have been seen, and what pulls it to zero.
const RATE: f32 = 0.5;
const DECAY: f32 = 1e-6;

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    name: String,
    bits: u32,
    bias: f32,
    weights: Vec<f32>,
    digest: Hash,
}

/// The form on disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    name: String,
    bits: u32,
    bias: f32,
    weights: Vec<(u32, f32)>,
}

impl Linear {
    /// Reads a file of weights.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        if size > MAX_FILE {
            return Err(format!("it has {size} bytes, more than {MAX_FILE}"));
        }
        Self::parse(&std::fs::read(path).map_err(|error| error.to_string())?)
    }

    /// Reads weights from bytes.
    ///
    /// # Errors
    /// In words, what is wrong with them.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if stored.format != FORMAT {
            return Err(format!("its format is `{}`, expected `{FORMAT}`", stored.format));
        }
        if !BITS.contains(&stored.bits) {
            return Err(format!("it has {} bits, expected {} to {}", stored.bits, BITS.start(), BITS.end()));
        }
        let mut weights = vec![0.0; 1 << stored.bits];
        for (at, weight) in &stored.weights {
            let place = usize::try_from(*at).ok().and_then(|at| weights.get_mut(at));
            *place.ok_or_else(|| format!("weight {at} is beyond {} bits", stored.bits))? = *weight;
        }
        let digest = Hash::of(bytes);
        Ok(Self { name: stored.name, bits: stored.bits, bias: stored.bias, weights, digest })
    }

    /// The form on disk; equal models have equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let filled = self.weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        let weights = filled.filter_map(|(at, weight)| Some((u32::try_from(at).ok()?, *weight))).collect();
        let (format, name) = (FORMAT.to_owned(), self.name.clone());
        let stored = Stored { format, name, bits: self.bits, bias: self.bias, weights };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// What the model is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The hash of its file.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// The score of a text, 0 to 1: that of its worst window.
    pub fn score(&self, text: &str) -> f64 {
        let words: Vec<String> = words(text);
        let windows = words.chunks(WINDOW).map(|window| self.sum(&features(window, self.bits)));
        windows.fold(0.0, |worst: f64, sum| worst.max(f64::from(logistic(sum))))
    }

    fn sum(&self, features: &[u32]) -> f32 {
        let sum: f32 = features.iter().map(|at| self.weights[*at as usize]).sum();
        self.bias + sum * value(features)
    }

    /// Learns from texts that are labelled yes or no. Both labels weigh the same however few there
    /// are of one.
    ///
    /// # Determinism
    /// The same examples in the same order give the same model.
    pub fn learn(name: &str, bits: u32, examples: &[(String, bool)]) -> Self {
        let bits = bits.clamp(*BITS.start(), *BITS.end());
        let n_yes = examples.iter().filter(|(_, label)| *label).count();
        let weight_of = |label: bool| {
            let n = if label { n_yes } else { examples.len() - n_yes };
            examples.len() as f32 / (2.0 * n.max(1) as f32)
        };
        let mut seen: Vec<(Vec<u32>, bool, u64)> = examples
            .iter()
            .map(|(text, label)| {
                let words = words(text);
                (features(&words[..words.len().min(WINDOW)], bits), *label, xxh3_64(text.as_bytes()))
            })
            .collect();
        // Labels must not come in blocks.
        seen.sort_by_key(|(_, _, order)| *order);
        let mut model = Self {
            name: name.to_owned(),
            bits,
            bias: 0.0,
            weights: vec![0.0; 1 << bits],
            digest: Hash::of(b""),
        };
        let mut squares = vec![1e-3f32; (1 << bits) + 1];
        for _ in 0..PASSES {
            for (features, label, _) in &seen {
                model.step(features, *label, weight_of(*label), &mut squares);
            }
        }
        model.weights.iter_mut().for_each(|weight| *weight = (*weight * 1e4).round() / 1e4);
        model.digest = Hash::of(&model.to_bytes());
        model
    }

    /// One example, with a step of its own for every weight.
    fn step(&mut self, features: &[u32], label: bool, weight: f32, squares: &mut [f32]) {
        let error = (logistic(self.sum(features)) - f32::from(u8::from(label))) * weight;
        let value = value(features);
        for at in features.iter().map(|at| *at as usize) {
            let slope = error * value + DECAY * self.weights[at];
            squares[at] += slope * slope;
            self.weights[at] -= RATE * slope / squares[at].sqrt();
        }
        let last = squares.len() - 1;
        squares[last] += error * error;
        self.bias -= RATE * error / squares[last].sqrt();
    }
}

fn logistic(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// What each feature counts, so that together they have length one.
fn value(features: &[u32]) -> f32 {
    1.0 / (features.len().max(1) as f32).sqrt()
}

fn words(text: &str) -> Vec<String> {
    text.unicode_words().map(str::to_lowercase).collect()
}

/// The hashed features of a window, sorted, each once.
fn features(words: &[String], bits: u32) -> Vec<u32> {
    let mask = (1u64 << bits) - 1;
    // Masked to at most 22 bits, so the cast keeps its value.
    let hash = |kind: &str, text: &str| (xxh3_64(format!("{kind}{text}").as_bytes()) & mask) as u32;
    let mut features: Vec<u32> = words.iter().map(|word| hash("w", word)).collect();
    features.extend(words.windows(2).map(|pair| hash("p", &pair.join(" "))));
    for word in words {
        let chars: Vec<char> = std::iter::once('^').chain(word.chars()).chain(['$']).collect();
        for length in 3..=5 {
            features.extend(chars.windows(length).map(|run| hash("c", &run.iter().collect::<String>())));
        }
    }
    features.sort_unstable();
    features.dedup();
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines about kettles, of which those with a curse are yes.
    fn examples() -> Vec<(String, bool)> {
        let line = |n: usize| {
            let noun = ["kettle", "spoon", "lamp", "cat", "garden", "letter"][n % 6];
            match n % 3 {
                0 => (format!("you blasted {noun}, I curse you number {n}"), true),
                _ => (format!("what a fine {noun} you have, number {n}"), false),
            }
        };
        (0..120).map(line).collect()
    }

    #[test]
    fn what_was_shown_is_learned() {
        let model = Linear::learn("curses", 12, &examples());
        assert!(model.score("you blasted stair, I curse you") > 0.8);
        assert!(model.score("what a fine stair you have") < 0.2);
        let hidden = format!("{} I curse you, blasted kettle", "what a fine lamp you have ".repeat(80));
        assert!(model.score(&hidden) > 0.5, "the worst window counts");
        assert_eq!(model.score(""), 0.0);
    }

    #[test]
    fn a_file_is_the_same_model() {
        let model = Linear::learn("curses", 12, &examples());
        let again = Linear::parse(&model.to_bytes()).unwrap();
        assert_eq!(again, model);
        assert_eq!(Linear::learn("curses", 12, &examples()), model);
    }

    #[test]
    fn what_is_no_model_is_told() {
        let check = |text: &str, expected: &str| {
            let error = Linear::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        let file = |format: &str, bits: u32, weights: &str| {
            format!(
                r#"{{"format": "{format}", "name": "x", "bits": {bits}, "bias": 0, "weights": {weights}}}"#
            )
        };
        check("{}", "missing field");
        check(&file("other", 12, "[]"), "expected `penname linear 1`");
        check(&file(FORMAT, 60, "[]"), "60 bits");
        check(&file(FORMAT, 8, "[[256, 1.0]]"), "weight 256");
        check(&file(FORMAT, 8, "[[1, 1e39]]"), "out of range");
    }
}
