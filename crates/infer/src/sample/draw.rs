//! The random numbers of an answer.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// One stream of random numbers for each answer to each request.
///
/// # Determinism
/// The stream is ChaCha with 8 rounds. Its 256-bit key is the 16 bytes `penname sampling`, then the
/// seed of the request and the number of the answer, each as 8 bytes, lowest first. The n-th id of
/// an answer uses the n-th number, so equal logits give equal answers on every platform, and
/// neither other answers nor other settings shift the numbers.
///
/// # Source
/// D. J. Bernstein, *ChaCha, a variant of Salsa20*, 2008.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draws {
    rng: ChaCha8Rng,
}

impl Draws {
    /// The stream of answer `choice` to a request with this seed, at its start.
    pub fn new(seed: u64, choice: u64) -> Self {
        let mut key = *b"penname sampling\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        key[16..24].copy_from_slice(&seed.to_le_bytes());
        key[24..].copy_from_slice(&choice.to_le_bytes());
        Self { rng: ChaCha8Rng::from_seed(key) }
    }

    /// A uniform number in `[0, 1)` with all 53 bits an `f64` can hold there.
    pub fn next_unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }
}
