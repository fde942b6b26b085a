//! Divides logits by the temperature: below 1 likely ids become likelier, above 1 less so. At 0 only
//! the likeliest is left, of several the one with the lowest id.
//!
//! # Source
//! Ackley, Hinton, Sejnowski, *A Learning Algorithm for Boltzmann Machines*, 1985, equation 5.

use super::{Candidates, Sampler, Step};

pub(super) const STEP: Step = Step {
    name: "temperature",
    summary: "divides logits; 0 takes the likeliest id",
    range: "a number from 0 to 100",
    off: 1.0,
    value: |sampler| sampler.temperature,
    allows: |temperature| (0.0..=100.0).contains(&temperature),
    apply,
};

fn apply(sampler: &Sampler, _: &[u32], candidates: &mut Candidates) {
    let temperature = sampler.temperature;
    if temperature == 0.0 {
        return candidates.keep_best(1);
    }
    if temperature != STEP.off {
        let top = candidates.best().logit;
        // Relative to the largest, which stays at zero however small the temperature.
        candidates.list_mut().iter_mut().for_each(|it| it.logit = (it.logit - top) / temperature);
    }
}
