//! Sequences side by side in the rows of one step.
//!
//! A step has a fixed budget of rows. Sequences are laid into it whole, one
//! after the other; each begins at position 0 and sees only itself. This is
//! the **one place where labels are shifted**: the target of a row is the next
//! token of the same sequence, if that token carries loss. No caller shifts
//! again, and no target crosses from one sequence into the next.
//!
//! What all sequences of a step begin with, a persona or the template's own
//! system prompt, is laid down once, before them: what comes later does not
//! change it, so one copy of its rows serves all. No row with a target is ever
//! among them.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::sequence::Sequence;

/// The target of a row that teaches nothing.
pub const IGNORE: u32 = u32::MAX;

/// Fewer tokens than these are not worth the sums of gradients that sharing them takes.
const FEWEST_SHARED: usize = 8;

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
    /// The row at which its sequence begins, or goes on after what is shared.
    pub starts: Vec<u32>,
    /// Rows at the beginning that are the beginning of every sequence.
    pub shared: usize,
    /// The token to be predicted at this row, or [`IGNORE`].
    pub targets: Vec<u32>,
    /// The rows of each sequence, in order, without those shared.
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

    /// Number of tokens in its sequences, those shared counted for each.
    pub fn n_tokens(&self) -> usize {
        self.len() + self.documents.len().saturating_sub(1) * self.shared
    }

    /// Lays sequences side by side, behind the `shared` tokens that all begin with.
    fn lay(sequences: &[Sequence], draft: &Draft) -> Self {
        let mut pack = Self { shared: draft.n_shared(), ..Self::default() };
        for (at, &source) in draft.sources.iter().enumerate() {
            let sequence = &sequences[source];
            if at == 0 {
                pack.push(sequence, 0..pack.shared);
            }
            let start = pack.len();
            pack.push(sequence, pack.shared..sequence.len());
            pack.documents.push(start..pack.len());
            pack.sources.push(source);
        }
        pack
    }

    /// Lays some positions of a sequence into the rows.
    fn push(&mut self, sequence: &Sequence, positions: Range<usize>) {
        let start = self.len();
        for position in positions {
            let next = position + 1;
            let target = match sequence.mask.get(next) {
                Some(true) => sequence.ids[next],
                _ => IGNORE,
            };
            self.tokens.push(sequence.ids[position]);
            self.positions.push(position as u32);
            self.starts.push(start as u32);
            self.targets.push(target);
            self.n_trained += usize::from(target != IGNORE);
        }
    }
}

/// Sequences that will be laid side by side.
#[derive(Debug, Default)]
struct Draft {
    sources: Vec<usize>,
    n_tokens: usize,
    /// Tokens that all of them begin with, none of them with a target.
    n_same: usize,
}

impl Draft {
    /// Takes one more sequence if the rows stay inside the budget.
    fn take(&mut self, sequences: &[Sequence], source: usize, budget: usize) -> bool {
        let sequence = &sequences[source];
        let n_same = match self.sources.first() {
            Some(&first) => self.n_same.min(n_same(&sequences[first], sequence)),
            None => n_free(sequence),
        };
        let mut sources = std::mem::take(&mut self.sources);
        sources.push(source);
        let with = Self { sources, n_tokens: self.n_tokens + sequence.len(), n_same };
        let fits = with.n_rows() <= budget;
        if fits {
            *self = with;
        } else {
            self.sources = with.sources;
            self.sources.pop();
        }
        fits
    }

    fn n_shared(&self) -> usize {
        if self.sources.len() > 1 && self.n_same >= FEWEST_SHARED { self.n_same } else { 0 }
    }

    fn n_rows(&self) -> usize {
        self.n_tokens - self.sources.len().saturating_sub(1) * self.n_shared()
    }
}

/// Tokens at the beginning whose rows have no target, the last token never counted.
fn n_free(sequence: &Sequence) -> usize {
    let first_target = sequence.mask.iter().position(|trained| *trained).unwrap_or(sequence.len());
    first_target.saturating_sub(1)
}

/// Tokens that both begin with, and whose rows have a target in neither.
fn n_same(a: &Sequence, b: &Sequence) -> usize {
    let n_equal = a.ids.iter().zip(&b.ids).take_while(|(a, b)| a == b).count();
    n_equal.min(n_free(a)).min(n_free(b))
}

/// Packs in the given order, for evaluation: the next sequence goes into the
/// last pack if it fits, else into a new one.
///
/// # Errors
/// A sequence is longer than `budget`.
pub fn pack_in_order(sequences: &[Sequence], budget: usize) -> Result<Vec<Pack>> {
    check_lengths(sequences, budget)?;
    let mut drafts: Vec<Draft> = Vec::new();
    for (source, _) in sequences.iter().enumerate().filter(|(_, s)| !s.is_empty()) {
        if !drafts.last_mut().is_some_and(|last| last.take(sequences, source, budget)) {
            drafts.push(one(sequences, source, budget));
        }
    }
    Ok(drafts.iter().map(|draft| Pack::lay(sequences, draft)).collect())
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
        let mut drafts: Vec<Draft> = Vec::new();
        for source in longest_first {
            if !drafts.iter_mut().any(|draft| draft.take(sequences, source, budget)) {
                drafts.push(one(sequences, source, budget));
            }
        }
        packs.extend(drafts.iter().map(|draft| Pack::lay(sequences, draft)));
    }
    Ok(packs)
}

/// A draft of one sequence, which lengths were checked for.
fn one(sequences: &[Sequence], source: usize, budget: usize) -> Draft {
    let mut draft = Draft::default();
    draft.take(sequences, source, budget);
    draft
}

fn check_lengths(sequences: &[Sequence], budget: usize) -> Result<()> {
    match sequences.iter().find(|sequence| sequence.len() > budget) {
        Some(long) => Err(Error::OverBudget { id: long.example.clone(), n_tokens: long.len(), budget }),
        None => Ok(()),
    }
}
