//! The safetensors container.
//!
//! ```text
//! header length u64, header JSON padded with spaces, tensor bytes without gaps
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use penname_ledger::write::{self, Atomic};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::folder::{INDEX, MODEL};
use crate::weights::{Outgoing, TensorInfo};

/// Size at which published checkpoints begin a new shard.
pub const SHARD_BYTES: usize = 5_000_000_000;

/// What a file holds, each with where its bytes lie. No order.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Tensors of numbers.
    pub(crate) tensors: Vec<(String, TensorInfo, Range<usize>)>,
    /// Tensors of bytes that may be halves of a quantized one, with their shapes.
    pub(crate) halves: Vec<(String, Vec<usize>, Range<usize>)>,
}

/// Ends of the names of the codes and of the exponents of a tensor in MXFP4.
pub(crate) const HALVES: [&str; 2] = ["_blocks", "_scales"];

/// The tensors in a file.
pub(crate) fn list(bytes: &[u8]) -> Result<Listed> {
    let broken = |source| Error::Safetensors { source };
    let (header_len, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let data = size_of::<u64>() + header_len;
    let mut listed = Listed::default();
    for (name, found) in metadata.tensors() {
        let (start, shape) = (data + found.data_offsets.0, found.shape.clone());
        if found.dtype == Dtype::U8 && HALVES.iter().any(|end| name.ends_with(end)) {
            // The reader has checked the end against dtype and shape.
            listed.halves.push((name, shape, start..data + found.data_offsets.1));
            continue;
        }
        let info = TensorInfo { shape, dtype: storage_of(&name, found.dtype)? };
        let n_bytes = info.checked_bytes(&name)?;
        listed.tensors.push((name, info, start..start + n_bytes));
    }
    Ok(listed)
}

fn storage_of(tensor: &str, dtype: Dtype) -> Result<Storage> {
    match dtype {
        Dtype::F32 => Ok(Storage::F32),
        Dtype::F16 => Ok(Storage::F16),
        Dtype::BF16 => Ok(Storage::BF16),
        other => Err(unsupported(tensor, format!("{other:?}"))),
    }
}

fn name_of(tensor: &str, storage: Storage) -> Result<&'static str> {
    match storage {
        Storage::F32 | Storage::F16 | Storage::BF16 => Ok(storage.format().name),
        other => Err(unsupported(tensor, other.to_string())),
    }
}

fn unsupported(tensor: &str, found: String) -> Error {
    Error::StorageUnsupported { tensor: tensor.to_owned(), found, expected: "F32, F16 or BF16".to_owned() }
}

/// Writes tensors to `path`, all or nothing. The same tensors give the same bytes: wider formats
/// first, so that every tensor stays aligned, then by name.
///
/// # Errors
///
/// When a tensor occurs twice or is not to be stored as F32, F16 or BF16, or the file cannot be
/// written.
pub fn write_safetensors(
    path: &Path,
    tensors: Vec<Outgoing<'_>>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    let mut tensors = tensors;
    tensors.sort_by(|a, b| {
        let width = |tensor: &Outgoing<'_>| tensor.info.dtype.format().block_bytes;
        width(b).cmp(&width(a)).then_with(|| a.name.cmp(&b.name))
    });
    let header = header(&tensors, metadata)?;
    let mut file = Atomic::create(path)?;
    // A failed write is kept by the file and told by `commit`.
    let _kept = write_parts(&mut file, &header, &tensors);
    Ok(file.commit()?)
}

fn header(tensors: &[Outgoing<'_>], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut offset = 0usize;
    for tensor in tensors {
        let end = offset.saturating_add(tensor.checked_bytes()?);
        let dtype = name_of(&tensor.name, tensor.info.dtype)?;
        let entry = json!({ "dtype": dtype, "shape": tensor.info.shape, "data_offsets": [offset, end] });
        if entries.insert(tensor.name.clone(), entry).is_some() {
            return Err(Error::TensorTwice { tensor: tensor.name.clone() });
        }
        offset = end;
    }
    let mut header = Value::Object(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn write_parts(file: &mut Atomic, header: &[u8], tensors: &[Outgoing<'_>]) -> io::Result<()> {
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header)?;
    tensors.iter().try_for_each(|tensor| tensor.write_to(file))
}

/// Writes tensors into the folder `dir` as Hugging Face publishes them: `model.safetensors`, or
/// from `shard_bytes` on several shards and, last, their index. Give a folder that appears only
/// when it is finished, as [`Staged`](penname_ledger::write::Staged) makes them. Returns the names
/// of the files.
///
/// # Errors
///
/// As [`write_safetensors`].
pub fn write_shards(
    dir: &Path,
    tensors: Vec<Outgoing<'_>>,
    metadata: &BTreeMap<String, String>,
    shard_bytes: usize,
) -> Result<Vec<String>> {
    check_unique(&tensors)?;
    let (shards, n_bytes) = into_shards(tensors, shard_bytes)?;
    let n_shards = shards.len();
    let (mut files, mut index) = (Vec::new(), BTreeMap::new());
    for (i, shard) in shards.into_iter().enumerate() {
        let file = match n_shards {
            1 => MODEL.to_owned(),
            _ => format!("model-{:05}-of-{n_shards:05}.safetensors", i + 1),
        };
        index.extend(shard.iter().map(|tensor| (tensor.name.clone(), file.clone())));
        write_safetensors(&dir.join(&file), shard, metadata)?;
        files.push(file);
    }
    if n_shards > 1 {
        let index = json!({ "metadata": { "total_size": n_bytes }, "weight_map": index });
        write::json(&dir.join(INDEX), &index)?;
        files.push(INDEX.to_owned());
    }
    Ok(files)
}

fn check_unique(tensors: &[Outgoing<'_>]) -> Result<()> {
    let mut names = BTreeSet::new();
    match tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        Some(twice) => Err(Error::TensorTwice { tensor: twice.name.clone() }),
        None => Ok(()),
    }
}

/// Fills shards in the order given; a tensor larger than a shard gets one of its own.
fn into_shards(tensors: Vec<Outgoing<'_>>, shard_bytes: usize) -> Result<(Vec<Vec<Outgoing<'_>>>, usize)> {
    let (mut shards, mut filled, mut total) = (vec![Vec::new()], 0usize, 0usize);
    for tensor in tensors {
        let n_bytes = tensor.checked_bytes()?;
        total = total.saturating_add(n_bytes);
        if filled > 0 && filled.saturating_add(n_bytes) > shard_bytes {
            shards.push(Vec::new());
            filled = 0;
        }
        filled = filled.saturating_add(n_bytes);
        if let Some(shard) = shards.last_mut() {
            shard.push(tensor);
        }
    }
    Ok((shards, total))
}
