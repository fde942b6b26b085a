//! From logits to the next id.
//!
//! The steps of [`ALL`] are taken in their order, which is fixed, each on what the one before left
//! over; then one of the remaining ids is drawn by its probability. With the settings of
//! [`Sampler::default`] every step leaves everything as it is.
//!
//! Ids are ranked by logit, and among equal logits the lower id comes first, so no result depends
//! on how a sort treats ties. Logits are f32, sums over them f64.

mod candidates;
mod draw;
mod exp;
mod min_p;
mod repeat_penalty;
mod temperature;
mod top_k;
mod top_p;

pub use candidates::Candidates;
pub use draw::Draws;

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How the next id is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampler {
    /// Logits are divided by it; 0 takes the likeliest id.
    pub temperature: f32,
    /// Only so many of the likeliest ids may be drawn; 0 for all.
    pub top_k: usize,
    /// Only the fewest likeliest ids that have this probability together; 1 for all.
    pub top_p: f32,
    /// Only ids at least this many times as likely as the likeliest; 0 for all.
    pub min_p: f32,
    /// Makes ids that occurred recently less likely; 1 leaves them.
    pub repeat_penalty: f32,
    /// How many of the last ids, prompt included, count as recent.
    pub repeat_last_n: usize,
    /// Where the random numbers begin.
    pub seed: u64,
}

impl Default for Sampler {
    /// The distribution of the model, unchanged.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            repeat_last_n: 64,
            seed: 0,
        }
    }
}

/// A step between the logits and the draw.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Its name, which is that of its setting.
    pub name: &'static str,
    /// What it does, for help and reference pages.
    pub summary: &'static str,
    /// The values its setting may have, in words.
    pub range: &'static str,
    /// The value with which it does nothing.
    pub off: f32,
    /// The setting.
    value: fn(&Sampler) -> f32,
    /// Whether a value is in `range`.
    allows: fn(f32) -> bool,
    /// Changes what is left; the ids are those of prompt and answer so far.
    apply: fn(&Sampler, &[u32], &mut Candidates),
}

/// The steps, in the order they are taken.
pub const ALL: &[Step] = &[repeat_penalty::STEP, top_k::STEP, top_p::STEP, min_p::STEP, temperature::STEP];

/// The id that was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// The id.
    pub id: u32,
    /// Natural logarithm of its probability by the logits as the model gave them.
    pub log_prob: f32,
}

impl Sampler {
    /// Always the likeliest id.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first setting outside its range, by name.
    pub fn check(&self) -> Result<()> {
        let bad = ALL.iter().find(|step| !(step.allows)((step.value)(self)));
        bad.map_or(Ok(()), |step| {
            Err(Error::Setting { field: step.name, found: (step.value)(self), expected: step.range })
        })
    }

    /// What may be drawn after `ids`, with logits as the steps leave them.
    ///
    /// # Errors
    /// When a setting is outside its range or a logit is not finite.
    pub fn candidates(&self, logits: &[f32], ids: &[u32]) -> Result<Candidates> {
        self.check()?;
        let mut candidates = Candidates::new(logits)?;
        ALL.iter().for_each(|step| (step.apply)(self, ids, &mut candidates));
        Ok(candidates)
    }

    /// Whether no step moves the likeliest id from its place and nothing else is left at the end.
    fn is_greedy(&self) -> bool {
        self.temperature == 0.0 && self.repeat_penalty == repeat_penalty::STEP.off
    }

    /// What [`Sampler::greedy`] chooses, without a list of candidates.
    fn likeliest(&self, logits: &[f32]) -> Result<u32> {
        self.check()?;
        candidates::check(logits)?;
        let top = exp::largest(logits);
        // As numbers −0 and +0 are equal, so the first of either is found.
        Ok(logits.iter().position(|logit| *logit == top).map_or(0, |id| id as u32))
    }

    /// Chooses the id that follows `ids`.
    ///
    /// # Errors
    /// When a setting is outside its range or a logit is not finite.
    ///
    /// # Determinism
    /// Takes one number from `draws`, whatever the settings.
    pub fn choose(&self, logits: &[f32], ids: &[u32], draws: &mut Draws) -> Result<Chosen> {
        let unit = draws.next_unit();
        let id = match self.is_greedy() {
            true => self.likeliest(logits)?,
            false => self.candidates(logits, ids)?.draw(unit),
        };
        Ok(Chosen { id, log_prob: log_prob(logits, id) })
    }
}

/// Natural logarithm of the probability of `id` by `logits`, summed in f64.
fn log_prob(logits: &[f32], id: u32) -> f32 {
    let top = exp::largest(logits);
    let sum = exp::sum_exp(logits.iter().copied(), top);
    (f64::from(logits[id as usize]) - f64::from(top) - sum.ln()) as f32
}
