//! The low-rank pairs alone in one GGUF file, to be laid beside a base in another.

use std::path::Path;

use penname_model::Storage;
use penname_model::weights::gguf::{read_lora, write_lora};

use super::source::Source;
use super::{Format, Made, Opened, beside};
use crate::failure::Failure;

pub(super) const FORMAT: Format = Format {
    name: "gguf-lora",
    about: "the adapter alone as GGUF, for llama.cpp beside any GGUF of the same base",
    storages: &[Storage::F32],
    needs_pairs: true,
    write,
    open,
};

/// Name of the file.
pub(super) const FILE: &str = "adapter.gguf";

const USE: &str = "```text
llama-cli -m BASE.gguf --lora adapter.gguf
```";

fn write(source: &Source, _storage: Storage, dir: &Path) -> Result<Made, Failure> {
    let Some(pairs) = source.pairs() else { return Ok(Made::default()) };
    write_lora(&dir.join(FILE), &source.config, pairs, &source.name)?;
    let card = beside::write_card(source, dir, "A low-rank adapter in a GGUF file.", USE)?;
    Ok(Made { files: vec![FILE.to_owned(), card] })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    Ok(Opened { model: None, adapter: Some(read_lora(&dir.join(FILE), &source.config)?), renderer: None })
}
