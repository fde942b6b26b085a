//! What a killed run goes on from: weights, moments, and where it stood.
//!
//! A checkpoint is a folder put into place whole. Data order, learning rate
//! and dropout follow from seed and step number, so nothing of them is saved;
//! a resumed run equals an uninterrupted one to the last bit.

use crate::error::{Error, Result};
use crate::step::Trainer;
use crate::watch::Watch;
use penname_engine::op::Trained;
use penname_engine::{DType, Device, Extent, TensorId};
use penname_ledger::write::{self, Staged};
use penname_ledger::{Hash, Run};
use penname_model::weights::{Outgoing, TensorInfo, Values, write_safetensors};
use penname_model::{Checkpoint, Storage};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

const TENSORS: &str = "tensors.safetensors";
const STATE: &str = "state.json";
/// Checkpoints that are kept; the one before the newest survives a disk that lied about syncing.
const KEPT: usize = 2;

/// Where a run stood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Optimizer steps done.
    pub step: u64,
    /// Hash of data, settings, base and seed.
    pub fingerprint: Hash,
    /// Held-out loss of the base model, in nats per token.
    pub base_nats: f64,
    /// Best evaluation so far.
    pub watch: Watch,
    /// Trained tokens seen.
    pub n_trained: u64,
    /// Rows computed.
    pub n_tokens: u64,
    /// Time spent, in seconds.
    pub seconds: f64,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Vec<f32>>;

/// Reads every trained weight from the device.
pub fn weights(trainer: &Trainer, device: &mut dyn Device) -> Tensors {
    let name = |id: TensorId| trainer.session.program().tensor(id).name.clone();
    let read = |w: &Trained| (name(w.weight), trainer.session.read(device, w.weight, Extent::default()));
    trainer.update.weights.iter().map(read).collect()
}

/// Reads what is measured and kept: the averages of the trained weights, or the weights.
pub fn kept(trainer: &Trainer, device: &mut dyn Device) -> Tensors {
    if trainer.update.averages.is_empty() {
        return weights(trainer, device);
    }
    let name = |id: TensorId| trainer.session.program().tensor(id).name.clone();
    let pairs = trainer.update.weights.iter().zip(&trainer.update.averages);
    let read =
        pairs.map(|(w, average)| (name(w.weight), trainer.session.read(device, *average, Extent::default())));
    read.collect()
}

/// Writes trained weights to the device, as what they are and as what they were on average.
///
/// # Errors
/// When one is missing or of another size.
pub fn set_weights(trainer: &Trainer, device: &mut dyn Device, path: &Path, tensors: &Tensors) -> Result<()> {
    for (at, w) in trainer.update.weights.iter().enumerate() {
        set(trainer, device, path, tensors, (w.weight, ""))?;
        if let Some(average) = trainer.update.averages.get(at) {
            let name = &trainer.session.program().tensor(w.weight).name;
            trainer.session.write(device, *average, Extent::default(), &tensors[name]);
        }
    }
    Ok(())
}

/// Saves a run's state as its checkpoint of this step, and removes old ones.
///
/// # Errors
/// When the file system refuses; earlier checkpoints are untouched then.
pub fn save(run: &Run, trainer: &Trainer, device: &mut dyn Device, state: &State) -> Result<()> {
    let staged = Staged::create(&run.checkpoint(state.step))?;
    let device = RefCell::new(device);
    let named = |w: &Trained, id: TensorId, what: &str| {
        let name = format!("{what}/{}", trainer.session.program().tensor(w.weight).name);
        outgoing(trainer, &device, id, name.trim_start_matches('/').to_owned())
    };
    let parts = |w: &Trained| -> Vec<Outgoing<'_>> {
        let moments = w.moments.parts().into_iter();
        [("", w.weight)].into_iter().chain(moments).map(|(what, id)| named(w, id, what)).collect()
    };
    let update = &trainer.update;
    let averages = update.weights.iter().zip(&update.averages);
    let averages = averages.map(|(w, average)| named(w, *average, "average"));
    let tensors = update.weights.iter().flat_map(parts).chain(averages).collect();
    write_safetensors(&staged.dir().join(TENSORS), tensors, &BTreeMap::new())?;
    write::json(&staged.dir().join(STATE), state)?;
    staged.commit()?;
    for (_, old) in run.checkpoints()?.into_iter().skip(KEPT) {
        write::remove_folder(&old)?;
    }
    Ok(())
}

/// A tensor of the device on its way into a file: read when its turn comes, and no other then.
fn outgoing<'a>(
    trainer: &'a Trainer,
    device: &'a RefCell<&mut dyn Device>,
    id: TensorId,
    name: String,
) -> Outgoing<'a> {
    let n = numbers(trainer, id);
    let is_codes = is_codes(trainer, id);
    let read = RefCell::new(Vec::new());
    let fill = move |range: Range<usize>, out: &mut [f32]| {
        let mut read = read.borrow_mut();
        if range.start == 0 {
            let (device, extent) = (&mut **device.borrow_mut(), Extent::default());
            *read = if is_codes {
                let words = trainer.session.read_ids(device, id, extent);
                words.iter().flat_map(|word| word.to_le_bytes()).map(f32::from).collect()
            } else {
                trainer.session.read(device, id, extent)
            };
        }
        out.copy_from_slice(&read[range.clone()]);
        if range.end == n {
            *read = Vec::new();
        }
    };
    // bf16 has every code as it is.
    let dtype = if is_codes { Storage::BF16 } else { Storage::F32 };
    let info = TensorInfo { shape: vec![n], dtype };
    Outgoing { name, info, values: Values::Rows(Box::new(fill)) }
}

fn is_codes(trainer: &Trainer, id: TensorId) -> bool {
    trainer.session.program().tensor(id).dtype == DType::U32
}

/// Numbers of a tensor in a file, where a code is one.
fn numbers(trainer: &Trainer, id: TensorId) -> usize {
    let program = trainer.session.program();
    let codes_in_a_word = if is_codes(trainer, id) { size_of::<u32>() } else { 1 };
    program.rows(id) * program.cols(id) * codes_in_a_word
}

/// The newest checkpoint of a run.
///
/// # Errors
/// When its files cannot be read.
pub fn newest(run: &Run) -> Result<Option<(State, PathBuf)>> {
    let Some((_, path)) = run.checkpoints()?.into_iter().next() else { return Ok(None) };
    let file = path.join(STATE);
    let text = std::fs::read(&file).map_err(|source| Error::Read { path: file.clone(), source })?;
    let state = serde_json::from_slice(&text).map_err(|source| Error::State { path: file, source })?;
    Ok(Some((state, path)))
}

/// Puts weights, moments and averages of a checkpoint on the device.
///
/// # Errors
/// When a tensor is missing or of another size.
pub fn load(path: &Path, trainer: &Trainer, device: &mut dyn Device) -> Result<()> {
    let tensors = read_tensors(&path.join(TENSORS))?;
    for w in &trainer.update.weights {
        set(trainer, device, path, &tensors, (w.weight, ""))?;
        for (what, id) in w.moments.parts() {
            set(trainer, device, path, &tensors, (id, &format!("{what}/")))?;
        }
    }
    let averages = trainer.update.averages.iter();
    averages.into_iter().try_for_each(|id| set(trainer, device, path, &tensors, (*id, "average/")))
}

fn set(
    trainer: &Trainer,
    device: &mut dyn Device,
    path: &Path,
    tensors: &Tensors,
    (id, prefix): (TensorId, &str),
) -> Result<()> {
    let program = trainer.session.program();
    // Moments are called after their weight, in the program with a blank and in the file with a slash.
    let tensor = program.tensor(id).name.replacen(&prefix.replace('/', " "), prefix, 1);
    let expected = numbers(trainer, id);
    let found = tensors.get(&tensor).map_or(0, Vec::len);
    match tensors.get(&tensor) {
        Some(values) if found == expected => {
            if is_codes(trainer, id) {
                let word = |codes: &[f32]| codes.iter().rev().fold(0, |word, code| word << 8 | *code as u32);
                let words: Vec<u32> = values.chunks(size_of::<u32>()).map(word).collect();
                trainer.session.write_ids(device, id, Extent::default(), &words);
            } else {
                trainer.session.write(device, id, Extent::default(), values);
            }
            Ok(())
        }
        _ => Err(Error::Checkpoint { path: path.to_owned(), tensor, found, expected }),
    }
}

/// Writes tensors as one safetensors file of flat arrays.
///
/// # Errors
/// When the file system refuses.
pub fn write_tensors(path: &Path, tensors: &Tensors) -> Result<()> {
    let outgoing = tensors
        .iter()
        .map(|(name, values)| Outgoing::from_values(name, [values.len()], Storage::F32, values));
    Ok(write_safetensors(path, outgoing.collect(), &BTreeMap::new())?)
}

/// Reads what [`write_tensors`] wrote.
///
/// # Errors
/// When the file cannot be read.
pub fn read_tensors(path: &Path) -> Result<Tensors> {
    let file = Checkpoint::open(path)?;
    let names: Vec<String> = file.names().map(str::to_owned).collect();
    let mut tensors = Tensors::new();
    for name in names {
        let mut values = Vec::new();
        file.read_f32(&name, &mut values)?;
        tensors.insert(name, values);
    }
    Ok(tensors)
}
