//! Sequences side by side in the rows of one step.
//!
//! A step has a fixed budget of rows. Sequences are laid into it whole, one
//! after the other; each begins at position 0 and sees only itself. This is
//! the **one place where labels are shifted**: the target of a row is the next
//! token of the same sequence, if that token carries loss. No caller shifts
//! again, and no target crosses from one sequence into the next.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sequence::Sequence;

/// The target of a row that teaches nothing.
pub const IGNORE: u32 = u32::MAX;

/// The rows of one step.
///
/// # Shapes
/// `tokens`, `positions`, `starts` and `targets` have one entry per row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pack {
    /// The token read at each row.
    pub tokens: Vec<u32>,
    /// Its position in its own sequence.
    pub positions: Vec<u32>,
    /// The row at which its sequence begins.
    pub starts: Vec<u32>,
    /// The token to be predicted at this row, or [`IGNORE`].
    pub targets: Vec<u32>,
    /// The rows of each sequence, in order.
    pub documents: Vec<Range<usize>>,
    /// For each entry of `documents`, the index of its sequence in the list that was packed.
    pub sources: Vec<usize>,
    /// Number of rows with a target.
    pub n_trained: usize,
}

impl Pack {
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Lays one more sequence into the rows.
    fn push(&mut self, source: usize, sequence: &Sequence) {
        let start = self.len();
        for (position, &token) in sequence.ids.iter().enumerate() {
            let next = position + 1;
            let target = match sequence.mask.get(next) {
                Some(true) => sequence.ids[next],
                _ => IGNORE,
            };
            self.tokens.push(token);
            self.positions.push(position as u32);
            self.starts.push(start as u32);
            self.targets.push(target);
            self.n_trained += usize::from(target != IGNORE);
        }
        self.documents.push(start..self.len());
        self.sources.push(source);
    }
}

/// Packs in the given order, for evaluation: the next sequence goes into the
/// last pack if it fits, else into a new one.
///
/// # Errors
/// A sequence is longer than `budget`.
pub fn pack_in_order(sequences: &[Sequence], budget: usize) -> Result<Vec<Pack>> {
    check_lengths(sequences, budget)?;
    let mut packs: Vec<Pack> = Vec::new();
    for (source, sequence) in sequences.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
        match packs.last_mut() {
            Some(pack) if pack.len() + sequence.len() <= budget => pack.push(source, sequence),
            _ => packs.push(one(source, sequence)),
        }
    }
    Ok(packs)
}

/// Packs for training, with few empty rows: within each window of `window`
/// neighbours of `order`, the longest first, each into the first pack that has
/// room. Short windows keep the order's randomness, long ones waste less.
///
/// # Errors
/// A sequence is longer than `budget`.
///
/// # Panics
/// `order` names a sequence that does not exist.
///
/// # Determinism
/// The same order gives the same packs.
pub fn pack_tightly(
    sequences: &[Sequence],
    order: &[usize],
    window: usize,
    budget: usize,
) -> Result<Vec<Pack>> {
    check_lengths(sequences, budget)?;
    let mut packs = Vec::new();
    for neighbours in order.chunks(window.max(1)) {
        let mut longest_first: Vec<usize> =
            neighbours.iter().copied().filter(|&i| !sequences[i].is_empty()).collect();
        longest_first.sort_by_key(|&i| std::cmp::Reverse(sequences[i].len()));
        let mut window_packs: Vec<Pack> = Vec::new();
        for source in longest_first {
            let sequence = &sequences[source];
            match window_packs.iter_mut().find(|pack| pack.len() + sequence.len() <= budget) {
                Some(pack) => pack.push(source, sequence),
                None => window_packs.push(one(source, sequence)),
            }
        }
        packs.append(&mut window_packs);
    }
    Ok(packs)
}

fn one(source: usize, sequence: &Sequence) -> Pack {
    let mut pack = Pack::default();
    pack.push(source, sequence);
    pack
}

fn check_lengths(sequences: &[Sequence], budget: usize) -> Result<()> {
    match sequences.iter().find(|sequence| sequence.len() > budget) {
        Some(long) => Err(Error::OverBudget { id: long.example.clone(), n_tokens: long.len(), budget }),
        None => Ok(()),
    }
}
