//! One model in a folder as Hugging Face publishes them: weights added in f32 and rounded once.

use std::path::Path;

use penname_model::Checkpoint;
use penname_model::Storage;
use penname_model::merge::write_whole;
use penname_model::weights::SHARD_BYTES;

use super::source::Source;
use super::{Format, Made, Opened, beside};
use crate::failure::Failure;

pub(super) const FORMAT: Format = Format {
    name: "merged",
    about: "one model in a folder of safetensors, for transformers, vLLM and whatever reads them",
    storages: &[Storage::F32, Storage::F16, Storage::BF16],
    needs_pairs: false,
    write,
    open,
};

const USE: &str = "```python
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(\"THIS FOLDER\")
tokenizer = AutoTokenizer.from_pretrained(\"THIS FOLDER\")
```";

fn write(source: &Source, storage: Storage, dir: &Path) -> Result<Made, Failure> {
    let mut files = write_whole(&source.whole()?, storage, SHARD_BYTES, dir)?;
    files.extend(beside::write_text(source, dir)?);
    files.push(beside::write_generation(source, dir)?);
    files.push(beside::write_card(source, dir, "A whole model, the adapter added to its weights.", USE)?);
    Ok(Made { files })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    Opened::model(source, Checkpoint::open(dir)?)
}
