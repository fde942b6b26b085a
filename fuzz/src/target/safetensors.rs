//! A folder with `config.json` and, after it in the input, `model.safetensors`.

use penname_model::Checkpoint;

use super::{folder, put, read_all, remove_folder};
use crate::{Form, Reached, Target, parts, sample};

/// See the [module](self).
pub const TARGET: Target =
    Target { name: "safetensors", run, seeds: sample::safetensors_files, form: Form::Headed };

/// Reads a folder.
pub fn run(data: &[u8]) -> Reached {
    let mut reached = Vec::new();
    let Some((config, weights)) = parts(data) else { return reached };
    let Some(dir) = folder("model") else { return reached };
    let there =
        put(&dir.join("config.json"), config).is_ok() && put(&dir.join("model.safetensors"), weights).is_ok();
    if there && let Ok(checkpoint) = Checkpoint::open(&dir) {
        read_all(&checkpoint, &mut reached);
    }
    remove_folder(&dir);
    reached
}
