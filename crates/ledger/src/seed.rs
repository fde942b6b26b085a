//! One root seed, many named streams of randomness.
//!
//! Every random choice takes a stream by name, `seed.stream("train/shuffle")`, so that adding a
//! choice in one place never shifts the choices made in another. A stream can be saved in a
//! checkpoint and taken up again at the very next number.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::Hash;

/// The one number from which all randomness of a run follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream of this name, at its start. The same seed and name give the same numbers on
    /// every machine; different names give unrelated ones.
    pub fn stream(self, name: &str) -> Stream {
        Stream::at(Hash::of_parts([b"penname stream".as_slice(), &self.0.to_le_bytes(), name.as_bytes()]), 0)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A stream of random numbers whose position can be saved.
///
/// # Determinism
/// Integers, shuffles and uniform numbers are equal bit for bit on every platform. `normal` goes
/// through the platform's `ln` and `cos`, which may differ in the last bit between platforms.
///
/// # Source
/// D. J. Bernstein, *ChaCha, a variant of Salsa20*, 2008; 8 rounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    key: Hash,
    rng: ChaCha8Rng,
}

/// Where a [`Stream`] stands: small, readable, fit for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// What distinguishes this stream from all others.
    pub key: Hash,
    /// How many 32-bit words have been taken.
    pub n_words: u64,
}

impl Stream {
    fn at(key: Hash, n_words: u64) -> Self {
        let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
        rng.set_word_pos(u128::from(n_words));
        Self { key, rng }
    }

    /// Where the stream stands now.
    pub fn state(&self) -> StreamState {
        // 2^64 words are centuries of drawing; the narrower number is what JSON readers can hold.
        let n_words = u64::try_from(self.rng.get_word_pos()).unwrap_or(u64::MAX);
        StreamState { key: self.key, n_words }
    }

    /// The stream as it stood when `state` was taken.
    pub fn resume(state: StreamState) -> Self {
        Self::at(state.key, state.n_words)
    }

    /// A uniform 32-bit number.
    pub fn next_u32(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// A uniform 64-bit number.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A uniform number in `0..n`, without bias.
    ///
    /// # Panics
    /// When `n` is 0: there is nothing to choose from.
    ///
    /// # Source
    /// D. Lemire, *Fast random integer generation in an interval*, 2019, arXiv:1805.10941,
    /// algorithm 5.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "a number below 0 was asked for");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let n_biased = n.wrapping_neg() % n;
            while (product as u64) < n_biased {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// A uniform number in `[0, 1)` with all 24 bits an `f32` can hold there.
    pub fn unit_f32(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 * (1.0 / (1u32 << 24) as f32)
    }

    /// A uniform number in `[0, 1)` with all 53 bits an `f64` can hold there.
    pub fn unit_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// A number from the standard normal distribution.
    ///
    /// # Source
    /// G. E. P. Box, M. E. Muller, *A note on the generation of random normal deviates*, 1958. The
    /// second of the pair is not kept, so that a state is a position and nothing else.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit_f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit_f64()).cos()
    }

    /// Puts `items` in a random order, every order equally likely.
    ///
    /// # Source
    /// R. Durstenfeld, *Algorithm 235: random permutation*, 1964.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_numbers_never_change_between_versions() {
        let mut stream = Seed(7).stream("train/shuffle");
        let drawn: Vec<u64> = (0..3).map(|_| stream.below(1_000_000)).collect();
        let mut order: Vec<u8> = (0..8).collect();
        stream.shuffle(&mut order);
        expect![[r#"
            (
                [
                    985496,
                    436130,
                    357034,
                ],
                [
                    6,
                    4,
                    1,
                    5,
                    0,
                    2,
                    3,
                    7,
                ],
                20,
            )
        "#]]
        .assert_debug_eq(&(drawn, order, stream.state().n_words));
    }

    #[test]
    fn names_and_seeds_give_unrelated_streams() {
        let draw = |seed: u64, name: &str| Seed(seed).stream(name).next_u64();
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn uniform_and_normal_have_the_moments_they_should() {
        let mut stream = Seed(3).stream("moments");
        let n = 40_000;
        let unit: Vec<f64> = (0..n).map(|_| stream.unit_f64()).collect();
        let short: Vec<f64> = (0..n).map(|_| f64::from(stream.unit_f32())).collect();
        let normal: Vec<f64> = (0..n).map(|_| stream.normal()).collect();
        // Tolerances are five standard errors at this n; the stream is fixed, so no luck is involved.
        let check = |xs: &[f64], mean: f64, variance: f64| {
            let m = xs.iter().sum::<f64>() / f64::from(n);
            let v = xs.iter().map(|x| (x - m).powi(2)).sum::<f64>() / f64::from(n);
            assert!((m - mean).abs() < 5.0 * (variance / f64::from(n)).sqrt(), "mean {m}");
            assert!((v / variance - 1.0).abs() < 5.0 * (2.0 / f64::from(n)).sqrt(), "variance {v}");
        };
        check(&unit, 0.5, 1.0 / 12.0);
        check(&short, 0.5, 1.0 / 12.0);
        check(&normal, 0.0, 1.0);
        assert!(unit.iter().chain(&short).all(|x| (0.0..1.0).contains(x)));
        assert!(normal.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut stream = Seed(5).stream("orders");
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..6000 {
            let mut items = [0, 1, 2];
            stream.shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6);
        // 1000 expected in each, standard deviation 29.
        assert!(counts.values().all(|&n| (855..1145).contains(&n)), "{counts:?}");
    }

    proptest! {
        #[test]
        fn a_stream_goes_on_where_it_was_saved(seed: u64, skip in 0usize..70, odd: bool) {
            let mut stream = Seed(seed).stream("resume");
            for _ in 0..skip { stream.next_u64(); }
            if odd { stream.next_u32(); }
            let text = serde_json::to_string(&stream.state()).unwrap();
            let mut resumed = Stream::resume(serde_json::from_str(&text).unwrap());
            for _ in 0..20 {
                prop_assert_eq!(stream.next_u64(), resumed.next_u64());
                prop_assert_eq!(stream.normal().to_bits(), resumed.normal().to_bits());
                prop_assert_eq!(stream.below(10), resumed.below(10));
            }
        }

        #[test]
        fn below_stays_below(seed: u64, n in 1u64..) {
            let mut stream = Seed(seed).stream("below");
            for _ in 0..8 { prop_assert!(stream.below(n) < n); }
        }

        #[test]
        fn a_shuffle_loses_nothing(seed: u64, mut items in prop::collection::vec(0u8..20, 0..50)) {
            let mut sorted = items.clone();
            Seed(seed).stream("keep").shuffle(&mut items);
            items.sort_unstable();
            sorted.sort_unstable();
            prop_assert_eq!(items, sorted);
        }
    }
}
