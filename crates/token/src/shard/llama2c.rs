//! llama2.c's shards: ids and nothing else, two bytes each, one text after the other.
//!
//! ```text
//! (beginning of a text u16, its ids u16 …)*
//! ```
//!
//! A file says nothing of its tokenizer, so ids are checked against the one it is read for. The first
//! shard of a folder is what llama2.c measures on, the others are what it trains on; here every file
//! is named, and none is found by looking around.

use super::Damage;

/// The texts of a shard, without what begins and ends them.
///
/// # Errors
/// A file of an odd length, ids beyond the vocabulary, or ids before the first text.
pub fn read(bytes: &[u8], bos: u32, eos: Option<u32>, vocab_size: usize) -> Result<Vec<Vec<u32>>, Damage> {
    let (ids, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Damage::Truncated { part: "an id" });
    }
    let mut texts: Vec<Vec<u32>> = Vec::new();
    for id in ids.iter().map(|id| u32::from(u16::from_le_bytes(*id))) {
        if id as usize >= vocab_size {
            let expected = format!("less than the vocabulary of {vocab_size}");
            return Err(Damage::Value { part: "an id", found: id.into(), expected });
        }
        match texts.last_mut() {
            _ if id == bos => texts.push(Vec::new()),
            Some(text) => text.push(id),
            None => {
                let expected = format!("{bos}, which begins a text");
                return Err(Damage::Value { part: "the first id", found: id.into(), expected });
            }
        }
    }
    for text in &mut texts {
        text.pop_if(|id| Some(*id) == eos);
    }
    Ok(texts)
}

/// The shard of texts.
///
/// # Errors
/// An id that does not fit into two bytes.
pub fn write<'t>(texts: impl IntoIterator<Item = &'t [u32]>, bos: u32) -> Result<Vec<u8>, Damage> {
    let mut bytes = Vec::new();
    for id in texts.into_iter().flat_map(|text| std::iter::once(bos).chain(text.iter().copied())) {
        let expected = || "at most 65535: llama2.c has two bytes for it".to_owned();
        let narrow = u16::try_from(id).map_err(|_| Damage::Value {
            part: "an id",
            found: id.into(),
            expected: expected(),
        })?;
        bytes.extend(narrow.to_le_bytes());
    }
    Ok(bytes)
}
