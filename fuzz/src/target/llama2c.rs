//! A llama2.c `.bin`.

use penname_model::Checkpoint;

use super::{file, read_all, remove};
use crate::{Form, Reached, Target, sample};

/// See the [module](self).
pub const TARGET: Target = Target { name: "llama2c", run, seeds: sample::llama2c_files, form: Form::Bytes };

/// Reads a file.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    let Some(path) = file("model", data) else { return reached };
    if let Ok(checkpoint) = Checkpoint::open(&path) {
        read_all(&checkpoint, &mut reached);
    }
    remove(&path);
    reached
}
