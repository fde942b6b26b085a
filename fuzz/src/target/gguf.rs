//! A GGUF file: its table of contents, its tensors, its configuration, its tokenizer.

use penname_model::Checkpoint;
use penname_model::weights::gguf::{Gguf, Tokenizer, parse_lora};

use super::{file, read_all, remove, tokenizer};
use crate::{Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "gguf", run, seeds: sample::gguf_files, is_json: false };

/// Reads a file.
pub fn run(data: &[u8]) {
    if let Ok(gguf) = Gguf::parse(data) {
        if let Ok(Some(found)) = Tokenizer::from_metadata(&gguf.metadata) {
            tokenizer::of_gguf(found);
        }
    }
    let _adapter = parse_lora(data, &sample::config());
    let _adapter = parse_lora(data, &sample::gpt2_config());
    let Some(path) = file("model", data) else { return };
    if let Ok(checkpoint) = Checkpoint::open(&path) {
        read_all(&checkpoint);
    }
    remove(&path);
}
