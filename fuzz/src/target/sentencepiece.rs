//! A SentencePiece `.model`, and the `tokenizer.bin` that llama2.c makes of one.

use penname_token::Tokenizer;
use penname_token::sentencepiece::Model;

use super::tokenizer::use_tokenizer;
use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target =
    Target { name: "sentencepiece", run, seeds: sample::sentencepieces, form: Form::Wire };

/// Reads a file as either.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    if let Ok(model) = Model::from_bytes(data) {
        reached.push("model");
        use_model(model, &mut reached);
    } else if let Ok(model) = Model::from_llama2c(data) {
        reached.push("llama2c");
        use_model(model, &mut reached);
    }
    reached
}

/// Text there and back, and the model itself.
fn use_model(model: Model, reached: &mut Reached) {
    for text in ["", " ", "The kettle  12 boils.\n", "ab\u{2581}ba<s>", "\u{ff21}\u{1F58B}\u{e9}\u{301}\0\t"]
    {
        let (ids, on) = (model.encode(text), model.encode_on(text));
        let n_pieces = model.vocabulary().pieces.len();
        let known = ids.iter().chain(&on).all(|id| (*id as usize) < n_pieces);
        assert!(known, "an id that is none: {ids:?} {on:?} of {n_pieces}");
        let _texts = (model.decode(&ids), model.decode(&on), model.n_unknown(text));
    }
    let _text = model.decode(&[0, u32::MAX, model.vocabulary().pieces.len() as u32]);
    let again = Model::from_bytes(&model.to_bytes()).map(|again| again.vocabulary() == model.vocabulary());
    // A score that is no number is not equal to itself.
    let has_numbers = model.vocabulary().pieces.iter().all(|piece| !piece.score.is_nan());
    assert!(!has_numbers || again == Ok(true), "a model that was read cannot be read again: {again:?}");
    if let Ok(bytes) = model.to_llama2c() {
        reached.push("to llama2c");
        let _again = Model::from_llama2c(&bytes);
    }
    if let Ok(tokenizer) = Tokenizer::from_sentencepiece(model) {
        use_tokenizer(&tokenizer, reached);
    }
}
