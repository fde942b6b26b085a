//! Makes ids that occurred recently less likely.
//!
//! A positive logit is divided by the penalty, a negative one multiplied by it, once however often
//! the id occurred.
//!
//! # Source
//! Keskar et al., *CTRL: A Conditional Transformer Language Model for Controllable Generation*,
//! 2019, arXiv 1909.05858, section 4.1, which divides negative logits too; multiplying them is what
//! makes them less likely.

use super::{Candidates, Sampler, Step};
use std::collections::HashSet;

pub(super) const STEP: Step = Step {
    name: "repeat_penalty",
    summary: "makes the ids among the last `repeat_last_n` less likely",
    range: "a number from 0.1 to 10",
    off: 1.0,
    value: |sampler| sampler.repeat_penalty,
    allows: |penalty| (0.1..=10.0).contains(&penalty),
    apply,
};

fn apply(sampler: &Sampler, ids: &[u32], candidates: &mut Candidates) {
    let penalty = sampler.repeat_penalty;
    if penalty == STEP.off {
        return;
    }
    let recent = &ids[ids.len().saturating_sub(sampler.repeat_last_n)..];
    let recent: HashSet<u32> = recent.iter().copied().collect();
    for candidate in candidates.list_mut().iter_mut().filter(|candidate| recent.contains(&candidate.id)) {
        let logit = candidate.logit;
        // A product beyond the largest number is cut there, so that logits stay finite.
        candidate.logit =
            if logit > 0.0 { logit / penalty } else { logit * penalty }.clamp(f32::MIN, f32::MAX);
    }
}
