//! What travels with a trained voice: how it is asked, and what it belongs to.
//!
//! A model answers well only in the shape it was trained in. The contract holds that shape, so that
//! chat, scoring and every later use render the very same ids.

use std::path::Path;

use penname_ledger::write;
use penname_token::Renderer;
use serde::{Deserialize, Serialize};

use super::tokenizer;
use crate::base::Base;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;

/// Name of the file, beside the adapter.
pub(crate) const FILE: &str = "voice.json";
const FORMAT: u32 = 1;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Contract {
    /// Layout of this file.
    pub(crate) format: u32,
    /// Version of the program that wrote it.
    pub(crate) penname: String,
    /// What the voice is called.
    pub(crate) name: String,
    /// The base, as the settings name it.
    pub(crate) base: String,
    /// How the base's frozen weights were kept, which the adapter was trained beside.
    #[serde(default)]
    pub(crate) base_weights: penname_train::settings::Base,
    /// Where the base came from.
    pub(crate) origin: String,
    /// The chat template, whole.
    pub(crate) template: String,
    /// Whether the template leaves room for thoughts.
    #[serde(default)]
    pub(crate) thinking: bool,
    /// Tokens at which a reply ends.
    pub(crate) stop_ids: Vec<u32>,
    /// Hash of the tokenizer whose ids were trained.
    pub(crate) tokenizer: String,
    /// The system prompt of every training example, if there was one.
    pub(crate) persona: Option<String>,
    /// Whether the weights themselves were trained.
    pub(crate) full: bool,
    /// Whether the model, or that it was trained from, began from nothing.
    #[serde(default)]
    pub(crate) small: bool,
}

impl Contract {
    /// The contract of a voice called `name`, trained from a base that the settings call `named`.
    pub(crate) fn new(
        name: String,
        base: &Base,
        named: &str,
        base_weights: penname_train::settings::Base,
        settings: &Settings,
    ) -> Self {
        Self {
            format: FORMAT,
            penname: env!("CARGO_PKG_VERSION").to_owned(),
            name,
            base: named.to_owned(),
            base_weights: base_weights.in_use(),
            origin: base.pulled.origin.clone(),
            template: base.renderer.template().source().to_owned(),
            thinking: settings.voice.thinking,
            stop_ids: base.stop_ids(),
            tokenizer: base.renderer.tokenizer().hash().to_string(),
            persona: settings.voice.persona.clone(),
            full: settings.train.method == "full",
            small: settings.is_scratch() || base.is_small,
        }
    }

    /// Writes the contract and the tokenizer beside the adapter.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn save(&self, folder: &Path, renderer: &Renderer) -> Result<(), Failure> {
        if self.full {
            // A whole model, which may be a base in its turn.
            tokenizer::save(folder, renderer.tokenizer(), Some(&self.template))?;
        } else {
            write::bytes(&folder.join(tokenizer::JSON), renderer.tokenizer().to_json()?.as_bytes())?;
        }
        Ok(write::json(&folder.join(FILE), self)?)
    }

    /// Reads the contract beside an adapter.
    ///
    /// # Errors
    /// When there is none, or it is of another layout.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let wrong = |why: String| {
            Failure::new(Kind::Input, format!("cannot read `{}`: {why}", path.display()))
                .hint("train the voice again, or restore the file")
        };
        let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let contract: Self = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if contract.format != FORMAT {
            return Err(wrong(format!("it has format {}, expected {FORMAT}", contract.format)));
        }
        Ok(contract)
    }
}
