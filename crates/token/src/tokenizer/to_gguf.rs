//! A tokenizer as the plain data of a GGUF file: the way back from [`super::gguf`].
//!
//! A GGUF file has no room for a pattern, only for the name of one that engines know. A tokenizer
//! whose pattern has no such name is refused: written under another, it would give other ids and no
//! error.

use serde_json::Value;

use super::gguf::{BYTE, CONTROL, GgufVocab, NORMAL, UNKNOWN, UNUSED, USER_DEFINED};
use super::pre;
use super::{Tokenizer, hash};
use crate::error::{Error, Result};

impl Tokenizer {
    /// The vocabulary as a GGUF file holds it, with names for `n_rows` ids: a model may have more
    /// rows than its tokenizer has tokens.
    ///
    /// # Errors
    /// A kind of tokenizer or a way to cut text that GGUF has no name for.
    pub fn to_gguf(&self, n_rows: usize) -> Result<GgufVocab> {
        let json: Value = serde_json::from_str(&self.to_json()?).map_err(super::load::unreadable)?;
        let model = &json["model"];
        if model["type"] != "BPE" {
            let found = model["type"].as_str().unwrap_or("no type").to_owned();
            return Err(Error::VocabularyType { found });
        }
        let is_pieces = model["byte_fallback"] == true;
        let (tokens, token_types) = self.tokens(&json, n_rows.max(self.vocab_size()), is_pieces);
        let merges = merges(model);
        let ids = self.special_ids();
        let mut eos = ids.eos.iter().copied();
        let mut vocab = GgufVocab {
            model: if is_pieces { "llama" } else { "gpt2" }.to_owned(),
            pre: Some("default".to_owned()),
            bos: ids.bos,
            eos: eos.next(),
            eot: eos.next(),
            unk: ids.unk,
            pad: ids.pad,
            add_bos: Some(ids.add_bos),
            token_types,
            ..GgufVocab::default()
        };
        if is_pieces {
            vocab.scores = Some(scores(&tokens, &merges));
            vocab.add_space_prefix = Some(self.go_on.is_some());
        } else {
            vocab.pre = Some(pre_name(&json)?.to_owned());
            vocab.merges = merges.iter().map(|[left, right]| format!("{left} {right}")).collect();
        }
        vocab.tokens = tokens;
        Ok(vocab)
    }

    /// The text and the type of every id.
    fn tokens(&self, json: &Value, n_rows: usize, is_pieces: bool) -> (Vec<String>, Vec<i32>) {
        let mut tokens: Vec<String> = (0..n_rows).map(|id| format!("[PAD{id}]")).collect();
        let mut types = vec![UNUSED; n_rows];
        let unk = json["model"]["unk_token"].as_str();
        for (text, id) in json["model"]["vocab"].as_object().into_iter().flatten() {
            let Some(id) = id.as_u64().map(|id| id as usize).filter(|&id| id < n_rows) else { continue };
            types[id] = match text.as_str() {
                text if is_pieces && is_byte(text) => BYTE,
                text if is_pieces && Some(text) == unk => UNKNOWN,
                _ => NORMAL,
            };
            tokens[id].clone_from(text);
        }
        for token in json["added_tokens"].as_array().into_iter().flatten() {
            let (id, text) = (token["id"].as_u64(), token["content"].as_str());
            let (Some(id), Some(text)) = (id.map(|id| id as usize).filter(|&id| id < n_rows), text) else {
                continue;
            };
            let is_unk = is_pieces && Some(text) == unk;
            types[id] = match token["special"] == true {
                true if is_unk => UNKNOWN,
                true => CONTROL,
                false => USER_DEFINED,
            };
            tokens[id] = text.to_owned();
        }
        (tokens, types)
    }
}

/// A piece that stands for a byte: `<0x0A>`.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Merges are written `"a b"` or `["a", "b"]`.
fn merges(model: &Value) -> Vec<[String; 2]> {
    let halves = |merge: &Value| {
        let pair = merge.as_str().and_then(|line| line.split_once(' '));
        let listed = || Some((merge[0].as_str()?, merge[1].as_str()?));
        pair.or_else(listed).map(|(left, right)| [left.to_owned(), right.to_owned()])
    };
    model["merges"].as_array().into_iter().flatten().filter_map(halves).collect()
}

/// How much each piece is preferred: less, the later the first merge that makes it. One that no merge
/// makes comes last.
fn scores(tokens: &[String], merges: &[[String; 2]]) -> Vec<f32> {
    let mut rank = std::collections::HashMap::new();
    for (at, [left, right]) in merges.iter().enumerate() {
        rank.entry(format!("{left}{right}")).or_insert(at);
    }
    tokens.iter().map(|token| -(rank.get(token).copied().unwrap_or(merges.len()) as f32)).collect()
}

/// The name under which engines know how this tokenizer cuts text.
fn pre_name(json: &Value) -> Result<&'static str> {
    let wanted = hash::without_offsets(&json["pre_tokenizer"]);
    let ignore_merges = json["model"]["ignore_merges"] == true;
    let fits = |known: &&pre::Pre| {
        hash::without_offsets(&known.to_json()) == wanted
            && known.nfc == (json["normalizer"]["type"] == "NFC")
            && (known.nfc || json["normalizer"].is_null())
            && known.ignore_merges == ignore_merges
    };
    let known = || pre::ALL.iter().flat_map(|pre| pre.names).copied().collect();
    pre::ALL.iter().find(fits).and_then(|pre| pre.names.first().copied()).ok_or_else(|| Error::PreTokenizer {
        found: wanted.to_string().chars().take(200).collect(),
        known: known(),
    })
}
