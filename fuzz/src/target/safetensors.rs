//! A safetensors file.

use penname_model::Checkpoint;

use super::{file, read_all, remove};
use crate::{Target, sample};

/// See the [module](self).
pub const TARGET: Target =
    Target { name: "safetensors", run, seeds: sample::safetensors_files, is_json: false };

/// Reads a file.
pub fn run(data: &[u8]) {
    let Some(path) = file("model", data) else { return };
    if let Ok(checkpoint) = Checkpoint::open(&path) {
        read_all(&checkpoint);
    }
    remove(&path);
}
