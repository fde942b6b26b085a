//! The ids that may still be drawn.

use super::exp;
use crate::error::{Error, Result};
use std::cmp::Ordering;

/// An id and its logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The id.
    pub id: u32,
    /// Its logit.
    pub logit: f32,
}

/// The ids that may still be drawn, in no particular order; never none.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidates {
    list: Vec<Candidate>,
}

impl Candidates {
    /// All ids of a vocabulary.
    ///
    /// # Errors
    /// When a logit is not finite, or there is none.
    pub(super) fn new(logits: &[f32]) -> Result<Self> {
        check(logits)?;
        let list = (0..).zip(logits).map(|(id, &logit)| Candidate { id, logit }).collect();
        Ok(Self { list })
    }

    /// What is left.
    pub fn list(&self) -> &[Candidate] {
        &self.list
    }

    pub(super) fn list_mut(&mut self) -> &mut [Candidate] {
        &mut self.list
    }

    /// The likeliest, and among several the one of the lowest id.
    pub(super) fn best(&self) -> Candidate {
        let first = self.list[0];
        self.list.iter().fold(first, |best, other| if ranks(other, &best).is_lt() { *other } else { best })
    }

    /// Brings the `n` likeliest to the front, in order of rank.
    pub(super) fn rank(&mut self, n: usize) -> &[Candidate] {
        let n = n.min(self.list.len());
        if n < self.list.len() {
            self.list.select_nth_unstable_by(n, ranks);
        }
        self.list[..n].sort_unstable_by(ranks);
        &self.list[..n]
    }

    /// Keeps the `n` likeliest, at least one.
    pub(super) fn keep_best(&mut self, n: usize) {
        if n < self.list.len() {
            self.rank(n.max(1));
            self.list.truncate(n.max(1));
        }
    }

    /// Keeps ids whose logit is at least this, and in any case the likeliest.
    pub(super) fn keep_from(&mut self, logit: f32) {
        let least = logit.min(self.best().logit);
        self.list.retain(|candidate| candidate.logit >= least);
    }

    /// Sum of `exp(logit - top)`, where `top` is the largest logit.
    pub(super) fn mass(&self, top: f32) -> f64 {
        exp::sum_exp(self.list.iter().map(|candidate| candidate.logit), top)
    }

    /// Draws one by its probability; `unit` is a uniform number in `[0, 1)`. Ids are laid out in
    /// rising order, so a cut that removes nothing changes nothing.
    pub(super) fn draw(mut self, unit: f64) -> u32 {
        self.list.sort_unstable_by_key(|candidate| candidate.id);
        let best = self.best();
        let mut left = unit * self.mass(best.logit);
        for candidate in &self.list {
            left -= weight(candidate.logit, best.logit);
            if left < 0.0 {
                return candidate.id;
            }
        }
        // Rounding left a crumb at the end.
        best.id
    }
}

/// Refuses logits that cannot be chosen by.
pub(super) fn check(logits: &[f32]) -> Result<()> {
    if logits.is_empty() {
        return Err(Error::NoTokens { what: "the vocabulary" });
    }
    match logits.iter().position(|logit| !logit.is_finite()) {
        Some(token_id) => Err(Error::Logit { token_id, found: logits[token_id] }),
        None => Ok(()),
    }
}

/// Probability of a logit relative to that of `top`.
pub(super) fn weight(logit: f32, top: f32) -> f64 {
    exp::exp(f64::from(logit) - f64::from(top))
}

/// Likelier first, then lower ids first. Total, because logits are finite or minus infinity.
fn ranks(a: &Candidate, b: &Candidate) -> Ordering {
    // Adding zero makes −0 equal to +0.
    (b.logit + 0.0).total_cmp(&(a.logit + 0.0)).then(a.id.cmp(&b.id))
}
