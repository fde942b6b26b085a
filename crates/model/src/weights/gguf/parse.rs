//! From the bytes of a GGUF file to its table of contents.

use std::ops::Range;

use super::cursor::Cursor;
use super::metadata::Metadata;
use super::value::Value;
use super::{ALIGNMENT, DEFAULT_ALIGNMENT, MAGIC};
use crate::error::{Error, Result};
use crate::quant::{self, Storage};
use crate::weights::TensorInfo;

/// Axes a tensor may have.
const MAX_DIMS: u32 = 4;

/// The table of contents of a GGUF file.
#[derive(Debug, Clone, PartialEq)]
pub struct Gguf {
    /// 2 or 3; the difference is only that 3 may be big-endian, which is refused.
    pub version: u32,
    /// Keys and values.
    pub metadata: Metadata,
    /// The tensors, in the order of the file.
    pub tensors: Vec<GgufTensor>,
}

/// A tensor under its name in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GgufTensor {
    /// For example `blk.0.attn_q.weight`.
    pub name: String,
    /// Shape, outermost axis first, and format.
    pub info: TensorInfo,
    /// Where its bytes lie in the file.
    pub bytes: Range<usize>,
}

impl Gguf {
    /// Reads the table of contents. Afterwards every tensor's bytes are known to be there.
    ///
    /// # Errors
    ///
    /// When the file is cut short or contradicts itself, naming what was being read.
    pub fn parse(bytes: &[u8]) -> Result<Gguf> {
        let mut cursor = Cursor::new(bytes);
        let magic: [u8; 4] = cursor.take_exact()?;
        if magic != *MAGIC {
            return Err(Error::NotGguf { found: magic.to_vec() });
        }
        let version = cursor.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::GgufVersion { found: version });
        }
        let (n_tensors, n_keys) = (cursor.u64()?, cursor.u64()?);
        let metadata = read_metadata(&mut cursor, n_keys)?;
        let headings = read_headings(&mut cursor, n_tensors)?;
        let alignment = alignment(&metadata)?;
        let start = cursor.offset().next_multiple_of(alignment as usize).min(bytes.len());
        let place = |heading| place(heading, alignment, start..bytes.len());
        let tensors = headings.into_iter().map(place).collect::<Result<_>>()?;
        Ok(Gguf { version, metadata, tensors })
    }
}

/// What the file says of a tensor.
struct Heading {
    name: String,
    info: TensorInfo,
    /// From the start of the data.
    offset: u64,
}

fn read_metadata(cursor: &mut Cursor<'_>, n_keys: u64) -> Result<Metadata> {
    let mut metadata = Metadata::default();
    for idx in 0..n_keys {
        cursor.now_reading(format!("metadata key {idx}"));
        let key = cursor.text()?;
        cursor.now_reading(format!("the value of `{key}`"));
        metadata.insert(key, Value::read(cursor)?)?;
    }
    Ok(metadata)
}

fn read_headings(cursor: &mut Cursor<'_>, n_tensors: u64) -> Result<Vec<Heading>> {
    // Name length, number of axes, one axis, type and offset.
    const MIN_BYTES: u64 = 8 + 4 + 8 + 4 + 8;
    cursor.now_reading("the list of tensors".to_owned());
    let mut headings = Vec::with_capacity(cursor.afford(n_tensors, MIN_BYTES)?);
    for idx in 0..n_tensors {
        cursor.now_reading(format!("the name of tensor {idx}"));
        let name = cursor.text()?.to_owned();
        cursor.now_reading(format!("the heading of tensor `{name}`"));
        headings.push(read_heading(cursor, name)?);
    }
    Ok(headings)
}

fn read_heading(cursor: &mut Cursor<'_>, name: String) -> Result<Heading> {
    let n_dims = cursor.u32()?;
    if !(1..=MAX_DIMS).contains(&n_dims) {
        let what = format!("the number of axes of tensor `{name}`");
        return Err(Error::BadNumber { what, found: n_dims.into(), expected: "1 to 4" });
    }
    let mut shape = Vec::with_capacity(n_dims as usize);
    for _ in 0..n_dims {
        let dim = cursor.u64()?;
        let what = || format!("an axis of tensor `{name}`");
        shape.push(usize::try_from(dim).map_err(|_| Error::BadNumber {
            what: what(),
            found: dim,
            expected: "a length that fits this machine",
        })?);
    }
    shape.reverse();
    let ggml_type = cursor.u32()?;
    let dtype = Storage::from_ggml(ggml_type).ok_or_else(|| Error::StorageUnsupported {
        tensor: name.clone(),
        found: format!("ggml type {ggml_type}"),
        expected: quant::ALL.iter().map(|format| format.name).collect::<Vec<_>>().join(", "),
    })?;
    Ok(Heading { name, info: TensorInfo { shape, dtype }, offset: cursor.u64()? })
}

pub(super) fn alignment(metadata: &Metadata) -> Result<u64> {
    let alignment = metadata.count(ALIGNMENT)?.map_or(DEFAULT_ALIGNMENT, |n| n as u64);
    if alignment.is_power_of_two() && alignment <= 1 << 20 {
        return Ok(alignment);
    }
    let what = format!("`{ALIGNMENT}`");
    Err(Error::BadNumber { what, found: alignment, expected: "a power of two up to 2^20" })
}

/// Finds a tensor's bytes in the part of the file that holds data.
fn place(heading: Heading, alignment: u64, data: Range<usize>) -> Result<GgufTensor> {
    let Heading { name, info, offset } = heading;
    let n_bytes = info.checked_bytes(&name)?;
    let begin = usize::try_from(offset).ok().filter(|_| offset.is_multiple_of(alignment));
    let end = begin.and_then(|begin| begin.checked_add(n_bytes)).filter(|end| *end <= data.len());
    match (begin, end) {
        (Some(begin), Some(end)) => {
            Ok(GgufTensor { name, info, bytes: data.start + begin..data.start + end })
        }
        _ => Err(Error::TensorMisplaced { tensor: name, offset, n_bytes, available: data.len(), alignment }),
    }
}
