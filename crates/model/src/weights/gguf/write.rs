//! Writing GGUF.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use penname_ledger::write::Atomic;

use super::metadata::Metadata;
use super::value::write_text;
use super::{MAGIC, parse};
use crate::error::{Error, Result};
use crate::weights::Outgoing;

/// The version written.
const VERSION: u32 = 3;

/// Writes metadata and tensors to `path`, all or nothing. Tensors keep the names and the row order
/// they come with; `general.alignment` is honoured.
///
/// # Errors
///
/// When a tensor occurs twice or cannot be stored as asked, or the file cannot be written.
pub fn write_gguf(path: &Path, metadata: &Metadata, tensors: &[Outgoing<'_>]) -> Result<()> {
    let alignment = parse::alignment(metadata)? as usize;
    let (head, padding) = head(metadata, tensors, alignment)?;
    let mut file = Atomic::create(path)?;
    // A failed write is kept by the file and told by `commit`.
    let _kept = write_parts(&mut file, &head, tensors, &padding);
    Ok(file.commit()?)
}

/// Everything before the tensor bytes, and the zeros that follow each tensor.
fn head(metadata: &Metadata, tensors: &[Outgoing<'_>], alignment: usize) -> Result<(Vec<u8>, Vec<usize>)> {
    let mut head = MAGIC.to_vec();
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.iter().len() as u64).to_le_bytes());
    for (key, value) in metadata.iter() {
        write_text(key, &mut head);
        value.write(&mut head);
    }
    let (mut names, mut padding, mut offset) = (BTreeSet::new(), Vec::new(), 0usize);
    for tensor in tensors {
        if !names.insert(&tensor.name) {
            return Err(Error::TensorTwice { tensor: tensor.name.clone() });
        }
        let n_bytes = tensor.checked_bytes()?;
        write_heading(tensor, offset, &mut head);
        padding.push(n_bytes.next_multiple_of(alignment) - n_bytes);
        offset = offset.saturating_add(n_bytes.next_multiple_of(alignment));
    }
    head.resize(head.len().next_multiple_of(alignment), 0);
    Ok((head, padding))
}

fn write_heading(tensor: &Outgoing<'_>, offset: usize, head: &mut Vec<u8>) {
    write_text(&tensor.name, head);
    // A scalar is a vector of one here: the format has no tensors without axes.
    let shape: &[usize] = if tensor.info.shape.is_empty() { &[1] } else { &tensor.info.shape };
    head.extend((shape.len() as u32).to_le_bytes());
    for dim in shape.iter().rev() {
        head.extend((*dim as u64).to_le_bytes());
    }
    head.extend(tensor.info.dtype.format().ggml_type.to_le_bytes());
    head.extend((offset as u64).to_le_bytes());
}

fn write_parts(
    file: &mut Atomic,
    head: &[u8],
    tensors: &[Outgoing<'_>],
    padding: &[usize],
) -> io::Result<()> {
    file.write_all(head)?;
    for (tensor, padding) in tensors.iter().zip(padding) {
        tensor.write_to(file)?;
        file.write_all(&vec![0; *padding])?;
    }
    Ok(())
}
