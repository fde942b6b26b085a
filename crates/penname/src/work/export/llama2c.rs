//! One model in one `.bin`, for `run.c` and `runq.c`: Llamas with the constants that program has.
//!
//! The version follows the storage: f32 is the first, which `run.c` reads, Q8_0 the third, which `runq.c`
//! reads. The second holds the same numbers as the first behind another header.

use std::path::Path;

use penname_model::weights::llama2c::{Version, write_llama2c};
use penname_model::{Checkpoint, Storage};

use super::source::Source;
use super::{Format, Made, Opened, beside};
use crate::failure::Failure;

pub(super) const FORMAT: Format = Format {
    name: "llama2c",
    about: "one small Llama in one .bin, for run.c (f32) and runq.c (q8_0)",
    storages: &[Storage::F32, Storage::Q8_0],
    needs_pairs: false,
    write,
    open,
};

pub(super) const FORMAT_1: Format = Format {
    name: "llama2c-v1",
    about: "the same numbers as run.c's behind a header that says what they are",
    storages: &[Storage::F32],
    needs_pairs: false,
    write: write_1,
    open,
};

const FILE: &str = "model.bin";

const USE: &str = "```text
run model.bin -z tokenizer.bin
```";

fn write(source: &Source, storage: Storage, dir: &Path) -> Result<Made, Failure> {
    let version = if storage == Storage::Q8_0 { Version::int8(&source.config) } else { Version::V0 };
    write_as(source, version, dir)
}

fn write_1(source: &Source, _storage: Storage, dir: &Path) -> Result<Made, Failure> {
    write_as(source, Version::V1, dir)
}

fn write_as(source: &Source, version: Version, dir: &Path) -> Result<Made, Failure> {
    let whole = source.whole()?;
    write_llama2c(&dir.join(FILE), &source.config, version, &whole.tensors(Storage::F32))?;
    let mut files = vec![FILE.to_owned()];
    files.extend(beside::write_text(source, dir)?);
    files.push(beside::write_card(source, dir, "A whole model for llama2.c.", USE)?);
    Ok(Made { files })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    let model = Some(Checkpoint::open(dir.join(FILE))?);
    Ok(Opened { model, adapter: None, renderer: super::text_of_folder(source, dir)? })
}
