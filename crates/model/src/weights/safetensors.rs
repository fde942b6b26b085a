//! The safetensors container.
//!
//! ```text
//! header length u64, header JSON padded with spaces, tensor bytes without gaps
//! ```
//!
//! A tensor in MXFP4 is two of bytes here, codes and exponents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::rc::Rc;

use penname_ledger::write::{self, Atomic};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::quant::{Storage, mxfp4};
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

/// A tensor of the file: all of one that goes out, or its codes or exponents alone.
#[derive(Debug)]
struct Entry<'a> {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    n_bytes: usize,
    /// Bytes of a number.
    width: usize,
    /// Which of [`HALVES`], if it is one.
    half: Option<usize>,
    tensor: Rc<Outgoing<'a>>,
}

/// What stands in a file for tensors: for one in MXFP4, its codes and its exponents.
fn entries(tensors: Vec<Outgoing<'_>>) -> Result<Vec<Entry<'_>>> {
    let mut entries = Vec::new();
    for tensor in tensors.into_iter().map(Rc::new) {
        let n_bytes = tensor.checked_bytes()?;
        let TensorInfo { shape, dtype } = &tensor.info;
        if *dtype != Storage::MXFP4 {
            let (name, shape, width) = (tensor.name.clone(), shape.clone(), dtype.format().block_bytes);
            let dtype = name_of(&name, *dtype)?;
            entries.push(Entry { name, dtype, shape, n_bytes, width, half: None, tensor });
            continue;
        }
        let mut exponents = shape.clone();
        exponents.last_mut().into_iter().for_each(|len| *len /= dtype.format().block_len);
        let codes: Vec<usize> = exponents.iter().copied().chain([mxfp4::CODES]).collect();
        for (half, shape) in [codes, exponents].into_iter().enumerate() {
            let name = format!("{}{}", tensor.name, HALVES[half]);
            let n_bytes = shape.iter().product();
            let tensor = Rc::clone(&tensor);
            entries.push(Entry { name, dtype: "U8", shape, n_bytes, width: 1, half: Some(half), tensor });
        }
    }
    Ok(entries)
}

/// Writes tensors to `path`, all or nothing. The same tensors give the same bytes: wider formats
/// first, so that every tensor stays aligned, then by name.
///
/// # Errors
///
/// When a tensor occurs twice or is not to be stored as F32, F16, BF16 or MXFP4, or the file cannot be
/// written.
pub fn write_safetensors(
    path: &Path,
    tensors: Vec<Outgoing<'_>>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    write_entries(path, entries(tensors)?, metadata)
}

fn write_entries(
    path: &Path,
    mut entries: Vec<Entry<'_>>,
    metadata: &BTreeMap<String, String>,
) -> Result<()> {
    entries.sort_by(|a, b| b.width.cmp(&a.width).then_with(|| a.name.cmp(&b.name)));
    let header = header(&entries, metadata)?;
    let mut file = Atomic::create(path)?;
    // A failed write is kept by the file and told by `commit`.
    let _kept = write_parts(&mut file, &header, &entries);
    Ok(file.commit()?)
}

fn header(tensors: &[Entry<'_>], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>> {
    let mut entries = Map::new();
    if !metadata.is_empty() {
        entries.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut offset = 0usize;
    for Entry { name, dtype, shape, n_bytes, .. } in tensors {
        let end = offset.saturating_add(*n_bytes);
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [offset, end] });
        if entries.insert(name.clone(), entry).is_some() {
            return Err(Error::TensorTwice { tensor: name.clone() });
        }
        offset = end;
    }
    let mut header = Value::Object(entries).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn write_parts(file: &mut Atomic, header: &[u8], entries: &[Entry<'_>]) -> io::Result<()> {
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header)?;
    entries.iter().try_for_each(|Entry { tensor, half, .. }| match half {
        None => tensor.write_to(file),
        Some(half) => tensor.each_stretch(&mut |blocks| file.write_all(&mxfp4::unweave(blocks)[*half])),
    })
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
    let entries = entries(tensors)?;
    check_unique(&entries)?;
    let (shards, n_bytes) = into_shards(entries, shard_bytes);
    let n_shards = shards.len();
    let (mut files, mut index) = (Vec::new(), BTreeMap::new());
    for (i, shard) in shards.into_iter().enumerate() {
        let file = match n_shards {
            1 => MODEL.to_owned(),
            _ => format!("model-{:05}-of-{n_shards:05}.safetensors", i + 1),
        };
        index.extend(shard.iter().map(|tensor| (tensor.name.clone(), file.clone())));
        write_entries(&dir.join(&file), shard, metadata)?;
        files.push(file);
    }
    if n_shards > 1 {
        let index = json!({ "metadata": { "total_size": n_bytes }, "weight_map": index });
        write::json(&dir.join(INDEX), &index)?;
        files.push(INDEX.to_owned());
    }
    Ok(files)
}

fn check_unique(entries: &[Entry<'_>]) -> Result<()> {
    let mut names = BTreeSet::new();
    match entries.iter().find(|entry| !names.insert(&entry.name)) {
        Some(twice) => Err(Error::TensorTwice { tensor: twice.name.clone() }),
        None => Ok(()),
    }
}

/// Fills shards in the order given; a tensor larger than a shard gets one of its own.
fn into_shards(entries: Vec<Entry<'_>>, shard_bytes: usize) -> (Vec<Vec<Entry<'_>>>, usize) {
    let (mut shards, mut filled, mut total) = (vec![Vec::new()], 0usize, 0usize);
    for entry in entries {
        let n_bytes = entry.n_bytes;
        total = total.saturating_add(n_bytes);
        if filled > 0 && filled.saturating_add(n_bytes) > shard_bytes {
            shards.push(Vec::new());
            filled = 0;
        }
        filled = filled.saturating_add(n_bytes);
        if let Some(shard) = shards.last_mut() {
            shard.push(entry);
        }
    }
    (shards, total)
}
