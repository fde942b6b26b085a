//! Keeps the fewest likeliest ids that have a given probability together.
//!
//! # Source
//! Holtzman et al., *The Curious Case of Neural Text Degeneration*, 2019, arXiv 1904.09751,
//! section 3.1. Probabilities are those among the ids left by the steps before, at temperature 1.

use super::candidates::weight;
use super::{Candidates, Sampler, Step};

/// How many ids are ranked at first. Seldom are more needed, and ranking a whole vocabulary takes
/// milliseconds.
const RANKED: usize = 64;

/// How many times more are ranked when they were not enough.
const GROWTH: usize = 8;

pub(super) const STEP: Step = Step {
    name: "top_p",
    summary: "keeps the fewest likeliest ids that have this probability together",
    range: "a number above 0, at most 1",
    off: 1.0,
    value: |sampler| sampler.top_p,
    allows: |top_p| top_p > 0.0 && top_p <= 1.0,
    apply,
};

fn apply(sampler: &Sampler, _: &[u32], candidates: &mut Candidates) {
    if sampler.top_p >= STEP.off {
        return;
    }
    let top = candidates.best().logit;
    let wanted = f64::from(sampler.top_p) * candidates.mass(top);
    let mut n_ranked = RANKED;
    loop {
        let mut mass = 0.0;
        let ranked = candidates.rank(n_ranked);
        let reached = |logit| {
            mass += weight(logit, top);
            mass >= wanted
        };
        if let Some(last) = ranked.iter().map(|candidate| candidate.logit).position(reached) {
            return candidates.keep_best(last + 1);
        }
        if n_ranked >= candidates.list().len() {
            return;
        }
        n_ranked = n_ranked.saturating_mul(GROWTH);
    }
}
