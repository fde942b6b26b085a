//! Reading a `.bin` without trusting it: the size that its numbers ask for is compared with the file
//! before anything else is done with them.

use std::ops::Range;

use serde_json::json;

use super::layout::{Header, Part};
use super::{BOS, EOS, HEAD_BYTES, MAGIC, NORM_EPS, ROPE_THETA, Version};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::TensorInfo;
use crate::weights::tensor::RowOrder;

/// A model in this container.
#[derive(Debug)]
pub(crate) struct Contents {
    /// What it looks like.
    pub(crate) config: Config,
    /// Its weights.
    pub(crate) weights: Vec<Weight>,
    /// The bytes they lie in, where they are not those of the file: version 2 is decoded to f32.
    pub(crate) decoded: Option<Vec<u8>>,
    /// Values that share a scale in version 2.
    pub(crate) group: Option<usize>,
}

/// A weight in this container.
#[derive(Debug)]
pub(crate) struct Weight {
    /// Its published name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) info: TensorInfo,
    /// Where its bytes lie.
    pub(crate) bytes: Range<usize>,
    /// In which order its rows lie there.
    pub(crate) order: RowOrder,
}

impl Weight {
    fn new(name: String, shape: Vec<usize>, bytes: Range<usize>, order: RowOrder) -> Weight {
        Weight { name, info: TensorInfo { shape, dtype: Storage::F32 }, bytes, order }
    }
}

/// Whether a file is in this container, as far as its beginning tells. Version 0 has no mark, but no
/// other container begins with seven such numbers.
pub(crate) fn is_one(bytes: &[u8]) -> bool {
    /// Larger than any model that was ever put into this container.
    const MOST: [i32; 5] = [1 << 17, 1 << 19, 1 << 10, 1 << 10, 1 << 10];
    let Some(first) = number(bytes, 0) else { return false };
    if first as u32 == MAGIC {
        return true;
    }
    let numbers: Option<Vec<i32>> = (0..7).map(|idx| number(bytes, 4 * idx)).collect();
    let Some(numbers) = numbers else { return false };
    let fits = numbers.iter().zip(MOST).all(|(number, most)| (1..=most).contains(number));
    fits && numbers[5] != 0 && numbers[6] > 0 && numbers[0] % numbers[3] == 0
}

/// Reads the table of contents, and the values where they are not plain f32.
///
/// # Errors
///
/// When the header makes no sense, or the file is not as long as it says.
pub(crate) fn read(bytes: &[u8]) -> Result<Contents> {
    let header = header(bytes)?;
    let expected = header.file_bytes();
    if bytes.len() as u128 != expected {
        return Err(Error::SizeDisagrees { found: bytes.len(), expected });
    }
    header.check_groups()?;
    let config = config(&header)?;
    let start = HEAD_BYTES[header.version.number() as usize];
    match header.version {
        Version::V2 { group } => {
            let (weights, decoded) = decode(&header, group, &bytes[start..]);
            Ok(Contents { config, weights, decoded: Some(decoded), group: Some(group) })
        }
        _ => {
            let weights = place(&header, start);
            Ok(Contents { config, weights, decoded: None, group: None })
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<i32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(i32::from_le_bytes(*four))
}

fn header(bytes: &[u8]) -> Result<Header> {
    let at = |at| {
        let short = || Error::Truncated { what: "the header".into(), offset: at, needed: 4, left: 0 };
        number(bytes, at).ok_or_else(short)
    };
    let marked = at(0)? as u32 == MAGIC;
    let version = if marked { at(4)? } else { 0 };
    let first = if marked { 8 } else { 0 };
    let mut counts = [0; 7];
    for (idx, count) in counts.iter_mut().enumerate() {
        *count = at(first + 4 * idx)?;
    }
    let tied = match (marked, bytes.get(first + 28).copied()) {
        (false, _) => counts[5] > 0,
        (true, Some(flag @ (0 | 1))) => flag == 1,
        (true, flag) => {
            let found = flag.unwrap_or_default().into();
            return Err(Error::BadNumber { what: "the shared head".into(), found, expected: "0 or 1" });
        }
    };
    if !marked {
        counts[5] = counts[5].saturating_abs();
    }
    let version = match version {
        0 if !marked => Version::V0,
        1 => Version::V1,
        2 => Version::V2 { group: count("the length of a group", at(first + 29)?)? },
        other => {
            let found = other.unsigned_abs().into();
            return Err(Error::BadNumber { what: "the version".into(), found, expected: "1 or 2" });
        }
    };
    of_counts(version, tied, counts)
}

fn of_counts(version: Version, tied: bool, counts: [i32; 7]) -> Result<Header> {
    const NAMES: [&str; 7] =
        ["width", "feed-forward width", "layers", "heads", "key heads", "vocabulary", "context"];
    let mut checked = [0; 7];
    for ((to, from), name) in checked.iter_mut().zip(counts).zip(NAMES) {
        *to = count(name, from)?;
    }
    let [width, feed_forward, n_layers, n_heads, n_kv_heads, vocab_size, context] = checked;
    if !width.is_multiple_of(n_heads) {
        let found = n_heads as u64;
        return Err(Error::BadNumber { what: "heads".into(), found, expected: "a divisor of the width" });
    }
    Ok(Header { version, width, feed_forward, n_layers, n_heads, n_kv_heads, vocab_size, context, tied })
}

fn count(what: &str, found: i32) -> Result<usize> {
    usize::try_from(found).ok().filter(|count| *count > 0).ok_or_else(|| Error::BadNumber {
        what: what.to_owned(),
        found: found.unsigned_abs().into(),
        expected: "more than zero",
    })
}

/// The configuration, through the same door as every other.
fn config(header: &Header) -> Result<Config> {
    let special = |id: u32| (header.vocab_size > id as usize).then_some(id);
    Config::from_hf_json(json!({
        "model_type": "llama",
        "hidden_size": header.width,
        "intermediate_size": header.feed_forward,
        "num_hidden_layers": header.n_layers,
        "num_attention_heads": header.n_heads,
        "num_key_value_heads": header.n_kv_heads,
        "vocab_size": header.vocab_size,
        "max_position_embeddings": header.context,
        "rms_norm_eps": NORM_EPS,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": header.tied,
        "bos_token_id": special(BOS),
        "eos_token_id": special(EOS),
    }))
}

/// Where the weights of a file of f32 lie.
fn place(header: &Header, start: usize) -> Vec<Weight> {
    let (mut at, mut weights) = (start, Vec::new());
    for part in header.parts() {
        match part {
            Part::Angles { n_values } => at += 4 * n_values,
            Part::Weight { name, shape, order } => {
                let end = at + 4 * shape.iter().product::<usize>();
                weights.push(Weight::new(name, shape, at..end, order));
                at = end;
            }
        }
    }
    weights
}

/// Decodes version 2 to f32: groups run across rows, so no row stands for itself.
fn decode(header: &Header, group: usize, data: &[u8]) -> (Vec<Weight>, Vec<u8>) {
    let (mut left, mut out, mut weights) = (data, Vec::new(), Vec::new());
    for part in header.parts() {
        let Part::Weight { name, shape, order } = part else { continue };
        let (begin, n_values) = (out.len(), shape.iter().product::<usize>());
        if shape.len() == 1 {
            let (values, rest) = left.split_at(4 * n_values);
            out.extend_from_slice(values);
            left = rest;
        } else {
            let (values, rest) = left.split_at(n_values);
            let (scales, rest) = rest.split_at(4 * (n_values / group));
            for (values, scale) in values.chunks_exact(group).zip(scales.as_chunks::<4>().0) {
                let scale = f32::from_le_bytes(*scale);
                out.extend(values.iter().flat_map(|q| (scale * f32::from(*q as i8)).to_le_bytes()));
            }
            left = rest;
        }
        weights.push(Weight::new(name, shape, begin..out.len(), order));
    }
    (weights, out)
}
