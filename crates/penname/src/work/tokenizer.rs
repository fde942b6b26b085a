//! A tokenizer learned from writing, and the files in which one is kept.

use std::path::Path;

use penname_ledger::{Choice, write};
use penname_token::{Tokenizer, learn};

use crate::failure::{Failure, Kind};
use crate::settings::meant;

/// Files that a tokenizer is written to.
pub(crate) const JSON: &str = "tokenizer.json";
pub(crate) const CONFIG: &str = "tokenizer_config.json";
pub(crate) const MODEL: &str = "tokenizer.model";
pub(crate) const BIN: &str = "tokenizer.bin";

/// Learns a tokenizer from texts, as the settings say.
///
/// # Errors
/// When the size has no room for an alphabet, or there is no text.
pub(crate) fn learned(texts: &[&str], meant: &meant::Tokenizer) -> Result<(Tokenizer, Vec<Choice>), Failure> {
    let (tokenizer, mut choices) = match meant.kind.as_str() {
        "pieces" => {
            let learned = learn::pieces(texts, meant.size)?;
            (Tokenizer::from_sentencepiece(learned.vocabulary)?, learned.choices)
        }
        "bytes" => {
            let learned = learn::bytes(texts, meant.size)?;
            (learned.vocabulary, learned.choices)
        }
        found => {
            let message = format!("`tokenizer.kind` is `{found}`, expected pieces or bytes");
            return Err(Failure::new(Kind::Usage, message));
        }
    };
    let n_bytes: usize = texts.iter().map(|text| text.len()).sum();
    let value = format!("{} {}", tokenizer.vocab_size(), meant.kind);
    choices.push(Choice::new("tokenizer", value, format!("learned from {n_bytes} bytes of the writing")));
    Ok((tokenizer, choices))
}

/// Writes a tokenizer into a folder, in every form that it has, and says which files they are.
///
/// # Errors
/// When the file system refuses.
pub(crate) fn save(
    folder: &Path,
    tokenizer: &Tokenizer,
    template: Option<&str>,
) -> Result<Vec<&'static str>, Failure> {
    let mut names = vec![JSON, CONFIG];
    write::bytes(&folder.join(JSON), tokenizer.to_json()?.as_bytes())?;
    write::bytes(&folder.join(CONFIG), tokenizer.to_config_json(template)?.as_bytes())?;
    if let Some(model) = tokenizer.sentencepiece() {
        write::bytes(&folder.join(MODEL), &model.to_bytes())?;
        names.push(MODEL);
        // Not every vocabulary of pieces has its ids where llama2.c looks for them.
        if let Ok(bytes) = model.to_llama2c() {
            write::bytes(&folder.join(BIN), &bytes)?;
            names.push(BIN);
        }
    }
    Ok(names)
}
