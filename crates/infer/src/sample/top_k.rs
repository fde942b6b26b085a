//! Keeps so many of the likeliest ids.
//!
//! # Source
//! Fan, Lewis, Dauphin, *Hierarchical Neural Story Generation*, 2018, arXiv 1805.04833, section 5.3.

use super::{Candidates, Sampler, Step};

pub(super) const STEP: Step = Step {
    name: "top_k",
    summary: "keeps this many of the likeliest ids",
    range: "a whole number, 0 for all",
    off: 0.0,
    value: |sampler| sampler.top_k as f32,
    allows: |_| true,
    apply,
};

fn apply(sampler: &Sampler, _: &[u32], candidates: &mut Candidates) {
    if sampler.top_k > 0 {
        candidates.keep_best(sampler.top_k);
    }
}
