//! Pieces as SentencePiece has them: byte-pair encoding that falls back on bytes.
//!
//! ```text
//! 0 <unk>   1 <s>   2 </s>   3..259 <0x00> … <0xFF>
//! merges, in the order in which they were made: scores 0, −1, −2, …
//! characters, the most frequent first: scores below those
//! ```
//!
//! The order and the scores are those that the library's own trainer gives and llama2.c was made with.

use std::collections::{BTreeMap, HashSet};

use penname_ledger::Choice;

use super::{Learned, announce_size, merged, tokens, words};
use crate::error::{Error, Result};
use crate::sentencepiece::{
    Algorithm, Kind, Model, Normalization, Piece, SPACE, UNKNOWN_SURFACE, Vocabulary, byte_piece,
};

/// Ids before the first learned piece.
const N_FIXED: usize = 3 + 256;
/// Fewer pieces than these have no room for an alphabet.
const LEAST: usize = N_FIXED + 64;

/// Learns `size` pieces from texts; fewer where the texts have no more patterns.
///
/// # Errors
/// A size with no room for an alphabet, or texts without a character.
///
/// # Determinism
/// The same texts in any order give the same pieces.
pub fn pieces(texts: &[&str], size: usize) -> Result<Learned<Model>> {
    if size < LEAST {
        return Err(Error::VocabularySize { found: size, least: LEAST });
    }
    let mut choices = Vec::new();
    let characters = characters(texts, (size - N_FIXED) / 2, &mut choices);
    if characters.is_empty() {
        return Err(Error::Learn { cause: "there is no text to learn from".to_owned() });
    }
    let kept: HashSet<char> = characters.iter().copied().collect();
    let model = merged(texts, size - N_FIXED, [], |text| Ok(words::words(text, |c| kept.contains(&c))))?;
    let merges = tokens(&model).into_iter().filter(|token| token.chars().nth(1).is_some());
    let learned = merges.chain(characters.iter().map(char::to_string));
    let learned: Vec<Piece> = learned.zip(0..).map(|(text, rank)| piece(text, -(rank as f32))).collect();
    announce_size(size, N_FIXED + learned.len(), &mut choices);
    let vocabulary = Vocabulary {
        pieces: fixed().chain(learned).collect(),
        algorithm: Algorithm::Bpe,
        byte_fallback: true,
        bos: Some(1),
        eos: Some(2),
        pad: None,
        unknown_surface: UNKNOWN_SURFACE.to_owned(),
        normalization: Normalization::default(),
    };
    Ok(Learned { vocabulary: Model::new(vocabulary)?, choices })
}

fn piece(text: String, score: f32) -> Piece {
    Piece { text, score, kind: Kind::Normal }
}

fn fixed() -> impl Iterator<Item = Piece> {
    let control = |(text, kind): (&str, Kind)| Piece { text: text.to_owned(), score: 0.0, kind };
    let controls = [("<unk>", Kind::Unknown), ("<s>", Kind::Control), ("</s>", Kind::Control)];
    let byte = |byte| Piece { text: byte_piece(byte), score: 0.0, kind: Kind::Byte };
    controls.into_iter().map(control).chain((0..=u8::MAX).map(byte))
}

/// The characters that get a piece of their own, the most frequent first: all of them, if no more
/// than `most`. Line ends never stand inside a line, so they are left to bytes.
fn characters(texts: &[&str], most: usize, choices: &mut Vec<Choice>) -> Vec<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for c in texts.iter().flat_map(|text| text.chars()).filter(|c| !matches!(c, '\n' | '\r' | '\t' | '\0')) {
        *counts.entry(if c == ' ' { SPACE } else { c }).or_default() += 1;
    }
    let mut characters: Vec<(char, u64)> = counts.into_iter().collect();
    if !characters.is_empty() && !characters.iter().any(|(c, _)| *c == SPACE) {
        // The space before a text, where the text has no other.
        characters.push((SPACE, texts.len() as u64));
    }
    characters.sort_by_key(|(c, n)| (std::cmp::Reverse(*n), *c));
    let n_all = characters.len();
    characters.truncate(most);
    if most < n_all {
        let reason =
            "half of the vocabulary is kept for longer pieces; rarer characters are spelled in bytes";
        choices.push(Choice::new("characters with a piece", format!("{most} of {n_all}"), reason));
    }
    characters.into_iter().map(|(c, _)| c).collect()
}
