//! The tokenizer inside a GGUF file, as plain data.
//!
//! Nothing here tokenizes. The fields are handed on as they stand in the file, checked only for
//! agreeing with each other.

use super::metadata::Metadata;
use super::value::{Array, Kind, Value};
use crate::error::{Error, Result};

const TOKENS: &str = "tokenizer.ggml.tokens";

/// What a GGUF file says about its tokenizer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokenizer {
    /// The kind: `gpt2` for byte-level BPE, `llama` for SentencePiece.
    pub model: String,
    /// The name of the rule that cuts text into words.
    pub pre: Option<String>,
    /// Texts of the tokens, by id.
    pub tokens: Vec<String>,
    /// Type of each token: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Empty
    /// when the file has none.
    pub token_types: Vec<i32>,
    /// Score of each token, for SentencePiece. Empty when the file has none.
    pub scores: Vec<f32>,
    /// Pairs to merge, in order of rank, each two texts parted by a space.
    pub merges: Vec<String>,
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
    /// Ends a turn.
    pub eot: Option<u32>,
    /// Stands for what cannot be encoded.
    pub unk: Option<u32>,
    /// Fills up a batch.
    pub pad: Option<u32>,
    /// Whether encoding puts `bos` in front.
    pub add_bos: Option<bool>,
    /// Whether encoding puts `eos` at the end.
    pub add_eos: Option<bool>,
    /// Whether encoding puts a space in front.
    pub add_space_prefix: Option<bool>,
    /// The chat template, in Jinja.
    pub chat_template: Option<String>,
}

impl Tokenizer {
    /// Adds the tokenizer to the metadata of a file; [`Tokenizer::from_metadata`] is the way back.
    ///
    /// # Errors
    ///
    /// When the metadata hold one already.
    pub fn to_metadata(&self, metadata: &mut Metadata) -> Result<()> {
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        metadata.insert(key("model"), Value::Text(self.model.clone()))?;
        metadata.insert(TOKENS, Value::Array(Array::Texts(self.tokens.clone())))?;
        let ids = [
            ("bos_token_id", self.bos),
            ("eos_token_id", self.eos),
            ("eot_token_id", self.eot),
            ("unknown_token_id", self.unk),
            ("padding_token_id", self.pad),
        ];
        for (name, id) in ids.into_iter().filter_map(|(name, id)| Some((name, id?))) {
            metadata.insert(key(name), Value::U32(id))?;
        }
        let flags = [
            ("add_bos_token", self.add_bos),
            ("add_eos_token", self.add_eos),
            ("add_space_prefix", self.add_space_prefix),
        ];
        for (name, flag) in flags.into_iter().filter_map(|(name, flag)| Some((name, flag?))) {
            metadata.insert(key(name), Value::Bool(flag))?;
        }
        let texts = [(key("pre"), &self.pre), ("tokenizer.chat_template".to_owned(), &self.chat_template)];
        for (key, text) in texts.into_iter().filter_map(|(key, text)| Some((key, text.as_ref()?))) {
            metadata.insert(key, Value::Text(text.clone()))?;
        }
        if !self.merges.is_empty() {
            metadata.insert(key("merges"), Value::Array(Array::Texts(self.merges.clone())))?;
        }
        let numbers = |kind, bytes: Vec<u8>| Value::Array(Array::Numbers { kind, bytes });
        if !self.token_types.is_empty() {
            let bytes = self.token_types.iter().flat_map(|kind| kind.to_le_bytes()).collect();
            metadata.insert(key("token_type"), numbers(Kind::I32, bytes))?;
        }
        if !self.scores.is_empty() {
            let bytes = self.scores.iter().flat_map(|score| score.to_le_bytes()).collect();
            metadata.insert(key("scores"), numbers(Kind::F32, bytes))?;
        }
        Ok(())
    }

    /// Collects the tokenizer of a file, `None` when the file has none.
    ///
    /// # Errors
    ///
    /// When a field has another type than it should, the lists differ in length, or a special
    /// token is not one of the tokens.
    pub fn from_metadata(metadata: &Metadata) -> Result<Option<Tokenizer>> {
        let Some(tokens) = metadata.texts(TOKENS)? else { return Ok(None) };
        let key = |name: &str| format!("tokenizer.ggml.{name}");
        let id = |name: &str| known_id(metadata, &key(name), tokens.len());
        let text = |key: &str| metadata.text(key).map(|text| text.map(str::to_owned));
        let model = key("model");
        Ok(Some(Tokenizer {
            model: text(&model)?.ok_or(Error::FieldMissing { field: model })?,
            pre: text(&key("pre"))?,
            tokens: tokens.to_owned(),
            token_types: token_types(metadata, &key("token_type"), tokens.len())?,
            scores: scores(metadata, &key("scores"), tokens.len())?,
            merges: metadata.texts(&key("merges"))?.unwrap_or_default().to_owned(),
            bos: id("bos_token_id")?,
            eos: id("eos_token_id")?,
            eot: id("eot_token_id")?,
            unk: id("unknown_token_id")?,
            pad: id("padding_token_id")?,
            add_bos: metadata.flag(&key("add_bos_token"))?,
            add_eos: metadata.flag(&key("add_eos_token"))?,
            add_space_prefix: metadata.flag(&key("add_space_prefix"))?,
            chat_template: text("tokenizer.chat_template")?,
        }))
    }
}

fn known_id(metadata: &Metadata, key: &str, n_tokens: usize) -> Result<Option<u32>> {
    let id = metadata.id(key)?;
    match id {
        Some(found) if found as usize >= n_tokens => Err(Error::FieldUnsupported {
            field: key.to_owned(),
            found: found.to_string(),
            expected: format!("one of the {n_tokens} tokens"),
        }),
        id => Ok(id),
    }
}

fn token_types(metadata: &Metadata, key: &str, n_tokens: usize) -> Result<Vec<i32>> {
    let Some(types) = metadata.integers(key)? else { return Ok(Vec::new()) };
    check_length(key, types.len(), n_tokens)?;
    let narrow = |found: i64| {
        i32::try_from(found).map_err(|_| Error::FieldUnsupported {
            field: key.to_owned(),
            found: found.to_string(),
            expected: "token types".to_owned(),
        })
    };
    types.into_iter().map(narrow).collect()
}

fn scores(metadata: &Metadata, key: &str, n_tokens: usize) -> Result<Vec<f32>> {
    let Some(scores) = metadata.floats(key)? else { return Ok(Vec::new()) };
    check_length(key, scores.len(), n_tokens)?;
    Ok(scores)
}

fn check_length(key: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(Error::FieldUnsupported {
        field: key.to_owned(),
        found: format!("an array of {found}"),
        expected: format!("an array of {expected}, as `{TOKENS}`"),
    })
}
