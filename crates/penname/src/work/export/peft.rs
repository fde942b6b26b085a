//! The low-rank pairs alone, as PEFT lays them out.

use std::path::Path;

use penname_infer::Adapter;
use penname_model::peft::{self, AdapterConfig};

use super::source::Source;
use super::{Format, Made, Opened, beside};
use crate::failure::Failure;
use penname_model::Storage;

pub(super) const FORMAT: Format = Format {
    name: "peft",
    about: "the adapter alone, for transformers with PEFT and what reads that",
    storages: &[Storage::F32],
    needs_pairs: true,
    write,
    open,
};

const USE: &str = "```python
from peft import AutoPeftModelForCausalLM
model = AutoPeftModelForCausalLM.from_pretrained(\"THIS FOLDER\")
```";

fn write(source: &Source, _storage: Storage, dir: &Path) -> Result<Made, Failure> {
    let Some((config, pairs)) = source.pairs() else { return Ok(Made::default()) };
    let config = AdapterConfig {
        base_model: config.base_model.clone().or_else(|| Some(source.base_name.clone())),
        dropout: 0.0,
        ..config.clone()
    };
    peft::write_adapter(dir, &config, pairs)?;
    let mut files = vec!["adapter_config.json".to_owned(), "adapter_model.safetensors".to_owned()];
    files.extend(beside::write_text(source, dir)?);
    files.push(beside::write_card(source, dir, "A low-rank adapter in PEFT's layout.", USE)?);
    Ok(Made { files })
}

fn open(source: &Source, dir: &Path) -> Result<Opened, Failure> {
    let adapter: Adapter = peft::load_adapter(dir)?;
    Ok(Opened { model: None, adapter: Some(adapter), renderer: super::text_of_folder(source, dir)? })
}
