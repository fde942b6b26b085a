//! Which sequences a step sees.
//!
//! Every epoch is a new shuffle of all sequences, drawn from a stream of its
//! own, so the data of a step follows from the seed and the step's number: a
//! resumed run needs no saved position. Running text is cut at other places in
//! every epoch but the first, from a stream of that epoch as well.

use crate::error::Result;
use penname_ledger::seed::Seed;
use penname_token::pack::{Pack, pack_tightly};
use penname_token::{Sequence, running};

/// Sequences in the order of training.
#[derive(Debug)]
pub struct Batches<'a> {
    sequences: &'a [Sequence],
    examples: usize,
    tokens: usize,
    seed: Seed,
    moves_cuts: bool,
    epoch: Option<Epoch>,
}

/// One pass over everything.
#[derive(Debug)]
struct Epoch {
    number: u64,
    order: Vec<usize>,
    /// The sequences where they are other ones than those that were given.
    cut_again: Option<Vec<Sequence>>,
}

impl<'a> Batches<'a> {
    /// Batches of `examples` sequences in micro-batches of at most `tokens` rows.
    pub fn new(sequences: &'a [Sequence], examples: usize, tokens: usize, seed: Seed) -> Self {
        Self { sequences, examples, tokens, seed, moves_cuts: false, epoch: None }
    }

    /// Running text, which every epoch after the first cuts at other places: what stands after a cut is
    /// predicted from nothing, and should not be in every epoch.
    pub fn with_moving_cuts(self) -> Self {
        Self { moves_cuts: true, ..self }
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
        let (tokens, given) = (self.tokens, self.sequences);
        let epoch = self.epoch(epoch);
        let sequences = epoch.cut_again.as_deref().unwrap_or(given);
        let order = &epoch.order[first..(first + examples).min(n)];
        Ok(pack_tightly(sequences, order, order.len(), tokens)?)
    }

    fn epoch(&mut self, number: u64) -> &Epoch {
        let (seed, sequences) = (self.seed, self.sequences);
        let moves = self.moves_cuts && number > 0;
        let begun = || {
            let mut order: Vec<usize> = (0..sequences.len()).collect();
            seed.stream(&format!("train/shuffle/{number}")).shuffle(&mut order);
            let cut = || running::moved(sequences, &mut seed.stream(&format!("train/cuts/{number}")));
            Epoch { number, order, cut_again: moves.then(cut) }
        };
        if self.epoch.as_ref().is_none_or(|known| known.number != number) {
            self.epoch = None;
        }
        self.epoch.get_or_insert_with(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

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
    /// A text of 23 targets in sequences of at most 9.
    fn text() -> Vec<Sequence> {
        let ids: Vec<u32> = (0..24).collect();
        let one = |(idx, ids): (usize, Vec<u32>)| {
            let mask = (0..ids.len()).map(|at| at > 0).collect();
            let (example, document) = (format!("d/{idx}"), "d".to_owned());
            Sequence { example, document, n_trained: ids.len() - 1, ids, mask, ..Sequence::default() }
        };
        let parts = (0..3).map(|idx| ids[idx * 8..24.min(idx * 8 + 9)].to_vec());
        parts.enumerate().map(one).collect()
    }

    /// Where the sequences of an epoch begin, by step from a resumed run.
    fn begins(sequences: &[Sequence], epoch: u64) -> Vec<u32> {
        let fresh = || Batches::new(sequences, 1, 9, Seed(3)).with_moving_cuts();
        let mut begins: Vec<u32> = (0..3).flat_map(|step| seen(&mut fresh(), 3 * epoch + step)).collect();
        begins.sort_unstable();
        begins
    }

    #[test]
    fn running_text_is_cut_at_other_places_in_every_epoch() {
        let text = text();
        assert_eq!(begins(&text, 0), [0, 8, 16], "the first epoch is what was given");
        let all: BTreeSet<Vec<u32>> = (0..12).map(|epoch| begins(&text, epoch)).collect();
        assert_eq!(all, BTreeSet::from([vec![0, 7, 15], vec![0, 8, 16]]), "there is room for one token");
        let mut whole = Batches::new(&text, 1, 9, Seed(3)).with_moving_cuts();
        for step in 0..36 {
            let alone = Batches::new(&text, 1, 9, Seed(3)).with_moving_cuts().at(step).unwrap();
            assert_eq!(whole.at(step).unwrap(), alone, "step {step}");
        }
        let still = |step| seen(&mut Batches::new(&text, 1, 9, Seed(3)), step)[0] % 8;
        assert!((0..36).all(|step| still(step) == 0), "answers are not cut");
    }
}
