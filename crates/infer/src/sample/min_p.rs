//! Keeps ids at least so many times as likely as the likeliest.
//!
//! # Source
//! Nguyen et al., *Turning Up the Heat: Min-p Sampling for Creative and Coherent LLM Outputs*,
//! 2024, arXiv 2407.01082, section 3.

use super::{Candidates, Sampler, Step};

pub(super) const STEP: Step = Step {
    name: "min_p",
    summary: "keeps ids at least this many times as likely as the likeliest",
    range: "a number from 0 to 1",
    off: 0.0,
    value: |sampler| sampler.min_p,
    allows: |min_p| (0.0..=1.0).contains(&min_p),
    apply,
};

fn apply(sampler: &Sampler, _: &[u32], candidates: &mut Candidates) {
    if sampler.min_p > STEP.off {
        // p / p_best = exp(logit − logit_best)
        candidates.keep_from(candidates.best().logit + sampler.min_p.ln());
    }
}
