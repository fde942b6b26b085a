//! Ids of awkward strings, against those llama.cpp publishes with its vocabularies.

use std::fs;
use std::path::Path;

use penname_model::weights::gguf::{self, Gguf};
use penname_token::{GgufVocab, Tokenizer};

use super::{Inputs, Verdict};
use crate::Result;

/// What parts the strings of an `.inp` file.
const BETWEEN: &str = "\n__ggml_vocab_test__\n";

/// All strings of both vocabularies.
pub(super) fn goldens(inputs: &Inputs) -> Verdict {
    let mut told = Vec::new();
    for name in ["gpt-2", "qwen2"] {
        let path = |end: &str| inputs.kit(&format!("goldens/ggml-vocab-{name}.gguf{end}"));
        let tokenizer = tokenizer(&path("")?)?;
        let texts = String::from_utf8(fs::read(path(".inp")?)?)?;
        let ids = fs::read_to_string(path(".out")?)?;
        told.push(format!("{name} {}", compare(&tokenizer, &texts, &ids)?));
    }
    Ok(told.join(", "))
}

/// The tokenizer in a GGUF file.
pub(super) fn tokenizer(path: &Path) -> Result<Tokenizer> {
    let file = fs::read(path)?;
    let plain = gguf::Tokenizer::from_metadata(&Gguf::parse(&file)?.metadata)?;
    let plain = plain.ok_or_else(|| format!("`{}` has no tokenizer", path.display()))?;
    let vocab = GgufVocab {
        model: plain.model,
        pre: plain.pre,
        tokens: plain.tokens,
        token_types: plain.token_types,
        merges: plain.merges,
        scores: (!plain.scores.is_empty()).then_some(plain.scores),
        bos: plain.bos,
        eos: plain.eos,
        eot: plain.eot,
        unk: plain.unk,
        pad: plain.pad,
        add_bos: plain.add_bos,
        add_space_prefix: plain.add_space_prefix,
    };
    Ok(Tokenizer::from_gguf(&vocab)?)
}

fn compare(tokenizer: &Tokenizer, texts: &str, ids: &str) -> Result<String> {
    // The last string is empty, and so is the last line of ids.
    let texts: Vec<&str> = texts.split(BETWEEN).collect();
    let ids: Vec<&str> = ids.split('\n').collect();
    if texts.len() != ids.len() {
        return Err(format!("{} strings but {} lines of ids", texts.len(), ids.len()).into());
    }
    for (text, expected) in texts.iter().zip(&ids) {
        let found = tokenizer.encode(text)?;
        let expected: Vec<u32> =
            expected.split_whitespace().map(str::parse).collect::<std::result::Result<_, _>>()?;
        if found != expected {
            return Err(format!("{text:?} became {found:?}, expected {expected:?}").into());
        }
    }
    Ok(format!("{0}/{0}", texts.len()))
}
