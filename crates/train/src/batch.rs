//! Which sequences a step sees.
//!
//! Every epoch is a new shuffle of all sequences, drawn from a stream of its
//! own, so the data of a step follows from the seed and the step's number: a
//! resumed run needs no saved position.

use crate::error::Result;
use penname_ledger::seed::Seed;
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_tightly};

/// Sequences in the order of training.
#[derive(Debug)]
pub struct Batches<'a> {
    sequences: &'a [Sequence],
    examples: usize,
    tokens: usize,
    seed: Seed,
    epoch: Option<(u64, Vec<usize>)>,
}

impl<'a> Batches<'a> {
    /// Batches of `examples` sequences in micro-batches of at most `tokens` rows.
    pub fn new(sequences: &'a [Sequence], examples: usize, tokens: usize, seed: Seed) -> Self {
        Self { sequences, examples, tokens, seed, epoch: None }
    }

    /// Steps that see every sequence once.
    pub fn steps_per_epoch(&self) -> u64 {
        self.sequences.len().div_ceil(self.examples.max(1)).max(1) as u64
    }

    /// The micro-batches of a step.
    ///
    /// # Errors
    /// When a sequence is longer than a micro-batch.
    pub fn at(&mut self, step: u64) -> Result<Vec<Pack>> {
        let (epoch, within) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        let (examples, n) = (self.examples, self.sequences.len());
        let first = usize::try_from(within).unwrap_or(usize::MAX).saturating_mul(examples).min(n);
        let tokens = self.tokens;
        let sequences = self.sequences;
        let order = &self.order(epoch)[first..(first + examples).min(n)];
        Ok(pack_tightly(sequences, order, order.len(), tokens)?)
    }

    fn order(&mut self, epoch: u64) -> &[usize] {
        let (seed, n) = (self.seed, self.sequences.len());
        let shuffled = || {
            let mut order: Vec<usize> = (0..n).collect();
            seed.stream(&format!("train/shuffle/{epoch}")).shuffle(&mut order);
            (epoch, order)
        };
        if self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch) {
            self.epoch = None;
        }
        &self.epoch.get_or_insert_with(shuffled).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequences(n: usize) -> Vec<Sequence> {
        let one = |i: usize| {
            let ids = vec![i as u32; 3 + i % 4];
            let mask = (0..ids.len()).map(|at| at > 0).collect();
            Sequence { n_trained: ids.len() - 1, ids, mask, ..Sequence::default() }
        };
        (0..n).map(one).collect()
    }

    fn seen(batches: &mut Batches<'_>, step: u64) -> Vec<u32> {
        batches.at(step).unwrap().iter().flat_map(|p| p.documents.iter().map(|d| p.tokens[d.start])).collect()
    }

    #[test]
    fn an_epoch_sees_everything_once_and_the_next_in_another_order() {
        let all = sequences(10);
        let mut batches = Batches::new(&all, 4, 12, Seed(1));
        assert_eq!(batches.steps_per_epoch(), 3);
        let epochs: Vec<Vec<u32>> =
            (0..2).map(|e| (0..3).flat_map(|s| seen(&mut batches, 3 * e + s)).collect()).collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn a_step_does_not_depend_on_the_steps_before() {
        let all = sequences(23);
        let mut in_order = Batches::new(&all, 5, 30, Seed(9));
        let list: Vec<_> = (0..12).map(|s| in_order.at(s).unwrap()).collect();
        for step in [11, 3, 7, 0] {
            let fresh = Batches::new(&all, 5, 30, Seed(9)).at(step).unwrap();
            assert_eq!(fresh, list[step as usize], "step {step}");
        }
    }
}
