//! Running text as sequences in which every token is learned: for a model that learns a language
//! before it learns to answer.
//!
//! ```text
//! document    <s> a b c d e f g h </s>
//! sequences   <s> a b c d │ d e f g h │ h </s>        length 5; what is read first is not learned
//! ```
//!
//! A text longer than a sequence goes on in the next one, which begins with the last token of the one
//! before: so each token but the first of the text is learned exactly once. Texts never share a
//! sequence, and packing keeps sequences apart, so no token is predicted from another text.

use crate::error::Result;
use crate::sequence::Sequence;
use crate::tokenizer::Tokenizer;

/// A text as sequences of at most `length` tokens, with the tokens that begin and end a text around
/// it where the vocabulary has them.
///
/// # Errors
/// The tokenizer library refuses the text.
pub fn sequences(tokenizer: &Tokenizer, document: &str, text: &str, length: usize) -> Result<Vec<Sequence>> {
    let mut sequences = of_ids(tokenizer, document, &tokenizer.encode(text)?, length);
    if let Some(first) = sequences.first_mut() {
        first.n_lost = tokenizer.n_lost(text);
    }
    Ok(sequences)
}

/// The same, of ids that nothing stands around yet.
pub fn of_ids(tokenizer: &Tokenizer, document: &str, ids: &[u32], length: usize) -> Vec<Sequence> {
    let special = tokenizer.special_ids();
    let (bos, eos) = (special.bos, special.eos.first().copied());
    let whole: Vec<u32> = bos.into_iter().chain(ids.iter().copied()).chain(eos).collect();
    let step = length.max(2) - 1;
    let n = whole.len().saturating_sub(1).div_ceil(step);
    (0..n)
        .map(|idx| sequence(document, idx, &whole[idx * step..whole.len().min((idx + 1) * step + 1)]))
        .collect()
}

fn sequence(document: &str, idx: usize, ids: &[u32]) -> Sequence {
    let mut sequence = Sequence {
        example: format!("{document}/{idx}"),
        document: document.to_owned(),
        ..Sequence::default()
    };
    sequence.extend(ids, true);
    sequence
}
