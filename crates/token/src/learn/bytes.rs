//! Bytes as GPT-2 has them: every text can be spelled, and nothing is unknown.

use tokenizers::{PreTokenizedString, PreTokenizer, PreTokenizerWrapper};

use super::{Learned, announce_size, merged, tokens};
use crate::error::{Error, Result};
use crate::tokenizer::{GgufVocab, Tokenizer, alphabet, pre_tokenizer};

/// Tokens with a job: what stands between texts, and what stands around turns.
const CONTROLS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
/// Fewer have no room for every byte.
const LEAST: usize = CONTROLS.len() + 256;
/// How text is cut first: digits stand alone, and a word has the space before it.
const PRE: &str = "smollm";

/// Learns `size` tokens from texts; fewer where the texts have no more patterns.
///
/// # Errors
/// A size with no room for every byte.
///
/// # Determinism
/// The same texts in any order give the same tokens.
pub fn bytes(texts: &[&str], size: usize) -> Result<Learned<Tokenizer>> {
    if size < LEAST {
        return Err(Error::VocabularySize { found: size, least: LEAST });
    }
    let cut: PreTokenizerWrapper = serde_json::from_value(pre_tokenizer(PRE))
        .map_err(|cause| Error::Learn { cause: cause.to_string() })?;
    let words = |text: &str| {
        let mut text = PreTokenizedString::from(text);
        cut.pre_tokenize(&mut text)?;
        let splits = text.get_splits(tokenizers::OffsetReferential::Normalized, tokenizers::OffsetType::None);
        Ok(splits.into_iter().map(|(word, _, _)| word.to_owned()).collect())
    };
    let model = merged(texts, size - CONTROLS.len(), alphabet(), words)?;
    let merges = serde_json::to_value(&model).map_err(|cause| Error::Learn { cause: cause.to_string() })?;
    let merges = merges["merges"].as_array().cloned().unwrap_or_default();
    let controls = CONTROLS.map(str::to_owned).into_iter();
    let tokens: Vec<String> = controls.chain(tokens(&model)).collect();
    let mut choices = Vec::new();
    announce_size(size, tokens.len(), &mut choices);
    let token_types = (0..tokens.len()).map(|id| if id < CONTROLS.len() { 3 } else { 1 }).collect();
    let half = |merge: &serde_json::Value, idx: usize| merge[idx].as_str().unwrap_or_default().to_owned();
    let vocab = GgufVocab {
        model: "gpt2".to_owned(),
        pre: Some(PRE.to_owned()),
        token_types,
        merges: merges.iter().map(|merge| format!("{} {}", half(merge, 0), half(merge, 1))).collect(),
        bos: Some(0),
        eos: Some(0),
        add_bos: Some(true),
        tokens,
        ..GgufVocab::default()
    };
    Ok(Learned { vocabulary: Tokenizer::from_gguf(&vocab)?, choices })
}
