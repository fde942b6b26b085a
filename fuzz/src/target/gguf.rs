//! A GGUF file: its table of contents, its tensors, its configuration, its tokenizer.

use penname_model::Checkpoint;
use penname_model::weights::gguf::{Gguf, Tokenizer, parse_lora};

use super::{file, read_all, remove, tokenizer};
use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "gguf", run, seeds: sample::gguf_files, form: Form::Bytes };

/// Reads a file.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    if let Ok(gguf) = Gguf::parse(data) {
        reached.push("contents");
        if let Ok(Some(found)) = Tokenizer::from_metadata(&gguf.metadata) {
            reached.push("vocabulary");
            tokenizer::of_gguf(found, &mut reached);
        }
    }
    let adapters = [sample::config(), sample::gpt2_config()].map(|config| parse_lora(data, &config));
    if adapters.iter().any(Result::is_ok) {
        reached.push("adapter");
    }
    let Some(path) = file("model", data) else { return reached };
    if let Ok(checkpoint) = Checkpoint::open(&path) {
        read_all(&checkpoint, &mut reached);
    }
    remove(&path);
    reached
}
