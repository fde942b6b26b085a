//! How far two models are apart on the same ids.
//!
//! [`trace`] lets one model write greedily and keeps its logits at every place; [`replay`] lets
//! another read the very same ids and compares. So both are asked the same questions however early
//! they would have parted, and a file that was written is held against what it was made of.

use crate::error::Result;
use crate::model::Model;
use crate::session::{Decoder, Feed, Room};
use penname_engine::Device;

/// Rows of a prompt read in one run.
const CHUNK: usize = 128;

/// What a model wrote, and its logits at every place.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What it was asked.
    pub prompts: Vec<Vec<u32>>,
    /// What it wrote to each prompt.
    pub written: Vec<Vec<u32>>,
    /// Its logits, (V) each: of every prompt one after the prompt, and one after each id but the last.
    pub logits: Vec<Vec<Vec<f32>>>,
}

/// How far a model is from the one that was traced.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Distance {
    /// The largest difference of two logits.
    pub max: f64,
    /// The mean difference.
    pub mean: f64,
    /// The root of the mean squared difference over that of the traced logits, each about its mean at
    /// its place: what all logits of a place have in common says nothing.
    pub relative: f64,
    /// Places at which both would have written the same id.
    pub n_agreed: usize,
    /// Places compared.
    pub n_places: usize,
}

impl Distance {
    /// The share of places at which both would have written the same id.
    pub fn agreement(&self) -> f64 {
        self.n_agreed as f64 / self.n_places.max(1) as f64
    }
}

/// Lets a model write `n_new` ids greedily to each prompt.
///
/// # Errors
/// When a prompt is empty or too long for the model, or memory runs out.
pub fn trace(
    model: &Model<'_>,
    prompts: &[Vec<u32>],
    n_new: usize,
    device: &mut dyn Device,
) -> Result<Trace> {
    let mut written: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let logits = walk(model, prompts, n_new, device, &mut |slot, logits| {
        let id = best(logits);
        written[slot].push(id);
        id
    })?;
    Ok(Trace { prompts: prompts.to_vec(), written, logits })
}

/// Lets another model read what the first one read and wrote.
///
/// # Errors
/// As [`trace`].
pub fn replay(model: &Model<'_>, trace: &Trace, device: &mut dyn Device) -> Result<Distance> {
    let n_new = trace.written.iter().map(Vec::len).max().unwrap_or(0);
    let mut at = vec![0; trace.prompts.len()];
    let logits = walk(model, &trace.prompts, n_new, device, &mut |slot, _| {
        at[slot] += 1;
        trace.written[slot][at[slot] - 1]
    })?;
    Ok(distance(&trace.logits, &logits))
}

/// Which id comes next in a slot, after its logits.
type Next<'a> = dyn FnMut(usize, &[f32]) -> u32 + 'a;

/// Reads every prompt, then one id a step for all; `next` says which after seeing the logits.
fn walk(
    model: &Model<'_>,
    prompts: &[Vec<u32>],
    n_new: usize,
    device: &mut dyn Device,
    next: &mut Next<'_>,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let room = Room {
        slots: prompts.len().max(1),
        context: (longest + n_new).max(1),
        chunk: CHUNK.max(prompts.len()),
    };
    let mut decoder = Decoder::new(model, room, device)?;
    let logits = read(&mut decoder, prompts, n_new, device, next);
    decoder.release(device);
    logits
}

fn read(
    decoder: &mut Decoder,
    prompts: &[Vec<u32>],
    n_new: usize,
    device: &mut dyn Device,
    next: &mut Next<'_>,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut logits = vec![Vec::new(); prompts.len()];
    let mut ids = Vec::new();
    for (slot, prompt) in prompts.iter().enumerate() {
        let row = decoder.logits(device, slot, prompt)?.row(0).to_vec();
        ids.push(next(slot, &row));
        logits[slot].push(row);
    }
    for _ in 1..n_new {
        let feeds: Vec<Feed<'_>> =
            ids.iter().enumerate().map(|(slot, id)| Feed { slot, ids: std::slice::from_ref(id) }).collect();
        let found = decoder.run(device, &feeds)?;
        for slot in 0..prompts.len() {
            let row = found.row(slot).to_vec();
            ids[slot] = next(slot, &row);
            logits[slot].push(row);
        }
    }
    Ok(logits)
}

/// Compares logits place by place.
pub fn distance(expected: &[Vec<Vec<f32>>], found: &[Vec<Vec<f32>>]) -> Distance {
    let mut distance = Distance::default();
    let (mut apart, mut squares, mut spread, mut n_values) = (0.0, 0.0, 0.0, 0_usize);
    for (expected, found) in expected.iter().flatten().zip(found.iter().flatten()) {
        let (mean, found_mean) = (mean(expected), mean(found));
        let shift = mean - found_mean;
        for (a, b) in expected.iter().zip(found) {
            let difference = f64::from(a - b).abs();
            // A number that is none is infinitely far from every other.
            let difference = if difference.is_finite() { difference } else { f64::INFINITY };
            distance.max = distance.max.max(difference);
            apart += difference;
            squares += (f64::from(a - b) - shift).powi(2);
            spread += (f64::from(*a) - mean).powi(2);
        }
        n_values += expected.len();
        distance.n_places += 1;
        distance.n_agreed += usize::from(best(expected) == best(found));
    }
    distance.mean = apart / n_values.max(1) as f64;
    distance.relative = if squares == 0.0 { 0.0 } else { (squares / spread).sqrt() };
    distance
}

fn mean(values: &[f32]) -> f64 {
    values.iter().copied().map(f64::from).sum::<f64>() / values.len().max(1) as f64
}

/// The likeliest id, the first of several.
pub fn best(logits: &[f32]) -> u32 {
    let better = |best: (usize, f32), (id, &logit): (usize, &f32)| {
        if logit > best.1 { (id, logit) } else { best }
    };
    logits.iter().enumerate().fold((0, f32::NEG_INFINITY), better).0 as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_is_counted_over_all_places() {
        let expected = vec![vec![vec![1.0, 3.0], vec![0.0, 0.0]]];
        let found = vec![vec![vec![1.0, 2.5], vec![0.0, 0.5]]];
        let distance = distance(&expected, &found);
        assert_eq!((distance.n_agreed, distance.n_places), (1, 2));
        assert_eq!((distance.max, distance.mean), (0.5, 0.25));
        assert!((distance.relative - 0.125_f64.sqrt()).abs() < 1e-12, "{}", distance.relative);
    }

    #[test]
    fn nothing_is_near_a_number_that_is_none() {
        let distance = distance(&[vec![vec![1.0]]], &[vec![vec![f32::NAN]]]);
        assert_eq!(distance.max, f64::INFINITY);
    }
}
