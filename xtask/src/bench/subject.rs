//! The model that a timing of its use is about.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_infer::{Loading, Weights};
use penname_ledger::write;
use penname_model::weights::gguf::{Gguf, GgufTensor, write_gguf};
use penname_model::weights::{Outgoing, TensorInfo, Values};
use penname_model::{Checkpoint, Storage};
use serde_json::{Value, json};

use super::base::Base;
use super::{machine, median, shape};
use crate::{Result, root};

/// Which model, stored how, on how much of the machine.
#[derive(Debug, clap::Args)]
pub(super) struct Subject {
    /// A GGUF file, a folder with safetensors, or the name of a shape.
    #[arg(long)]
    model: PathBuf,
    /// Store the matrices of a GGUF file so; as they are unless said.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What products round their inputs to.
    #[arg(long, value_enum, default_value_t = Rounding::Bf16)]
    precision: Rounding,
    /// How the weights are kept in memory.
    #[arg(long, value_enum, default_value_t = Base::Stored)]
    base: Base,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Rounds that are counted, after one to warm up.
    #[arg(long, default_value_t = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN))]
    pub(super) rounds: NonZeroUsize,
    /// One line of JSON instead of a list.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Format {
    #[value(name = "f32")]
    F32,
    #[value(name = "bf16")]
    Bf16,
    #[value(name = "q8_0")]
    Q8,
    #[value(name = "q4_0")]
    Q4,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rounding {
    Bf16,
    F32,
}

impl Subject {
    /// A device, and the weights on it.
    pub(super) fn load(&self) -> Result<(Cpu, Weights)> {
        let threads = self.threads.map_or_else(std::thread::available_parallelism, Ok)?;
        let mut device = Cpu::with(threads, Isa::best());
        let path = match self.format {
            Some(format) => stored(&self.model, format.into())?,
            None => shape::resolve(&self.model)?,
        };
        let precision = match self.precision {
            Rounding::Bf16 => Precision::Bf16,
            Rounding::F32 => Precision::F32,
        };
        let loading = Loading { precision, keeping: self.base.into() };
        let weights = Weights::load(&Checkpoint::open(path)?, None, loading, &mut device)?;
        Ok((device, weights))
    }
}

/// The figures of some rounds, each of which took `n_tokens` through the model.
pub(super) fn figures(seconds: &[f64], n_tokens: usize) -> Value {
    let median_s = median(seconds);
    json!({
        "tokens_per_s": n_tokens as f64 / median_s,
        "median_s": median_s,
        "min_s": seconds.iter().copied().fold(f64::INFINITY, f64::min),
        "max_s": seconds.iter().copied().fold(0.0, f64::max),
        "peak_rss_bytes": machine::peak_rss_bytes(),
        "load_average": machine::load_average(),
    })
}

/// Token `i` of round `round` is `(7919·i + 13 + round) mod V`: the same on every machine.
pub(super) fn ids(n_ids: usize, round: usize, vocabulary: usize) -> Vec<u32> {
    (0..n_ids).map(|i| ((i * 7919 + 13 + round) % vocabulary) as u32).collect()
}

/// The same model with its matrices in the format of this name.
///
/// # Errors
/// When there is no such format, or the file cannot be read or written.
pub(super) fn stored_as(source: &Path, format: &str) -> Result<PathBuf> {
    stored(source, Format::from_str(format, false)?.into())
}

/// The same model with its matrices in another format, made once and kept in `bench/work`.
fn stored(source: &Path, storage: Storage) -> Result<PathBuf> {
    let stem = source.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy());
    let folder = root().join("bench/work");
    let path = folder.join(format!("{stem}.as-{storage}.gguf"));
    if path.exists() {
        return Ok(path);
    }
    let bytes = fs::read(source)?;
    let file = Gguf::parse(&bytes)?;
    let tensors: Vec<Outgoing<'_>> = file.tensors.iter().map(|one| restored(one, &bytes, storage)).collect();
    write::folder(&folder)?;
    write_gguf(&path, &file.metadata, &tensors)?;
    Ok(path)
}

/// A tensor in another format if it is a matrix whose rows are whole blocks of it.
fn restored<'a>(tensor: &GgufTensor, file: &'a [u8], storage: Storage) -> Outgoing<'a> {
    let TensorInfo { shape, dtype } = tensor.info.clone();
    let bytes = &file[tensor.bytes.clone()];
    let row_len = shape.last().copied().unwrap_or(1);
    let fits = shape.len() > 1 && row_len.is_multiple_of(storage.format().block_len);
    if !fits || dtype == storage {
        let values = Values::Stored(bytes.into());
        return Outgoing { name: tensor.name.clone(), info: tensor.info.clone(), values };
    }
    let row_bytes = bytes.len() / (tensor.info.n_values() / row_len).max(1);
    let fill = move |rows: std::ops::Range<usize>, out: &mut [f32]| {
        dtype.format().decode(&bytes[rows.start * row_bytes..rows.end * row_bytes], out);
    };
    let info = TensorInfo { shape, dtype: storage };
    Outgoing { name: tensor.name.clone(), info, values: Values::Rows(Box::new(fill)) }
}

impl From<Format> for Storage {
    fn from(format: Format) -> Self {
        match format {
            Format::F32 => Self::F32,
            Format::Bf16 => Self::BF16,
            Format::Q8 => Self::Q8_0,
            Format::Q4 => Self::Q4_0,
        }
    }
}
