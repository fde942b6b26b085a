//! Writing a `.bin`.

use std::io::{self, Write};
use std::path::Path;

use penname_ledger::write::Atomic;

use super::layout::{Header, Part};
use super::{HEAD_BYTES, MAGIC, NORM_EPS, ROPE_THETA, Version};
use crate::config::{Config, RopeScaling};
use crate::error::{Error, Result};
use crate::weights::Outgoing;
use crate::weights::tensor::RowOrder;

/// Writes a model to `path`, all or nothing. `tensors` carry their published names and have their
/// rows in published order, whatever format they are in; they are put into the order of this
/// container, one at a time in memory.
///
/// # Errors
///
/// When the container has no place for something the model computes with, a tensor is missing,
/// misshapen or left over, groups do not come out even, or the file cannot be written.
pub fn write_llama2c(path: &Path, config: &Config, version: Version, tensors: &[Outgoing<'_>]) -> Result<()> {
    let header = header(config, version)?;
    header.check_groups()?;
    let parts = header.parts();
    check_tensors(&parts, config, tensors)?;
    let mut file = Atomic::create(path)?;
    // A failed write is kept by the file and told by `commit`.
    let _kept = write_all(&mut file, &header, &parts, tensors);
    Ok(file.commit()?)
}

/// The header of a model, if everything it computes with has a place in it.
fn header(config: &Config, version: Version) -> Result<Header> {
    let plain = [
        ("model_type", config.model_type.clone(), config.model_type == "llama", "llama"),
        ("rope_theta", config.rope_theta.to_string(), config.rope_theta == ROPE_THETA, "10000"),
        (
            "rope_scaling",
            format!("{:?}", config.rope_scaling),
            config.rope_scaling == RopeScaling::None,
            "none",
        ),
        (
            "head_dim",
            config.head_width.to_string(),
            config.query_width() == config.width,
            "the width by the heads",
        ),
        (
            "rms_norm_eps",
            config.norm_eps.to_string(),
            (config.norm_eps as f32) == (NORM_EPS as f32),
            "0.00001",
        ),
        ("attention_bias", "true".to_owned(), !(config.qkv_bias || config.output_bias), "false"),
        ("mlp_bias", "true".to_owned(), !config.mlp_bias, "false"),
    ];
    if let Some((field, found, _, expected)) = plain.into_iter().find(|(_, _, fits, _)| !fits) {
        let expected = format!("{expected}, which is all that llama2.c computes");
        return Err(Error::FieldUnsupported { field: field.to_owned(), found, expected });
    }
    Ok(Header {
        version,
        width: config.width,
        feed_forward: config.feed_forward,
        n_layers: config.n_layers,
        n_heads: config.n_heads,
        n_kv_heads: config.n_kv_heads,
        vocab_size: config.vocab_size,
        context: config.context,
        tied: config.tied,
    })
}

/// Every weight is there in its shape, and nothing else but what a tied head may leave behind.
fn check_tensors(parts: &[Part], config: &Config, tensors: &[Outgoing<'_>]) -> Result<()> {
    for part in parts {
        let Part::Weight { name, shape, .. } = part else { continue };
        let missing = || Error::TensorMissing { tensor: name.clone(), shape: shape.clone() };
        let tensor = tensors.iter().find(|tensor| tensor.name == *name).ok_or_else(missing)?;
        if tensor.info.shape != *shape {
            let (found, expected) = (tensor.info.shape.clone(), shape.clone());
            return Err(Error::TensorShape { tensor: name.clone(), found, expected });
        }
    }
    let is_part =
        |wanted: &str| parts.iter().any(|p| matches!(p, Part::Weight { name, .. } if name == wanted));
    let is_spare =
        |name: &str| (config.tied && name == "lm_head.weight") || name.ends_with(".rotary_emb.inv_freq");
    let left = tensors.iter().map(|tensor| tensor.name.as_str());
    let unused: Vec<String> =
        left.filter(|name| !is_part(name) && !is_spare(name)).map(str::to_owned).collect();
    if unused.is_empty() { Ok(()) } else { Err(Error::TensorsUnused { names: unused }) }
}

fn head(header: &Header) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |number: usize| bytes.extend((number as i32).to_le_bytes());
    if header.version != Version::V0 {
        put(MAGIC as usize);
        put(header.version.number() as usize);
    }
    for number in [header.width, header.feed_forward, header.n_layers, header.n_heads, header.n_kv_heads] {
        put(number);
    }
    let is_negative = header.version == Version::V0 && !header.tied;
    let vocab_size = header.vocab_size as i32;
    bytes.extend((if is_negative { -vocab_size } else { vocab_size }).to_le_bytes());
    bytes.extend((header.context as i32).to_le_bytes());
    if header.version != Version::V0 {
        bytes.push(header.tied.into());
    }
    if let Version::V2 { group } = header.version {
        bytes.extend((group as i32).to_le_bytes());
    }
    bytes.resize(HEAD_BYTES[header.version.number() as usize], 0);
    bytes
}

fn write_all(file: &mut Atomic, header: &Header, parts: &[Part], tensors: &[Outgoing<'_>]) -> io::Result<()> {
    file.write_all(&head(header))?;
    for part in parts {
        let Part::Weight { name, order, .. } = part else {
            write_values(file, &angles(header))?;
            continue;
        };
        let Some(tensor) = tensors.iter().find(|tensor| tensor.name == *name) else { continue };
        let values = in_order(tensor, *order);
        match header.version {
            Version::V2 { group } if tensor.info.shape.len() == 2 => write_groups(file, &values, group)?,
            _ => write_values(file, &values)?,
        }
    }
    Ok(())
}

/// All values of a tensor, its rows as this container has them.
fn in_order(tensor: &Outgoing<'_>, order: RowOrder) -> Vec<f32> {
    let published = tensor.to_f32();
    if order == RowOrder::AsPublished {
        return published;
    }
    let row_len = tensor.info.row_len();
    let mut values = vec![0.0; published.len()];
    for (row, from) in published.chunks_exact(row_len).enumerate() {
        let at = order.stored_row(row) * row_len;
        values[at..at + row_len].copy_from_slice(from);
    }
    values
}

/// Cosines of every position and pair, then the sines: version 0 has them, and no reader needs them.
fn angles(header: &Header) -> Vec<f32> {
    let half = header.head_width() / 2;
    let angle = |at: usize| {
        let (position, pair) = (at / half, at % half);
        let frequency = ROPE_THETA.powf(-2.0 * pair as f64 / header.head_width() as f64) as f32;
        position as f32 * frequency
    };
    let all = 0..header.context * half;
    all.clone().map(|at| angle(at).cos()).chain(all.map(|at| angle(at).sin())).collect()
}

fn write_values(file: &mut Atomic, values: &[f32]) -> io::Result<()> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    file.write_all(&bytes)
}

/// Values of a group over the largest of them by 127, to the nearest whole number, the even one of
/// two; all values, then all scales.
fn write_groups(file: &mut Atomic, values: &[f32], group: usize) -> io::Result<()> {
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let scales: Vec<f32> = values.chunks_exact(group).map(|values| largest(values) / 127.0).collect();
    let code = |value: f32, scale: f32| {
        let steps = if scale == 0.0 { 0.0 } else { (value / scale).round_ties_even() };
        steps.clamp(-127.0, 127.0) as i8 as u8
    };
    let codes = values.chunks_exact(group).zip(&scales);
    let codes: Vec<u8> =
        codes.flat_map(|(values, scale)| values.iter().map(|value| code(*value, *scale))).collect();
    file.write_all(&codes)?;
    write_values(file, &scales)
}
