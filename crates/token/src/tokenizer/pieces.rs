//! A tokenizer from a vocabulary of pieces.
//!
//! The vocabulary is also written as the `tokenizer.json` it stands for, whose digest names it and
//! which other tools read; ids come from the pieces themselves, which know an order among equals
//! that the file has no place for.

use serde_json::{Value, json};

use super::bytes::Spelling;
use super::gguf::{GgufVocab, scored_pieces};
use super::{SpecialIds, Tokenizer};
use crate::error::Result;
use crate::sentencepiece::{Algorithm, Kind, Model, Normalization, Piece, UNKNOWN_SURFACE, Vocabulary};

impl Tokenizer {
    /// Makes a tokenizer of a vocabulary of pieces. Where it names a token that begins a text, one
    /// stands before every text.
    ///
    /// # Errors
    /// None for a vocabulary that could be read.
    pub fn from_sentencepiece(model: Model) -> Result<Self> {
        let vocabulary = model.vocabulary();
        let json = match vocabulary.algorithm {
            Algorithm::Bpe => scored_pieces(&as_gguf(vocabulary, model.unknown())),
            Algorithm::Unigram => unigram(vocabulary, model.unknown()),
        };
        let ids = SpecialIds {
            bos: vocabulary.bos,
            eos: vocabulary.eos.into_iter().collect(),
            unk: Some(model.unknown()),
            pad: vocabulary.pad,
            add_bos: vocabulary.bos.is_some(),
        };
        Self::from_parts(json, Spelling::Pieces, Some(model))?.with_special_ids(ids)
    }

    /// The vocabulary of pieces this was made of, if it was.
    pub fn sentencepiece(&self) -> Option<&Model> {
        self.pieces.as_deref()
    }
}

const KINDS: [(Kind, i32); 6] = [
    (Kind::Normal, 1),
    (Kind::Unknown, 2),
    (Kind::Control, 3),
    (Kind::UserDefined, 4),
    (Kind::Unused, 5),
    (Kind::Byte, 6),
];

fn as_gguf(vocabulary: &Vocabulary, unknown: u32) -> GgufVocab {
    let number = |kind| KINDS.iter().find(|(known, _)| *known == kind).map_or(1, |(_, number)| *number);
    let pieces = &vocabulary.pieces;
    GgufVocab {
        model: "llama".to_owned(),
        tokens: pieces.iter().map(|piece| piece.text.clone()).collect(),
        token_types: pieces.iter().map(|piece| number(piece.kind)).collect(),
        scores: Some(pieces.iter().map(|piece| piece.score).collect()),
        bos: vocabulary.bos,
        eos: vocabulary.eos,
        unk: Some(unknown),
        pad: vocabulary.pad,
        add_space_prefix: Some(vocabulary.normalization.dummy_prefix),
        ..GgufVocab::default()
    }
}

/// The pieces of a GGUF vocabulary of the type `llama`.
pub(super) fn of_gguf(vocab: &GgufVocab) -> Result<Model> {
    let kind = |id: usize| {
        let number = vocab.token_types.get(id).copied().unwrap_or(1);
        KINDS.iter().find(|(_, known)| *known == number).map_or(Kind::Normal, |(kind, _)| *kind)
    };
    let score = |id: usize| vocab.scores.as_ref().map_or(-(id as f32), |scores| scores[id]);
    let piece = |(id, text): (usize, &String)| {
        let is_unknown = vocab.unk.is_some_and(|unknown| unknown as usize == id);
        let kind = if is_unknown { Kind::Unknown } else { kind(id) };
        Piece { text: text.clone(), score: score(id), kind }
    };
    let dummy_prefix = vocab.add_space_prefix.unwrap_or(true);
    Ok(Model::new(Vocabulary {
        pieces: vocab.tokens.iter().enumerate().map(piece).collect(),
        algorithm: Algorithm::Bpe,
        byte_fallback: true,
        bos: vocab.bos,
        eos: vocab.eos,
        pad: vocab.pad,
        unknown_surface: UNKNOWN_SURFACE.to_owned(),
        normalization: Normalization { dummy_prefix, ..Normalization::default() },
    })?)
}

/// A unigram vocabulary as Hugging Face writes it.
fn unigram(vocabulary: &Vocabulary, unknown: u32) -> Value {
    let Normalization { rules, dummy_prefix, squeeze, .. } = &vocabulary.normalization;
    let mut normalizers = Vec::new();
    if !rules.is_empty() {
        normalizers.push(json!({ "type": "Precompiled", "precompiled_charsmap": base64(rules) }));
    }
    if *squeeze {
        normalizers.push(json!({ "type": "Strip", "strip_left": true, "strip_right": true }));
        normalizers.push(json!({ "type": "Replace", "pattern": { "Regex": " {2,}" }, "content": " " }));
    }
    let scheme = if *dummy_prefix { "always" } else { "never" };
    let space = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false });
    let vocab: Vec<Value> = vocabulary.pieces.iter().map(|piece| json!([piece.text, piece.score])).collect();
    json!({
        "version": "1.0",
        "added_tokens": super::gguf::added_tokens(&as_gguf(vocabulary, unknown)),
        "normalizer": { "type": "Sequence", "normalizers": normalizers },
        "pre_tokenizer": space,
        "decoder": space,
        "model": {
            "type": "Unigram", "unk_id": unknown, "vocab": vocab, "byte_fallback": vocabulary.byte_fallback,
        },
    })
}

/// Bytes as text in which JSON can carry them, RFC 4648.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0_u32, |n, at| n << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn the_examples_of_rfc_4648_hold() {
        let check = |text: &str, expected: &str| assert_eq!(base64(text.as_bytes()), expected);
        check("", "");
        check("f", "Zg==");
        check("fo", "Zm8=");
        check("foo", "Zm9v");
        check("foobar", "Zm9vYmFy");
    }
}
