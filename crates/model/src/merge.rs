//! From a base and what was trained on it to one model in a folder.

use crate::config::Config;
use crate::error::Result;
use crate::peft::Pair;
use crate::quant::Storage;
use crate::weights::{CONFIG, Checkpoint, SHARD_BYTES, write_shards};
use crate::whole::{Trained, Whole};
use penname_ledger::write::{self, Staged};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

/// Adds `sign · s · B·A` to rows of a weight (N, K), in f32.
fn add_pair(pair: &Pair, scale: f32, rows: Range<usize>, weight: &mut [f32]) {
    for (n, row) in rows.zip(weight.chunks_mut(pair.n_in)) {
        for (r, a) in pair.a.chunks(pair.n_in).enumerate() {
            let b = pair.b[n * pair.rank + r] * scale;
            row.iter_mut().zip(a).for_each(|(w, a)| *w += b * a);
        }
    }
}

/// Makes rows as long as they were trained to be.
fn stretch(magnitude: &[f32], rows: Range<usize>, n_in: usize, weight: &mut [f32]) {
    for (length, row) in magnitude[rows].iter().zip(weight.chunks_mut(n_in)) {
        let found = row.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>().sqrt();
        // A row of zeros has no direction to be long in.
        let factor = if found > 0.0 { (f64::from(*length) / found) as f32 } else { 0.0 };
        row.iter_mut().for_each(|w| *w *= factor);
    }
}

/// Lays an adapter into rows of a weight (N, K): adds its pair, then makes rows as long as it says.
pub fn merge_rows(pair: &Pair, scale: f32, rows: Range<usize>, weight: &mut [f32]) {
    add_pair(pair, scale, rows.clone(), weight);
    if let Some(magnitude) = &pair.magnitude {
        stretch(magnitude, rows, pair.n_in, weight);
    }
}

/// Lays an adapter into a weight (N, K).
pub fn merge(weight: &mut [f32], pair: &Pair, scale: f32) {
    merge_rows(pair, scale, 0..pair.n_out, weight);
}

/// Takes a pair out of a weight it was merged into. What lengths were before is not in an adapter.
pub fn split(weight: &mut [f32], pair: &Pair, scale: f32) {
    add_pair(pair, -scale, 0..pair.n_out, weight);
}

/// Adds the pairs of `experts` experts to rows of their matrices below each other; the pair is as PEFT
/// has it.
pub(crate) fn add_pairs(pair: &Pair, experts: usize, scale: f32, rows: Range<usize>, weight: &mut [f32]) {
    let rank = pair.rank / experts;
    for (row, weight) in rows.zip(weight.chunks_mut(pair.n_in)) {
        let (expert, n) = (row / pair.n_out, row % pair.n_out);
        for r in 0..rank {
            let b = pair.b[n * pair.rank + r * experts + expert] * scale;
            let a = &pair.a[(expert * rank + r) * pair.n_in..][..pair.n_in];
            weight.iter_mut().zip(a).for_each(|(w, a)| *w += b * a);
        }
    }
}

/// Writes a model into a folder that is there, as Hugging Face publishes them: weights added in f32
/// and rounded once, on several shards from `shard_bytes` on, with `config.json`. Returns the names of
/// the files.
///
/// # Errors
/// When the storage is none that safetensors holds, or the file system refuses.
pub fn write_whole(whole: &Whole<'_>, dtype: Storage, shard_bytes: usize, dir: &Path) -> Result<Vec<String>> {
    let tensors = whole.tensors(dtype);
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut files = write_shards(dir, tensors, &metadata, shard_bytes)?;
    let mut config = whole.config().to_hf_json(dtype);
    if whole.keeps_blocks() {
        config["quantization_config"] = quantization();
    }
    write::json(&dir.join(CONFIG), &config)?;
    files.push(CONFIG.to_owned());
    Ok(files)
}

/// What tells readers that experts are stored in MXFP4, and nothing else is.
fn quantization() -> Value {
    let others = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"];
    json!({ "quant_method": "mxfp4", "modules_to_not_convert": others })
}

/// Writes a model as a folder of its own, all or nothing; see [`write_whole`].
///
/// # Errors
/// As [`write_whole`].
pub fn save_whole(whole: &Whole<'_>, dtype: Storage, folder: &Path) -> Result<()> {
    let staged = Staged::create(folder)?;
    write_whole(whole, dtype, SHARD_BYTES, staged.dir())?;
    Ok(staged.commit()?)
}

/// Writes a model whose tensors in `trained` take the place of the base's, as f32 with `config.json`.
///
/// # Errors
/// When a trained tensor is not one of the base's, or the file system refuses.
pub fn save_trained(base: &Checkpoint, config: &Config, trained: &Trained, folder: &Path) -> Result<()> {
    save_whole(&Whole::trained(base, config.clone(), trained)?, Storage::F32, folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merge_then_split_returns() {
        let pair = Pair {
            rank: 2,
            n_in: 3,
            n_out: 2,
            a: vec![1.0, 2.0, 3.0, -1.0, 0.5, 0.0],
            b: vec![1.0, 4.0, -2.0, 0.25],
            magnitude: None,
        };
        let weight = vec![0.5, -0.25, 8.0, 1.0, 2.0, 3.0];
        let mut merged = weight.clone();
        merge(&mut merged, &pair, 2.0);
        // Row 0: 2 · (1·(1, 2, 3) + 4·(−1, ½, 0)) added to it.
        assert_eq!(merged[..3], [0.5 - 6.0, -0.25 + 8.0, 8.0 + 6.0]);
        split(&mut merged, &pair, 2.0);
        assert_eq!(merged, weight);
    }
}
