//! A whole model as one GGUF file, as llama.cpp's converters write them.
//!
//! Vectors, learned positions and routers stay f32 whatever is asked for, which the kernels of
//! llama.cpp expect; of a model in four bits the embedding and the head keep eight, because every
//! token passes through them. A row that does not fill whole blocks is stored as F16. Experts are a
//! tensor for each linear, all of a layer in it; those in MXFP4 that nothing was trained of stay so.

use std::path::Path;

use super::architecture::Architecture;
use super::metadata::Metadata;
use super::value::Value;
use super::{ARCHITECTURE, write_gguf};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::Outgoing;
use crate::whole::{Experts, Whole};

/// Divisors of the rotary frequencies, where they follow a rule that only a table can tell.
const ROPE_FREQS: &str = "rope_freqs.weight";

/// Tensors that are f32 in every file, by a part of their name.
const ALWAYS_F32: &[&str] = &["position_embd.", "ffn_gate_inp."];

/// Tensors every token passes through.
const ENDS: &[&str] = &["token_embd.weight", "output.weight"];

/// The metadata of a model called `name`, without those of a tokenizer.
///
/// # Errors
/// When GGUF has no name for the architecture.
pub fn model_metadata(config: &Config, name: &str, storage: Storage) -> Result<Metadata> {
    let architecture = Architecture::of_model(&config.model_type)?;
    let mut metadata = Metadata::default();
    for (key, value) in [(ARCHITECTURE, architecture.name), ("general.type", "model"), ("general.name", name)]
    {
        metadata.insert(key, Value::Text(value.to_owned()))?;
    }
    metadata.insert("general.file_type", Value::U32(file_type(storage)))?;
    metadata.insert("general.quantization_version", Value::U32(2))?;
    config.to_gguf(architecture, &mut metadata)?;
    Ok(metadata)
}

/// Writes a model to `path`, all or nothing; `metadata` as [`model_metadata`] begins them.
///
/// # Errors
/// When GGUF has no name for a tensor, the storage cannot be written, or the file system refuses.
pub fn write_model(path: &Path, whole: &Whole<'_>, storage: Storage, metadata: &Metadata) -> Result<()> {
    let config = whole.config();
    let architecture = Architecture::of_model(&config.model_type)?;
    let divisors = config.rope_divisors();
    let mut tensors: Vec<Outgoing<'_>> = Vec::new();
    for parameter in whole.parameters() {
        if let Some(experts) = whole.experts(parameter) {
            tensors.extend(parts(architecture, &parameter.name, experts, storage)?);
            continue;
        }
        let name = name_of(architecture, &parameter.name)?;
        let order = architecture.row_order(&name, &parameter.shape, config)?;
        let stored = storage_for(&name, &parameter.shape, storage);
        tensors.push(whole.outgoing(parameter, name, stored, order));
    }
    if let Some(divisors) = &divisors {
        tensors.push(Outgoing::from_values(ROPE_FREQS, [divisors.len()], Storage::F32, divisors));
    }
    write_gguf(path, metadata, &tensors)
}

/// The tensors of a parameter of experts: a part of all of them in each.
fn parts<'s>(
    architecture: &Architecture,
    parameter: &str,
    experts: Experts<'s>,
    storage: Storage,
) -> Result<Vec<Outgoing<'s>>> {
    let (module, leaf) = parameter.rsplit_once('.').unwrap_or_default();
    let leaf = if leaf.ends_with("_bias") { "bias" } else { "weight" };
    let shape = experts.part_shape();
    let part = |(part, of): (usize, &&str)| {
        let name = name_of(architecture, &format!("{module}.{of}.{leaf}"))?;
        let stored = storage_for(&name, &shape, storage);
        Ok(experts.part(part, name, stored))
    };
    experts.parts().iter().enumerate().map(part).collect()
}

fn name_of(architecture: &Architecture, published: &str) -> Result<String> {
    architecture.gguf_name(published).ok_or_else(|| Error::TensorUnknown { tensor: published.to_owned() })
}

/// How a tensor is stored in a model that is to be stored as `wanted`.
pub fn storage_for(gguf_name: &str, shape: &[usize], wanted: Storage) -> Storage {
    if shape.len() < 2
        || ALWAYS_F32.iter().any(|part| gguf_name.contains(part))
        || gguf_name.ends_with(".bias")
    {
        return Storage::F32;
    }
    let fitting = match wanted {
        Storage::Q4_0 if ENDS.contains(&gguf_name) => Storage::Q8_0,
        wanted => wanted,
    };
    let row_len = shape.last().copied().unwrap_or(1);
    if row_len.is_multiple_of(fitting.format().block_len) { fitting } else { Storage::F16 }
}

/// The number llama.cpp gives a file that is mostly stored so.
fn file_type(storage: Storage) -> u32 {
    match storage {
        Storage::F16 => 1,
        Storage::Q4_0 => 2,
        Storage::Q8_0 => 7,
        Storage::BF16 => 32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_tensors_keep_more() {
        let check = |name: &str, shape: &[usize], wanted, expected| {
            assert_eq!(storage_for(name, shape, wanted), expected, "{name} {shape:?} {wanted}");
        };
        check("blk.0.attn_q.weight", &[64, 64], Storage::Q4_0, Storage::Q4_0);
        check("blk.0.attn_q.weight", &[64, 48], Storage::Q4_0, Storage::F16);
        check("blk.0.attn_q.bias", &[64], Storage::Q8_0, Storage::F32);
        check("token_embd.weight", &[64, 64], Storage::Q4_0, Storage::Q8_0);
        check("position_embd.weight", &[64, 64], Storage::F16, Storage::F32);
        check("blk.3.ffn_gate_inp.weight", &[8, 64], Storage::BF16, Storage::F32);
        check("blk.3.ffn_up_exps.bias", &[8, 64], Storage::Q8_0, Storage::F32);
        check("blk.3.ffn_up_exps.weight", &[8, 32, 20], Storage::Q8_0, Storage::F16);
    }
}
