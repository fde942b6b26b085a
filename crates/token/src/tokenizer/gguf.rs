//! A tokenizer from the plain data of a GGUF file's metadata.
//!
//! The data is written as the `tokenizer.json` it stands for and read through
//! the same door as every other, so that both containers of one model give
//! the same ids. Nothing here opens a file.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::bytes::Spelling;
use super::pieces::of_gguf;
use super::pre::{self, Pre};
use super::{SpecialIds, Tokenizer};
use crate::error::{Error, Result};

/// The tokenizer part of a GGUF file's metadata, keys `tokenizer.ggml.*`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgufVocab {
    /// `model`: `gpt2` for byte-level BPE, `llama` for scored pieces.
    pub model: String,
    /// `pre`: the name of the pattern that cuts text before BPE. `None` means `default`.
    pub pre: Option<String>,
    /// `tokens`: the text of every id.
    pub tokens: Vec<String>,
    /// `token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty means all normal.
    pub token_types: Vec<i32>,
    /// `merges`: two tokens with a space between, best first.
    pub merges: Vec<String>,
    /// `scores`: how much a piece is preferred, for `llama`.
    pub scores: Option<Vec<f32>>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`.
    pub eos: Option<u32>,
    /// `eot_token_id`: another token that ends a turn.
    pub eot: Option<u32>,
    /// `unknown_token_id`.
    pub unk: Option<u32>,
    /// `padding_token_id`.
    pub pad: Option<u32>,
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `add_space_prefix`: whether a text begins with an unwritten space, for `llama`.
    pub add_space_prefix: Option<bool>,
}

pub(super) const NORMAL: i32 = 1;
pub(super) const UNKNOWN: i32 = 2;
pub(super) const CONTROL: i32 = 3;
pub(super) const USER_DEFINED: i32 = 4;
pub(super) const UNUSED: i32 = 5;
pub(super) const BYTE: i32 = 6;

/// Splits of longer pieces are not searched for: no trained vocabulary has
/// such pieces, and a hostile one could make the search endless.
const MAX_PIECE_BYTES: usize = 512;

impl Tokenizer {
    /// Builds a tokenizer from a GGUF file's vocabulary.
    ///
    /// # Errors
    /// An unknown vocabulary type or pre-tokenizer, lists of unequal length,
    /// repeated tokens, malformed merges, or pieces without a
    /// token for every byte.
    pub fn from_gguf(vocab: &GgufVocab) -> Result<Self> {
        check_lengths(vocab)?;
        index_tokens(&vocab.tokens)?;
        let (json, add_bos_default) = match vocab.model.as_str() {
            "gpt2" => byte_level_bpe(vocab)?,
            "llama" => (scored_pieces(vocab), true),
            found => return Err(Error::VocabularyType { found: found.to_owned() }),
        };
        let ids = SpecialIds {
            bos: vocab.bos,
            eos: [vocab.eos, vocab.eot].into_iter().flatten().collect(),
            unk: vocab.unk,
            pad: vocab.pad,
            add_bos: vocab.add_bos.unwrap_or(add_bos_default),
        };
        if vocab.model == "llama" {
            return Self::from_parts(json, Spelling::Pieces, Some(of_gguf(vocab)?))?.with_special_ids(ids);
        }
        Self::from_value(json)?.with_special_ids(ids)
    }
}

impl GgufVocab {
    fn kind(&self, id: usize) -> i32 {
        self.token_types.get(id).copied().unwrap_or(1)
    }

    fn token(&self, id: Option<u32>) -> Option<&str> {
        self.tokens.get(id? as usize).map(String::as_str)
    }
}

fn check_lengths(vocab: &GgufVocab) -> Result<()> {
    let n_tokens = vocab.tokens.len();
    let types = (!vocab.token_types.is_empty()).then_some(("token types", vocab.token_types.len()));
    let scores = vocab.scores.as_ref().map(|scores| ("scores", scores.len()));
    for (list, found) in [types, scores].into_iter().flatten() {
        if found != n_tokens {
            return Err(Error::VocabularyLength { n_tokens, list, found });
        }
    }
    Ok(())
}

fn index_tokens(tokens: &[String]) -> Result<HashMap<&str, u32>> {
    let mut index = HashMap::with_capacity(tokens.len());
    for (id, text) in tokens.iter().enumerate() {
        let second = id as u32;
        if let Some(first) = index.insert(text.as_str(), second) {
            return Err(Error::DuplicateToken { text: text.clone(), first, second });
        }
    }
    Ok(index)
}

fn byte_level_bpe(vocab: &GgufVocab) -> Result<(Value, bool)> {
    let name = vocab.pre.as_deref().unwrap_or("default");
    let pre = Pre::named(name).ok_or_else(|| Error::PreTokenizer {
        found: name.to_owned(),
        known: pre::ALL.iter().flat_map(|pre| pre.names).copied().collect(),
    })?;
    let merges = vocab.merges.iter().enumerate().map(|(i, line)| parse_merge(i, line));
    let json = json!({
        "version": "1.0",
        "added_tokens": added_tokens(vocab),
        "normalizer": if pre.nfc { json!({ "type": "NFC" }) } else { Value::Null },
        "pre_tokenizer": pre.to_json(),
        "decoder": { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE",
            "unk_token": null,
            "byte_fallback": false,
            "ignore_merges": pre.ignore_merges,
            "vocab": vocab_json(&vocab.tokens),
            "merges": merges.collect::<Result<Vec<_>>>()?,
        },
    });
    Ok((json, pre.add_bos))
}

/// Reads `left right`. A token may itself be a space in no byte-level
/// vocabulary, so the one space is the separator.
fn parse_merge(index: usize, line: &str) -> Result<Value> {
    match line.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok(json!([left, right]))
        }
        _ => Err(Error::Merge { index, found: line.to_owned() }),
    }
}

/// Scored pieces as the `tokenizer.json` they stand for.
pub(super) fn scored_pieces(vocab: &GgufVocab) -> Value {
    let index: HashMap<&str, u32> =
        vocab.tokens.iter().zip(0..).map(|(text, id)| (text.as_str(), id)).collect();
    let has_prefix = vocab.add_space_prefix.unwrap_or(true);
    let mut normalizers = vec![json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" })];
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "▁" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if has_prefix {
        normalizers.insert(0, json!({ "type": "Prepend", "prepend": "▁" }));
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    let unk = (0..vocab.tokens.len()).find(|&id| vocab.kind(id) == UNKNOWN);
    let unk_token = vocab.token(vocab.unk).or(unk.map(|id| vocab.tokens[id].as_str()));
    json!({
        "version": "1.0",
        "added_tokens": added_tokens(vocab),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": null,
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE",
            "unk_token": unk_token,
            "fuse_unk": true,
            "byte_fallback": true,
            "ignore_merges": false,
            "vocab": vocab_json(&vocab.tokens),
            "merges": merges_from_scores(vocab, &index),
        },
    })
}

/// Turns preferences of pieces into an order of merges: every way of making
/// a piece from two others, best piece first.
///
/// # Source
/// The rule of SentencePiece's BPE is "join the neighbours whose union scores
/// best"; the order among different halves of one piece follows Hugging Face's
/// converter.
fn merges_from_scores(vocab: &GgufVocab, index: &HashMap<&str, u32>) -> Vec<[String; 2]> {
    let joins = |id: usize| !matches!(vocab.kind(id), UNKNOWN | CONTROL | BYTE);
    let mut merges: Vec<(f32, usize, usize, [&str; 2])> = Vec::new();
    for (id, piece) in vocab.tokens.iter().enumerate() {
        if !joins(id) || piece.len() > MAX_PIECE_BYTES {
            continue;
        }
        let score = vocab.scores.as_ref().map_or(-(id as f32), |scores| scores[id]);
        let mut halves: Vec<(u32, u32, usize)> = piece
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| {
                let (left, right) = (*index.get(&piece[..at])?, *index.get(&piece[at..])?);
                (joins(left as usize) && joins(right as usize)).then_some((left, right, at))
            })
            .collect();
        halves.sort_unstable();
        merges.extend(halves.into_iter().map(|(_, _, at)| {
            let (left, right) = piece.split_at(at);
            (score, left.chars().count(), right.chars().count(), [left, right])
        }));
    }
    merges.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1)).then(b.2.cmp(&a.2)));
    merges.into_iter().map(|(_, _, _, halves)| halves.map(str::to_owned)).collect()
}

fn vocab_json(tokens: &[String]) -> Value {
    let entry = |(id, text): (usize, &String)| (text.clone(), Value::from(id));
    Value::Object(tokens.iter().enumerate().map(entry).collect::<Map<_, _>>())
}

pub(super) fn added_tokens(vocab: &GgufVocab) -> Vec<Value> {
    let entry = |(id, text): (usize, &String)| {
        let special = match vocab.kind(id) {
            UNKNOWN | CONTROL => true,
            USER_DEFINED => false,
            _ => return None,
        };
        Some(json!({
            "id": id, "content": text, "special": special,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        }))
    };
    vocab.tokens.iter().enumerate().filter_map(entry).collect()
}
