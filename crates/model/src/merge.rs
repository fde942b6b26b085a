//! From a base and what was trained on it to one model in a folder.

mod experts;

use crate::arch::Architecture;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::peft::Pair;
use crate::quant::Storage;
use crate::weights::{
    CONFIG, Checkpoint, Outgoing, SHARD_BYTES, TensorInfo, Values, transposed, write_shards,
};
use crate::whole::{Pairs, Whole};
use penname_ledger::write::{self, Staged};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

/// Adds `sign · s · B·A` to rows of a weight (N, K), in f32.
fn add_pair(pair: &Pair, scale: f32, rows: std::ops::Range<usize>, weight: &mut [f32]) {
    for (n, row) in rows.zip(weight.chunks_mut(pair.n_in)) {
        for (r, a) in pair.a.chunks(pair.n_in).enumerate() {
            let b = pair.b[n * pair.rank + r] * scale;
            row.iter_mut().zip(a).for_each(|(w, a)| *w += b * a);
        }
    }
}

/// Makes rows as long as they were trained to be.
fn stretch(magnitude: &[f32], rows: std::ops::Range<usize>, n_in: usize, weight: &mut [f32]) {
    for (length, row) in magnitude[rows].iter().zip(weight.chunks_mut(n_in)) {
        let found = row.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>().sqrt();
        // A row of zeros has no direction to be long in.
        let factor = if found > 0.0 { (f64::from(*length) / found) as f32 } else { 0.0 };
        row.iter_mut().for_each(|w| *w *= factor);
    }
}

/// Lays an adapter into rows of a weight (N, K): adds its pair, then makes rows as long as it says.
pub fn merge_rows(pair: &Pair, scale: f32, rows: std::ops::Range<usize>, weight: &mut [f32]) {
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

/// Writes base and adapter as one model in a folder of its own, all or nothing; see [`write_whole`].
///
/// # Errors
/// When a pair belongs to no weight of the base, or the file system refuses.
pub fn save_merged(
    base: &Checkpoint,
    config: &Config,
    (adapter, pairs): Pairs<'_>,
    dtype: Storage,
    folder: &Path,
) -> Result<()> {
    let of_experts = experts::parameters(config)?;
    for module in pairs.keys().filter(|module| of_experts.iter().all(|parameter| parameter.name != **module))
    {
        base.tensor(&format!("{module}.weight"))?;
    }
    save(base, config, dtype, folder, |name, rows, out| {
        if let (Some(pair), Some(experts)) = (pairs.get(name), &config.experts) {
            return experts::add_pairs(pair, experts.count, adapter.scale_for(name) as f32, rows, out);
        }
        let module = name.strip_suffix(".weight").unwrap_or(name);
        if let Some(pair) = pairs.get(module) {
            merge_rows(pair, adapter.scale_for(module) as f32, rows, out);
        }
    })
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
    write::json(&dir.join(CONFIG), &whole.config().to_hf_json(dtype))?;
    files.push(CONFIG.to_owned());
    Ok(files)
}

/// Writes a model whose tensors in `trained` take the place of the base's, as f32 with `config.json`.
///
/// # Errors
/// When a trained tensor is not one of the base's, or the file system refuses.
pub fn save_trained(
    base: &Checkpoint,
    config: &Config,
    trained: &BTreeMap<String, Vec<f32>>,
    folder: &Path,
) -> Result<()> {
    let of_experts = experts::parameters(config)?;
    for (name, values) in trained {
        let shape = of_experts.iter().find(|parameter| parameter.name == *name).map(|found| &found.shape);
        if shape.is_some_and(|shape| shape.iter().product::<usize>() == values.len()) {
            continue;
        }
        let info = base.info(name)?;
        if info.n_values() != values.len() {
            return Err(Error::TensorShape {
                tensor: name.clone(),
                found: vec![values.len()],
                expected: info.shape.clone(),
            });
        }
    }
    save(base, config, Storage::F32, folder, |name, rows, out| {
        if let Some(values) = trained.get(name) {
            let cols = out.len() / rows.len().max(1);
            out.copy_from_slice(&values[rows.start * cols..rows.end * cols]);
        }
    })
}

fn save(
    base: &Checkpoint,
    config: &Config,
    dtype: Storage,
    folder: &Path,
    change: impl Fn(&str, std::ops::Range<usize>, &mut [f32]),
) -> Result<()> {
    let staged = Staged::create(folder)?;
    let mut tensors = Vec::new();
    let architecture = Architecture::find(&config.model_type)?;
    let of_experts = experts::parameters(config)?;
    for parameter in &of_experts {
        tensors.extend(experts::outgoing(base, parameter, dtype, &change)?);
    }
    for name in base.names().filter(|name| !experts::is_of_experts(name, &of_experts)) {
        let tensor = base.tensor(name)?;
        let mut info = tensor.info().clone();
        info.dtype = dtype;
        let change = &change;
        if architecture.turns(name) {
            tensors.push(turned(base, name, info, change));
            continue;
        }
        let rows = move |rows: std::ops::Range<usize>, out: &mut [f32]| {
            tensor.read_rows_f32(rows.clone(), out);
            change(name, rows, out);
        };
        tensors.push(Outgoing { name: name.to_owned(), info, values: Values::Rows(Box::new(rows)) });
    }
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_shards(staged.dir(), tensors, &metadata, SHARD_BYTES)?;
    write::json(&staged.dir().join(CONFIG), &config.to_hf_json(dtype))?;
    Ok(staged.commit()?)
}

/// A linear on its way into a file that has it as (in, out).
fn turned<'a>(
    base: &'a Checkpoint,
    name: &'a str,
    mut info: TensorInfo,
    change: &'a impl Fn(&str, std::ops::Range<usize>, &mut [f32]),
) -> Outgoing<'a> {
    if !base.is_published() {
        info.shape.reverse();
    }
    let (n_in, n_out) = (info.n_rows(), info.row_len());
    let made = RefCell::new(Vec::new());
    let rows = move |rows: std::ops::Range<usize>, out: &mut [f32]| {
        let mut made = made.borrow_mut();
        if rows.start == 0 {
            let mut values = base.read_turned(name).unwrap_or_default();
            change(name, 0..n_out, &mut values);
            *made = transposed(&values, n_out, n_in);
        }
        out.copy_from_slice(&made[rows.start * n_out..rows.end * n_out]);
        if rows.end == n_in {
            *made = Vec::new();
        }
    };
    Outgoing { name: name.to_owned(), info, values: Values::Rows(Box::new(rows)) }
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
