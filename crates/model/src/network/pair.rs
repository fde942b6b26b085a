//! Low-rank pairs as a program has them, and as PEFT writes them down.
//!
//! They differ where there is a pair for each of X experts: PEFT makes one pair of rank X·R of them. Row
//! `e · R + r` of its A is row r of expert e, as here; column `r · X + e` of its B is column r of expert e,
//! where a program has the matrices B below each other.

use super::PairSlot;
use crate::peft::Pair;
use penname_engine::{Program, TensorId};
use std::borrow::Cow;

impl PairSlot {
    /// Rank, inputs and outputs of the pair as PEFT writes it.
    pub fn shape(&self, program: &Program) -> [usize; 3] {
        [program.rows(self.a), program.cols(self.a), program.rows(self.b) / self.experts]
    }

    /// A pair of what lies in a program's tensors, without trained lengths.
    pub fn pair(&self, program: &Program, a: Vec<f32>, b: Vec<f32>) -> Pair {
        let [rank, n_in, n_out] = self.shape(program);
        let b = if self.experts == 1 { b } else { interleaved(&b, self.experts, n_out, rank / self.experts) };
        Pair { rank, n_in, n_out, a, b, magnitude: None }
    }

    /// Both halves of a pair as they lie in a program's tensors.
    pub(crate) fn halves<'p>(&self, pair: &'p Pair) -> [(TensorId, Cow<'p, [f32]>); 2] {
        let b = match self.experts {
            1 => Cow::Borrowed(pair.b.as_slice()),
            experts => Cow::Owned(stacked(&pair.b, experts, pair.n_out, pair.rank / experts)),
        };
        [(self.a, Cow::Borrowed(pair.a.as_slice())), (self.b, b)]
    }
}

/// (N, R·X), experts innermost, as (X·N, R).
fn stacked(b: &[f32], experts: usize, n_out: usize, rank: usize) -> Vec<f32> {
    let places = (0..experts).flat_map(|e| (0..n_out).flat_map(move |n| (0..rank).map(move |r| (e, n, r))));
    places.map(|(e, n, r)| b[(n * rank + r) * experts + e]).collect()
}

/// (X·N, R) as (N, R·X), experts innermost.
fn interleaved(b: &[f32], experts: usize, n_out: usize, rank: usize) -> Vec<f32> {
    let places = (0..n_out).flat_map(|n| (0..rank).flat_map(move |r| (0..experts).map(move |e| (e, n, r))));
    places.map(|(e, n, r)| b[(e * n_out + n) * rank + r]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_layouts_are_one_another_turned() {
        let b: Vec<f32> = (0..3 * 4 * 2).map(|x| x as f32).collect();
        let turned = interleaved(&b, 3, 4, 2);
        // Output 3, rank 1 of expert 2.
        assert_eq!(turned[(3 * 2 + 1) * 3 + 2], b[(2 * 4 + 3) * 2 + 1]);
        assert_eq!(stacked(&turned, 3, 4, 2), b);
    }
}
