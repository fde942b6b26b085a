//! Many sequences in one checked file.
//!
//! ```text
//! "PNSHARD\0"  version u32  bytes per id u32  tokenizer 32 bytes
//! sequences u64  tokens u64  trained u64
//! offsets   (sequences + 1) × u64, into the records, the last is their end
//! records   example, document: length u32 + UTF-8
//!           tokens u32, ids; runs u32, lengths u32: untrained, trained, …
//!           cut u32, lost u32, turns skipped u32
//! BLAKE3 of all the above, 32 bytes
//! ```
//!
//! All numbers are little-endian. Ids take two bytes where the largest fits,
//! else four, as the header says. The hash is checked first, but nothing
//! below relies on it: a shard made to deceive is refused as a damaged one is.

pub mod llama2c;
mod read;

use std::path::Path;

use penname_ledger::Hash;

use crate::error::{Error, Result};
use crate::sequence::Sequence;
use crate::tokenizer::Tokenizer;

const MAGIC: &[u8; 8] = b"PNSHARD\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 4 + 32 + 3 * 8;
const HASH_BYTES: usize = 32;

/// Sequences and the tokenizer they were made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// [`Tokenizer::hash`] of the tokenizer whose ids these are.
    pub tokenizer: Hash,
    /// The sequences, in order.
    pub sequences: Vec<Sequence>,
}

/// How a shard file can lie.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// The file does not begin as a shard does.
    #[error("is not a shard")]
    Magic,
    /// The format is of another version.
    #[error("has format version {found}, expected {VERSION}")]
    Version {
        /// The version in the file.
        found: u32,
    },
    /// The file ends too early.
    #[error("ends inside {part}")]
    Truncated {
        /// What was being read.
        part: &'static str,
    },
    /// The content is not what was written.
    #[error("has content with hash {found}, expected {expected}")]
    Hash {
        /// Hash of the content.
        found: Hash,
        /// Hash at the end of the file.
        expected: Hash,
    },
    /// A number that cannot be true.
    #[error("says {part} is {found}, expected {expected}")]
    Value {
        /// What the number counts.
        part: &'static str,
        /// The number.
        found: u64,
        /// What it should be.
        expected: String,
    },
    /// A name is not UTF-8.
    #[error("has a name that is not UTF-8")]
    Name,
}

impl Shard {
    /// Writes the shard, all of it or nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(penname_ledger::write::bytes(path, &self.to_bytes())?)
    }

    /// Reads a shard and checks that it is whole and was made with `tokenizer`.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or has another tokenizer's ids.
    pub fn read(path: &Path, tokenizer: &Tokenizer) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let shard =
            Self::from_bytes(&bytes).map_err(|damage| Error::Shard { path: path.to_owned(), damage })?;
        let expected = tokenizer.hash();
        if shard.tokenizer != expected {
            return Err(Error::ShardTokenizer { found: shard.tokenizer, expected });
        }
        Ok(shard)
    }

    /// The shard as the bytes of its file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let largest = self.sequences.iter().flat_map(|s| &s.ids).max().copied().unwrap_or(0);
        let id_bytes = if largest <= u32::from(u16::MAX) { 2 } else { 4 };
        let mut records = Vec::new();
        let mut offsets = vec![0_u64];
        for sequence in &self.sequences {
            write_record(&mut records, sequence, id_bytes);
            offsets.push(records.len() as u64);
        }
        let total = |count: fn(&Sequence) -> usize| self.sequences.iter().map(count).sum::<usize>() as u64;
        let counts = [self.sequences.len() as u64, total(Sequence::len), total(|s| s.n_trained)];

        let mut bytes = Vec::with_capacity(HEADER_BYTES + 8 * offsets.len() + records.len() + HASH_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(id_bytes as u32).to_le_bytes());
        bytes.extend_from_slice(self.tokenizer.as_bytes());
        bytes.extend(counts.iter().chain(&offsets).flat_map(|number| number.to_le_bytes()));
        bytes.append(&mut records);
        let hash = Hash::of(&bytes);
        bytes.extend_from_slice(hash.as_bytes());
        bytes
    }

    /// Reads the bytes of a shard file.
    ///
    /// # Errors
    /// The first [`Damage`] found.
    pub fn from_bytes(bytes: &[u8]) -> std::result::Result<Self, Damage> {
        read::shard(bytes)
    }
}

fn write_record(out: &mut Vec<u8>, sequence: &Sequence, id_bytes: usize) {
    let put = |out: &mut Vec<u8>, number: usize| out.extend_from_slice(&(number as u32).to_le_bytes());
    for name in [&sequence.example, &sequence.document] {
        put(out, name.len());
        out.extend_from_slice(name.as_bytes());
    }
    put(out, sequence.len());
    for id in &sequence.ids {
        out.extend_from_slice(&id.to_le_bytes()[..id_bytes]);
    }
    let runs = runs(&sequence.mask);
    put(out, runs.len());
    for length in runs {
        put(out, length);
    }
    put(out, sequence.n_cut);
    put(out, sequence.n_lost);
    put(out, sequence.n_turns_skipped);
}

/// Lengths of the runs of a mask, the first of them untrained: a mask's first
/// entry is never set.
fn runs(mask: &[bool]) -> Vec<usize> {
    mask.chunk_by(|a, b| a == b).map(<[bool]>::len).collect()
}
