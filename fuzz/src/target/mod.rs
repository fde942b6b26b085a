//! The readers, a file each.

pub mod adapter;
pub mod config;
pub mod gguf;
pub mod llama2c;
pub mod safetensors;
pub mod sentencepiece;
pub mod shard;
pub mod tokenizer;

use std::path::{Path, PathBuf};

use penname_ledger::write;
use penname_model::{Checkpoint, Config};

use crate::{Reached, Target};

/// Every target.
pub const ALL: &[Target] = &[
    gguf::TARGET,
    safetensors::TARGET,
    llama2c::TARGET,
    config::TARGET,
    adapter::TARGET,
    tokenizer::TARGET,
    sentencepiece::TARGET,
    shard::TARGET,
];

/// Values of a tensor that are decoded: more are the same code again.
const MAX_VALUES: usize = 1 << 16;

/// A file of this process that an input is written to.
fn file(name: &str, data: &[u8]) -> Option<PathBuf> {
    let path = place(name);
    put(&path, data).ok()?;
    Some(path)
}

/// A folder of this process.
fn folder(name: &str) -> Option<PathBuf> {
    let path = place(name);
    write::folder(&path).ok()?;
    Some(path)
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("penname-fuzz-{}-{name}", std::process::id()))
}

#[expect(clippy::disallowed_methods, reason = "a file that is gone at once is not waited for")]
fn put(path: &Path, data: &[u8]) -> std::io::Result<()> {
    std::fs::write(path, data)
}

/// Everything a checkpoint can be asked.
fn read_all(checkpoint: &Checkpoint, reached: &mut Reached) {
    reached.push("header");
    let (mut floats, mut halves, mut n_read) = (Vec::new(), Vec::new(), 0);
    for name in checkpoint.names() {
        let Ok(tensor) = checkpoint.tensor(name) else { continue };
        if tensor.info().n_values() > MAX_VALUES {
            continue;
        }
        tensor.read_f32(&mut floats);
        tensor.read_bf16(&mut halves);
        let _bytes = tensor.bytes();
        n_read += 1;
    }
    if n_read > 0 {
        reached.push("tensors");
    }
    if let Ok(config) = checkpoint.config() {
        use_config(&config, reached);
        // A model is built of numbers as small as an honest file's.
        let small = config.n_layers <= 8 && config.vocab_size <= 4096 && config.head_width <= 4096;
        let small = small && config.feed_forward <= 1 << 16 && config.width <= 1 << 16;
        if small && penname_model::Whole::new(checkpoint, None).is_ok() {
            reached.push("model");
        }
    }
}

/// What is computed from a configuration alone.
fn use_config(config: &Config, reached: &mut Reached) {
    reached.push("config");
    let _angles = config.rope_frequencies();
    let written = config.to_hf_json(penname_model::Storage::F32);
    let again = Config::from_hf_json(written);
    assert!(again.is_ok(), "a configuration that was read cannot be read again: {again:?}");
}

/// Removes a file of [`file`].
fn remove(path: &Path) {
    let _gone_already = write::remove_file(path);
}

/// Removes a folder of [`folder`].
fn remove_folder(path: &Path) {
    let _gone_already = write::remove_folder(path);
}
