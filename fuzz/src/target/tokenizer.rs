//! A `tokenizer.json`, and the tokenizer inside a GGUF file.

use penname_model::weights::gguf::Tokenizer as InGguf;
use penname_token::{GgufVocab, Tokenizer};

use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "tokenizer", run, seeds: sample::tokenizers, form: Form::Json };

/// Reads a file.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    if serde_json::from_slice::<serde::de::IgnoredAny>(data).is_ok() {
        reached.push("json");
    }
    if let Ok(tokenizer) = Tokenizer::from_json(data) {
        use_tokenizer(&tokenizer, &mut reached);
    }
    reached
}

/// Text there and back.
pub(super) fn use_tokenizer(tokenizer: &Tokenizer, reached: &mut Reached) {
    reached.push("tokenizer");
    for text in ["", "Hello, kettle 12.\n", "<|im_start|>x<0x0A>", "\u{1F58B} \u{e9}\u{301}\0"] {
        if let Ok(ids) = tokenizer.encode(text) {
            let _back = tokenizer.decode(&ids);
        }
        let _ids = tokenizer.encode_template(text);
    }
    let _ids = tokenizer.decode(&[0, u32::MAX, tokenizer.vocab_size() as u32]);
    if let Ok(vocab) = tokenizer.to_gguf(tokenizer.vocab_size()) {
        reached.push("to GGUF");
        if Tokenizer::from_gguf(&vocab).is_ok() {
            reached.push("and back");
        }
    }
}

/// The plain data of a GGUF file.
pub(super) fn of_gguf(found: InGguf, reached: &mut Reached) {
    let vocab = GgufVocab {
        model: found.model,
        pre: found.pre,
        tokens: found.tokens,
        token_types: found.token_types,
        merges: found.merges,
        scores: (!found.scores.is_empty()).then_some(found.scores),
        bos: found.bos,
        eos: found.eos,
        eot: found.eot,
        unk: found.unk,
        pad: found.pad,
        add_bos: found.add_bos,
        add_space_prefix: found.add_space_prefix,
    };
    if let Ok(tokenizer) = Tokenizer::from_gguf(&vocab) {
        use_tokenizer(&tokenizer, reached);
    }
}
