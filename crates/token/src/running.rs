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
//!
//! What stands right after a cut is predicted from little. [`moved`] cuts at other places, so that another
//! pass over the text is not blind at the same ones.

use penname_ledger::Stream;

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

/// The same texts, each in as many sequences as before and cut at other places, which `stream` chooses: the
/// first sequence gives tokens to the last, as far as that one has room.
///
/// A text in one sequence stays as it is, and so does one whose last sequence is full.
pub fn moved(sequences: &[Sequence], stream: &mut Stream) -> Vec<Sequence> {
    let goes_on = |a: &Sequence, b: &Sequence| a.document == b.document && a.ids.last() == b.ids.first();
    sequences.chunk_by(goes_on).flat_map(|text| cut_again(text, stream)).collect()
}

fn cut_again(text: &[Sequence], stream: &mut Stream) -> Vec<Sequence> {
    let [whole @ .., last] = text else { return Vec::new() };
    let step = text[0].len().saturating_sub(1);
    let is_running = |sequence: &Sequence| sequence.n_trained + 1 == sequence.len();
    let n_free = (step + 1).saturating_sub(last.len());
    let is_even = whole.iter().all(|sequence| sequence.len() == step + 1) && text.iter().all(is_running);
    if whole.is_empty() || n_free == 0 || !is_even {
        return text.to_vec();
    }
    let ids: Vec<u32> =
        text[0].ids[..1].iter().chain(text.iter().flat_map(|sequence| &sequence.ids[1..])).copied().collect();
    let mut end = step - stream.below(n_free as u64 + 1) as usize;
    let mut begin = 0;
    let again = text.iter().map(|old| {
        let (example, document, n_lost) = (old.example.clone(), old.document.clone(), old.n_lost);
        let mut sequence = Sequence { example, document, n_lost, ..Sequence::default() };
        sequence.extend(&ids[begin..=end], true);
        (begin, end) = (end, (end + step).min(ids.len() - 1));
        sequence
    });
    again.collect()
}
