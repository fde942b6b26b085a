//! The tokenizer inside a GGUF file, as plain data.
//!
//! Nothing here tokenizes. The fields are handed on as they stand in the file, checked only for
//! agreeing with each other.

use super::metadata::Metadata;
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
