//! One model in one GGUF file, tokenizer and template inside.

use std::path::Path;

use penname_model::weights::gguf::{Tokenizer as InGguf, model_metadata, write_model};
use penname_model::{Checkpoint, Storage};

use super::source::Source;
use super::{Format, Made, Opened, beside};
use crate::failure::Failure;

pub(super) const FORMAT: Format = Format {
    name: "gguf",
    about: "one model in one file, for llama.cpp, LM Studio and whatever reads GGUF",
    storages: &[Storage::F32, Storage::F16, Storage::BF16, Storage::Q8_0, Storage::Q4_0],
    needs_pairs: false,
    write,
    open,
};

/// Name of the file.
pub(super) const FILE: &str = "model.gguf";

const USE: &str = "```text
llama-cli -m model.gguf
```";

fn write(source: &Source, storage: Storage, dir: &Path) -> Result<Made, Failure> {
    write_file(source, storage, &dir.join(FILE))?;
    let card = beside::write_card(source, dir, "A whole model in one GGUF file.", USE)?;
    Ok(Made { files: vec![FILE.to_owned(), card] })
}

/// Writes the one file.
///
/// # Errors
/// When GGUF has no words for the model or its tokenizer, or the file system refuses.
pub(super) fn write_file(source: &Source, storage: Storage, path: &Path) -> Result<(), Failure> {
    let mut metadata = model_metadata(&source.config, &source.name, storage)?;
    tokenizer(source)?.to_metadata(&mut metadata)?;
    Ok(write_model(path, &source.whole()?, storage, &metadata)?)
}

/// The tokenizer as GGUF has it, ending where this voice ends.
fn tokenizer(source: &Source) -> Result<InGguf, Failure> {
    let vocab = source.renderer.tokenizer().to_gguf(source.config.vocab_size)?;
    let mut ends =
        vocab.eos.into_iter().chain(source.stop_ids.iter().copied().filter(|id| Some(*id) != vocab.eos));
    Ok(InGguf {
        model: vocab.model,
        pre: vocab.pre,
        tokens: vocab.tokens,
        token_types: vocab.token_types,
        scores: vocab.scores.unwrap_or_default(),
        merges: vocab.merges,
        bos: vocab.bos,
        eos: ends.next(),
        eot: ends.next(),
        unk: vocab.unk,
        pad: vocab.pad,
        add_bos: vocab.add_bos,
        add_eos: Some(false),
        add_space_prefix: vocab.add_space_prefix,
        chat_template: Some(source.renderer.template().source().to_owned()),
    })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    Opened::model(source, Checkpoint::open(dir.join(FILE))?)
}
