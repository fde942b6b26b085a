//! From the text of a `tokenizer.json` to a tokenizer one can rely on.

use serde_json::Value;

use super::bytes::{self, Reader, Spelling, TokenBytes};
use super::special::Specials;
use super::{GoOn, SpecialIds, Tokenizer, hash, prefix};
use crate::error::{Error, Result};
use crate::sentencepiece::Model;

impl Tokenizer {
    /// The one door: every container is read through here.
    pub(super) fn from_value(json: Value) -> Result<Self> {
        let spelling = spelling(&json)?;
        Self::from_parts(json, spelling, None)
    }

    /// The same, of a file whose ids come from `pieces`.
    pub(super) fn from_parts(mut json: Value, spelling: Spelling, pieces: Option<Model>) -> Result<Self> {
        // Cutting and filling are the renderer's and the packer's decisions.
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        let hash = hash::of(&json);
        let go_on = match prefix::remove(&json) {
            Some(without) => {
                let tokenizer = load(without.json)?;
                Some(GoOn { tokenizer, after_control: without.after_control })
            }
            None => None,
        };
        let begin = load(json)?;
        // Pieces say themselves what they cannot spell.
        let lost = if pieces.is_some() { Vec::new() } else { lost_bytes(&begin, spelling)? };
        let bytes = token_bytes(&begin, spelling)?;
        let specials = Specials::new(begin.get_added_tokens_decoder());
        let (pieces, ids) = (pieces.map(Box::new), SpecialIds::default());
        Ok(Self { begin, go_on, pieces, specials, bytes, lost, ids, hash })
    }
}

/// The library's complaint about the file.
pub(super) fn unreadable(cause: impl std::fmt::Display) -> Error {
    Error::Json { file: "tokenizer.json", cause: cause.to_string() }
}

fn load(json: Value) -> Result<tokenizers::Tokenizer> {
    check_merges(&json["model"])?;
    let mut tokenizer: tokenizers::Tokenizer = serde_json::from_value(json).map_err(unreadable)?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Refuses merges of tokens that make none: the library joins them in the room of the longest token.
fn check_merges(model: &Value) -> Result<()> {
    let (Some(merges), Some(vocab)) = (model["merges"].as_array(), model["vocab"].as_object()) else {
        return Ok(());
    };
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or_default().len();
    for (at, merge) in merges.iter().enumerate() {
        let halves = match merge {
            Value::String(line) if line.starts_with("#version") => None,
            Value::String(line) => line.split_once(' '),
            pair => pair[0].as_str().zip(pair[1].as_str()),
        };
        // What is no merge at all the library says itself.
        let Some((a, b)) = halves else { continue };
        let is_token = b.get(prefix..).is_some_and(|b| vocab.contains_key(&[a, b].concat()));
        if !is_token {
            return Err(unreadable(format!(
                "merge {at}, of {a:?} and {b:?}, makes no token of the vocabulary"
            )));
        }
    }
    Ok(())
}

fn spelling(json: &Value) -> Result<Spelling> {
    let model = json["model"]["type"].as_str().unwrap_or("BPE");
    let is_byte_level = [&json["pre_tokenizer"], &json["decoder"]].into_iter().any(has_byte_level);
    if is_byte_level && model == "BPE" {
        return Ok(Spelling::ByteLevel);
    }
    if json["model"]["byte_fallback"] == true && matches!(model, "BPE" | "Unigram") {
        return Ok(Spelling::Pieces);
    }
    Err(Error::TokenizerKind { found: model.to_owned() })
}

fn has_byte_level(part: &Value) -> bool {
    let steps = ["pretokenizers", "decoders"].into_iter().filter_map(|list| part[list].as_array());
    part["type"] == "ByteLevel" || steps.flatten().any(has_byte_level)
}

/// Which bytes no token spells. Byte-level vocabularies in use lack some (all
/// SmolLM ones lack six control characters), and every engine drops those.
/// Pieces must be able to fall back on all.
fn lost_bytes(tokenizer: &tokenizers::Tokenizer, spelling: Spelling) -> Result<Vec<u8>> {
    let is_missing = |byte: &u8| tokenizer.token_to_id(&bytes::spell(spelling, *byte)).is_none();
    let lost: Vec<u8> = (0..=u8::MAX).filter(is_missing).collect();
    match lost.first() {
        Some(&byte) if spelling == Spelling::Pieces => Err(Error::MissingByte { byte }),
        _ => Ok(lost),
    }
}

/// Ids may leave holes, as padded vocabularies do, but not so many that a
/// small file would claim a large table.
const MAX_HOLES: usize = 65_536;

fn token_bytes(tokenizer: &tokenizers::Tokenizer, spelling: Spelling) -> Result<TokenBytes> {
    let added = tokenizer.get_added_tokens_decoder();
    let mut tokens: Vec<(u32, String)> =
        tokenizer.get_vocab(true).into_iter().map(|(text, id)| (id, text)).collect();
    tokens.sort_unstable();
    let n_tokens = tokens.len();
    let reader = Reader::new(spelling);
    let mut table = TokenBytes::default();
    for (id, text) in tokens {
        if id as usize > n_tokens + MAX_HOLES {
            return Err(Error::SparseVocabulary { n_tokens, largest: id });
        }
        while table.len() < id as usize {
            table.push(b"");
        }
        if table.len() > id as usize {
            return Err(Error::RepeatedId { id, text });
        }
        match added.get(&id) {
            Some(token) => table.push(token.content.as_bytes()),
            None => table.push(&reader.bytes(&text)),
        }
    }
    Ok(table)
}
