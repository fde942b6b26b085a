//! A vocabulary learned from writing: pieces as SentencePiece has them, or bytes as GPT-2 has them.
//!
//! [`pieces()`] gives a [`Model`](crate::sentencepiece::Model), which writes itself as `.model` and as
//! llama2.c's `tokenizer.bin`; [`bytes()`] gives a [`Tokenizer`](crate::Tokenizer). Both merge the
//! pair of neighbours that is seen most, again and again, inside words only; the merging itself is
//! the `tokenizers` library's.
//!
//! Which writing is learned from is the caller's business: what is held out for measuring should not
//! be among it.

mod bytes;
mod pieces;
mod words;

use penname_ledger::Choice;
use tokenizers::models::bpe::{BPE, BpeTrainer};

pub use bytes::bytes;
pub use pieces::pieces;

use crate::error::{Error, Result};

/// What is learned, and what was decided on the way.
#[derive(Debug)]
pub struct Learned<T> {
    /// The vocabulary.
    pub vocabulary: T,
    /// Decisions that are not settings.
    pub choices: Vec<Choice>,
}

/// The longest piece, in characters: a longer one is a phrase.
const LONGEST: usize = 16;
/// A pair seen once is no pattern.
const FEWEST: u64 = 2;

/// Merges pairs of words until there are `size` tokens, those of `alphabet` among them.
fn merged(
    texts: &[&str],
    size: usize,
    alphabet: impl IntoIterator<Item = char>,
    words: impl Fn(&str) -> tokenizers::Result<Vec<String>> + Sync,
) -> Result<BPE> {
    use tokenizers::Trainer;
    let refused = |cause: tokenizers::Error| Error::Learn { cause: cause.to_string() };
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(size)
        .min_frequency(FEWEST)
        .max_token_length(Some(LONGEST))
        .initial_alphabet(alphabet.into_iter().collect())
        .build();
    trainer.feed(texts.iter(), words).map_err(refused)?;
    let mut model = BPE::default();
    trainer.train(&mut model).map_err(refused)?;
    Ok(model)
}

/// The tokens of a model, in order of id.
fn tokens(model: &BPE) -> Vec<String> {
    let mut tokens: Vec<(u32, String)> = model.get_vocab().into_iter().map(|(text, id)| (id, text)).collect();
    tokens.sort_unstable();
    tokens.into_iter().map(|(_, text)| text).collect()
}

/// What is said where the writing gave fewer tokens than were asked for.
fn announce_size(wanted: usize, found: usize, choices: &mut Vec<Choice>) {
    if found < wanted {
        let reason = format!("{wanted} were asked for, but no further pair is seen {FEWEST} times");
        choices.push(Choice::new("size of the vocabulary", found, reason));
    }
}
