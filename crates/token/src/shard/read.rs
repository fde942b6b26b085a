//! Reading a shard without trusting it.

use penname_ledger::Hash;

use super::{Damage, HASH_BYTES, HEADER_BYTES, MAGIC, Shard, VERSION};
use crate::sequence::Sequence;

type Read<T> = Result<T, Damage>;

/// Reads a whole file.
pub(super) fn shard(bytes: &[u8]) -> Read<Shard> {
    if !bytes.starts_with(MAGIC) {
        return Err(Damage::Magic);
    }
    let mut cursor = Cursor { bytes: &bytes[MAGIC.len()..] };
    let version = cursor.u32("the header")?;
    if version != VERSION {
        return Err(Damage::Version { found: version });
    }
    let content = checked_content(bytes)?;
    let mut cursor = Cursor { bytes: &content[MAGIC.len() + 4..] };
    let id_bytes = cursor.u32("the header")? as usize;
    if id_bytes != 2 && id_bytes != 4 {
        return Err(wrong("bytes per id", id_bytes as u64, "2 or 4".to_owned()));
    }
    let tokenizer: [u8; 32] = cursor.array("the header")?;
    let (n_sequences, n_tokens, n_trained) =
        (cursor.u64("the header")?, cursor.u64("the header")?, cursor.u64("the header")?);
    let sequences = records(cursor, n_sequences, id_bytes)?;
    let total = |count: fn(&Sequence) -> usize| sequences.iter().map(count).sum::<usize>() as u64;
    expect("the number of tokens", n_tokens, total(Sequence::len))?;
    expect("the number of trained tokens", n_trained, total(|s| s.n_trained))?;
    Ok(Shard { tokenizer: Hash::from(tokenizer), sequences })
}

/// Everything before the hash, which must be its hash.
fn checked_content(bytes: &[u8]) -> Read<&[u8]> {
    let end = bytes.len().checked_sub(HASH_BYTES).filter(|&end| end >= HEADER_BYTES);
    let (content, hash) = bytes.split_at(end.ok_or(Damage::Truncated { part: "the header" })?);
    let (found, expected) = (Hash::of(content), Cursor { bytes: hash }.array("the hash").map(Hash::from)?);
    if found != expected {
        return Err(Damage::Hash { found, expected });
    }
    Ok(content)
}

fn records(mut cursor: Cursor<'_>, n_sequences: u64, id_bytes: usize) -> Read<Vec<Sequence>> {
    let n_offsets = n_sequences.checked_add(1).ok_or(Damage::Truncated { part: "the offsets" })?;
    let mut table = Cursor { bytes: cursor.take(n_offsets, 8, "the offsets")? };
    let records = cursor.bytes;
    let mut start = table.u64("the offsets")?;
    expect("the first offset", start, 0)?;
    let mut sequences = Vec::new();
    for _ in 0..n_sequences {
        let end = table.u64("the offsets")?;
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let bytes = range
            .and_then(|(start, end)| records.get(start..end))
            .ok_or_else(|| wrong("an offset", end, format!("between {start} and {}", records.len())))?;
        sequences.push(record(bytes, id_bytes)?);
        start = end;
    }
    expect("the last offset", start, records.len() as u64)?;
    Ok(sequences)
}

fn record(bytes: &[u8], id_bytes: usize) -> Read<Sequence> {
    let mut cursor = Cursor { bytes };
    let example = cursor.name()?;
    let document = cursor.name()?;
    let n_tokens = u64::from(cursor.u32("a record")?);
    let ids: Vec<u32> = cursor
        .take(n_tokens, id_bytes, "the ids")?
        .chunks_exact(id_bytes)
        .map(|id| id.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
        .collect();
    let mask = cursor.mask(ids.len())?;
    let n_trained = mask.iter().filter(|&&trained| trained).count();
    let n_cut = cursor.u32("a record")? as usize;
    let n_lost = cursor.u32("a record")? as usize;
    let n_turns_skipped = cursor.u32("a record")? as usize;
    expect("the rest of a record", cursor.bytes.len() as u64, 0)?;
    Ok(Sequence { example, document, ids, mask, n_trained, n_cut, n_lost, n_turns_skipped })
}

/// Bytes not read yet.
struct Cursor<'b> {
    bytes: &'b [u8],
}

impl<'b> Cursor<'b> {
    /// The next `count` items of `size` bytes.
    fn take(&mut self, count: u64, size: usize, part: &'static str) -> Read<&'b [u8]> {
        let n_bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
        let taken = n_bytes.and_then(|n_bytes| self.bytes.split_at_checked(n_bytes));
        let (taken, rest) = taken.ok_or(Damage::Truncated { part })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Read<[u8; N]> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Damage::Truncated { part })?;
        self.bytes = rest;
        Ok(*array)
    }

    fn u32(&mut self, part: &'static str) -> Read<u32> {
        self.array(part).map(u32::from_le_bytes)
    }

    fn u64(&mut self, part: &'static str) -> Read<u64> {
        self.array(part).map(u64::from_le_bytes)
    }

    fn name(&mut self) -> Read<String> {
        let length = self.u32("a name")?;
        let bytes = self.take(u64::from(length), 1, "a name")?;
        String::from_utf8(bytes.to_vec()).map_err(|_| Damage::Name)
    }

    /// Runs of untrained and trained tokens in turn, which together cover `n_tokens`.
    fn mask(&mut self, n_tokens: usize) -> Read<Vec<bool>> {
        let n_runs = self.u32("the mask")?;
        let mut lengths = Cursor { bytes: self.take(u64::from(n_runs), 4, "the mask")? };
        let mut mask = Vec::with_capacity(n_tokens);
        for run in 0..n_runs {
            let length = lengths.u32("the mask")? as usize;
            let left = n_tokens - mask.len();
            if length == 0 || length > left {
                return Err(wrong("a run of the mask", length as u64, format!("1 to {left}")));
            }
            mask.resize(mask.len() + length, run % 2 == 1);
        }
        expect("the length of the mask", mask.len() as u64, n_tokens as u64)?;
        Ok(mask)
    }
}

fn expect(part: &'static str, found: u64, expected: u64) -> Read<()> {
    if found == expected { Ok(()) } else { Err(wrong(part, found, expected.to_string())) }
}

fn wrong(part: &'static str, found: u64, expected: String) -> Damage {
    Damage::Value { part, found, expected }
}
