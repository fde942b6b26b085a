//! A low-rank adapter as one GGUF file, as llama.cpp's `convert_lora_to_gguf` lays it out.
//!
//! ```text
//! general.type = "adapter"   adapter.type = "lora"   adapter.lora.alpha = α
//! <tensor of the base>.lora_a   (R, in)
//! <tensor of the base>.lora_b   (out, R), rows in the order of the base's tensor
//! ```
//!
//! The engine multiplies B·A by α over the rank it sees in the tensors. A scale that is anything
//! else, as rank-stabilised pairs and exceptions have it, goes into B. Both halves stand as PEFT has
//! them, also beside linears that their publisher stores the other way round.

use std::collections::BTreeMap;
use std::path::Path;

use super::architecture::Architecture;
use super::metadata::Metadata;
use super::parse::{Gguf, GgufTensor};
use super::value::Value;
use super::{ARCHITECTURE, write_gguf};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::peft::{AdapterConfig, Pair};
use crate::quant::Storage;
use crate::weights::{Mapped, Outgoing, RowOrder};

const TYPE: &str = "general.type";
const ADAPTER: &str = "adapter.type";
const ALPHA: &str = "adapter.lora.alpha";
const A: &str = ".lora_a";
const B: &str = ".lora_b";

/// Writes an adapter for a base of this configuration to `path`, all or nothing.
///
/// # Errors
/// When GGUF has no name for a module, or the file system refuses.
pub fn write_lora(
    path: &Path,
    base: &Config,
    (config, pairs): (&AdapterConfig, &BTreeMap<String, Pair>),
    name: &str,
) -> Result<()> {
    if config.use_dora {
        return Err(Error::FieldUnsupported {
            field: "use_dora".to_owned(),
            found: "true".to_owned(),
            expected: "false: an adapter in GGUF has pairs and no lengths".to_owned(),
        });
    }
    let architecture = Architecture::of_model(&base.model_type)?;
    let mut metadata = Metadata::default();
    let texts =
        [(ARCHITECTURE, architecture.name), (TYPE, "adapter"), (ADAPTER, "lora"), ("general.name", name)];
    for (key, value) in texts {
        metadata.insert(key, Value::Text(value.to_owned()))?;
    }
    metadata.insert(ALPHA, Value::F32(config.alpha as f32))?;
    metadata.insert("general.file_type", Value::U32(0))?;
    metadata.insert("general.quantization_version", Value::U32(2))?;
    let mut tensors = Vec::new();
    for (module, pair) in pairs {
        let tensor = format!("{module}.weight");
        let Some(name) = architecture.gguf_name(&tensor) else {
            return Err(Error::TensorUnknown { tensor });
        };
        let order = architecture.row_order(&name, &[pair.n_out, pair.n_in], base)?;
        let factor = (config.scale_for(module) * pair.rank as f64 / config.alpha) as f32;
        tensors.push(Outgoing::from_values(
            format!("{name}{A}"),
            [pair.rank, pair.n_in],
            Storage::F32,
            &pair.a,
        ));
        tensors.push(half_b(format!("{name}{B}"), pair, order, factor));
    }
    write_gguf(path, &metadata, &tensors)
}

/// B with its rows in the order of the base, and what the engine's own scale leaves out.
fn half_b(name: String, pair: &Pair, order: RowOrder, factor: f32) -> Outgoing<'_> {
    let mut outgoing = Outgoing::from_values(name, [pair.n_out, pair.rank], Storage::F32, &pair.b);
    let fill = move |rows: std::ops::Range<usize>, out: &mut [f32]| {
        for (row, out) in rows.zip(out.chunks_exact_mut(pair.rank)) {
            let from = &pair.b[order.published_row(row) * pair.rank..][..pair.rank];
            out.iter_mut().zip(from).for_each(|(out, b)| *out = b * factor);
        }
    };
    outgoing.values = crate::weights::Values::Rows(Box::new(fill));
    outgoing
}

/// Reads an adapter that belongs to a base of this configuration.
///
/// # Errors
/// When the file is no adapter, is one for another architecture or of another kind, holds a tensor
/// that is not half of a pair, or contradicts itself.
pub fn read_lora(path: &Path, base: &Config) -> Result<(AdapterConfig, BTreeMap<String, Pair>)> {
    let file = Mapped::open(path)?;
    parse_lora(file.bytes(), base).map_err(|error| error.in_file(path))
}

/// As [`read_lora`], from the bytes of a file.
///
/// # Errors
/// As [`read_lora`].
pub fn parse_lora(file: &[u8], base: &Config) -> Result<(AdapterConfig, BTreeMap<String, Pair>)> {
    let Gguf { metadata, tensors, .. } = Gguf::parse(file)?;
    for (key, expected) in [(TYPE, "adapter"), (ADAPTER, "lora")] {
        check_text(&metadata, key, expected)?;
    }
    let architecture = Architecture::of_model(&base.model_type)?;
    check_text(&metadata, ARCHITECTURE, architecture.name)?;
    let alpha = metadata.real(ALPHA)?.ok_or_else(|| Error::FieldMissing { field: ALPHA.to_owned() })?;
    let tensors: BTreeMap<&str, &GgufTensor> = tensors.iter().map(|t| (t.name.as_str(), t)).collect();
    let mut pairs = BTreeMap::new();
    for name in tensors.keys() {
        let half = name.strip_suffix(A).map(|of| (of, B)).or_else(|| Some((name.strip_suffix(B)?, A)));
        let (of, other) = half.ok_or_else(|| Error::AdapterTensor { tensor: (*name).to_owned() })?;
        let missing = || Error::AdapterUnpaired { tensor: format!("{of}{other}") };
        let other_half = tensors.get(format!("{of}{other}").as_str()).ok_or_else(missing)?;
        if other == B {
            let module = module_of(architecture, of, name)?;
            let pair = read_pair(file, tensors[name], other_half, (architecture, base, of))?;
            pairs.insert(module, pair);
        }
    }
    Ok((settings(alpha, &pairs)?, pairs))
}

fn check_text(metadata: &Metadata, key: &str, expected: &str) -> Result<()> {
    match metadata.text(key)? {
        Some(found) if found == expected => Ok(()),
        Some(found) => Err(Error::FieldUnsupported {
            field: key.to_owned(),
            found: format!("{found:?}"),
            expected: format!("{expected:?}"),
        }),
        None => Err(Error::FieldMissing { field: key.to_owned() }),
    }
}

fn module_of(architecture: &Architecture, tensor: &str, half: &str) -> Result<String> {
    let published = architecture.published_name(tensor);
    let module = published.as_deref().and_then(|name| name.strip_suffix(".weight"));
    module.map(str::to_owned).ok_or_else(|| Error::AdapterTensor { tensor: half.to_owned() })
}

fn read_pair(
    file: &[u8],
    a: &GgufTensor,
    b: &GgufTensor,
    (architecture, base, of): (&Architecture, &Config, &str),
) -> Result<Pair> {
    let shape = |tensor: &GgufTensor, expected: [usize; 2]| match tensor.info.shape[..] {
        [rows, cols] if [rows, cols] == expected => Ok(()),
        _ => Err(Error::TensorShape {
            tensor: tensor.name.clone(),
            found: tensor.info.shape.clone(),
            expected: expected.to_vec(),
        }),
    };
    let (rank, n_in, n_out) = (a.info.n_rows(), a.info.row_len(), b.info.n_rows());
    shape(a, [rank, n_in])?;
    shape(b, [n_out, rank])?;
    let order = architecture.row_order(of, &[n_out, n_in], base)?;
    let stored = values(file, b);
    let rows = (0..n_out).map(|row| order.stored_row(row));
    let b = rows.flat_map(|row| &stored[row * rank..(row + 1) * rank]).copied().collect();
    Ok(Pair { rank, n_in, n_out, a: values(file, a), b, magnitude: None })
}

fn values(file: &[u8], tensor: &GgufTensor) -> Vec<f32> {
    let mut values = vec![0.0; tensor.info.n_values()];
    tensor.info.dtype.format().decode(&file[tensor.bytes.clone()], &mut values);
    values
}

/// The settings that give every pair the scale α over its own rank.
fn settings(alpha: f64, pairs: &BTreeMap<String, Pair>) -> Result<AdapterConfig> {
    let Some(first) = pairs.values().next() else { return Err(Error::AdapterEmpty) };
    let mut config = AdapterConfig::new(first.rank, alpha, pairs.keys().cloned());
    let others = pairs.iter().filter(|(_, pair)| pair.rank != first.rank);
    config.rank_pattern = others.map(|(module, pair)| (format!("^{module}"), pair.rank)).collect();
    config.check()?;
    Ok(config)
}
