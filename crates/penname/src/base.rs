//! The base model of a project: found or pulled, opened, and able to read and write text.

mod place;
mod text;

use penname_hub::pull::Network;
use penname_hub::{Options, Pip, Reference};
use penname_ledger::{Choice, Event, Hash, Witness};
use penname_model::{Checkpoint, Config, Shelf};
use penname_token::Renderer;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::settings::Settings;
use crate::settings::meant::SCRATCH;
use crate::work::contract::{self, Contract};
pub(crate) use place::Place;
pub(crate) use text::read_tokenizer;

/// A base model, open.
#[derive(Debug)]
pub(crate) struct Base {
    /// Where it is and where it came from.
    pub(crate) pulled: penname_hub::Base,
    /// Its tensors.
    pub(crate) checkpoint: Checkpoint,
    /// What it looks like.
    pub(crate) config: Config,
    /// Its tokenizer and template, joined.
    pub(crate) renderer: Renderer,
    /// Which template that is, and why.
    pub(crate) template: Choice,
    /// Whether it began from nothing, here or with llama2.c, and has read little.
    pub(crate) is_small: bool,
}

impl Base {
    /// Finds or fetches the base model the settings name, and opens it.
    ///
    /// # Errors
    /// When it cannot be had, or is not what it should be.
    pub(crate) fn open(desk: &Desk, settings: &Settings) -> Result<Self, Failure> {
        Self::open_named(desk, settings, &named(desk, settings))
    }

    /// Finds or fetches a base model other than the one the settings name, and opens it.
    ///
    /// # Errors
    /// When it cannot be had, or is not what it should be.
    pub(crate) fn open_named(desk: &Desk, settings: &Settings, typed: &str) -> Result<Self, Failure> {
        let template = settings.template.as_deref();
        let template = template.map(|typed| Place::of(desk).meant(typed, settings.origin("template")));
        let tokenizer = settings.tokenizer.file.as_deref().filter(|_| typed != SCRATCH);
        let tokenizer =
            tokenizer.map(|typed| Place::of(desk).meant(typed, settings.origin("tokenizer.file")));
        let pulled = fetch(desk, typed, desk.is_offline(), desk.witness())?;
        let checkpoint = Checkpoint::open(&pulled.path)?;
        let config = checkpoint.config()?;
        let wanted = text::Wanted {
            template: template.as_deref(),
            tokenizer: tokenizer.as_deref(),
            thinking: settings.voice.thinking,
        };
        let (renderer, template) = text::renderer(&checkpoint, &config, &wanted)?;
        check_vocabulary(&renderer, &config, desk.witness())?;
        let is_small = checked_contract(&pulled, &renderer)?.is_some_and(|contract| contract.small);
        let is_small = is_small || checkpoint.is_llama2c();
        Ok(Self { pulled, checkpoint, config, renderer, template, is_small })
    }

    /// Tokens at which a reply ends: those of the tokenizer, of the template, and of the model itself.
    pub(crate) fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.renderer.stop_ids().to_vec();
        ids.extend(self.config.eos.iter().filter(|id| !self.renderer.stop_ids().contains(id)));
        ids
    }

    /// What it is, by the digests of its files: as they were published, or taken here.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub(crate) fn digest(&self, desk: &Desk) -> Result<Hash, Failure> {
        let digests = penname_hub::digests(&self.pulled, &desk.environment.cache_dir.value)?;
        Ok(Hash::of_json(&serde_json::json!(digests)))
    }

    /// Where it lies if it is not to be in memory: beside bases that were fetched.
    ///
    /// # Errors
    /// When a file of it cannot be read.
    pub(crate) fn shelf(&self, desk: &Desk) -> Result<Shelf, Failure> {
        Ok(Shelf::new(desk.environment.cache_dir.value.join("packed"), self.digest(desk)?))
    }

    /// How most of its matrices are stored.
    pub(crate) fn storage(&self) -> penname_model::Storage {
        self.checkpoint.storage()
    }

    /// Numbers in all tensors.
    ///
    /// # Errors
    /// None for a checkpoint that could be opened.
    pub(crate) fn n_parameters(&self) -> Result<u64, Failure> {
        let shape = |name| Ok::<_, Failure>(self.checkpoint.info(name)?.n_values() as u64);
        self.checkpoint.names().map(shape).sum()
    }
}

/// Tokenizer and own template of a checkpoint that was opened, joined.
///
/// # Errors
/// When a file is missing or broken.
pub(crate) fn renderer_of(
    checkpoint: &Checkpoint,
    config: &Config,
    thinking: bool,
) -> Result<Renderer, Failure> {
    let wanted = text::Wanted { template: None, tokenizer: None, thinking };
    Ok(text::renderer(checkpoint, config, &wanted)?.0)
}

/// Tokenizer and template of a folder, whatever else it holds.
///
/// # Errors
/// When a file is missing or broken.
pub(crate) fn renderer_in(
    dir: &std::path::Path,
    config: &Config,
    thinking: bool,
) -> Result<Renderer, Failure> {
    text::renderer_in(dir, config, thinking)
}

/// The base model the settings name, as it would be typed where one stands.
pub(crate) fn named(desk: &Desk, settings: &Settings) -> String {
    if settings.is_scratch() {
        return SCRATCH.to_owned();
    }
    Place::of(desk).meant(&settings.base, settings.origin("base"))
}

/// Whether the base model of these settings is on this machine, without opening any connection.
///
/// # Errors
/// When it is not.
pub(crate) fn find(desk: &Desk, settings: &Settings) -> Result<penname_hub::Base, Failure> {
    fetch(desk, &named(desk, settings), true, &penname_ledger::event::Silent)
}

fn fetch(
    desk: &Desk,
    typed: &str,
    offline: bool,
    witness: &dyn Witness,
) -> Result<penname_hub::Base, Failure> {
    let typed = &place::leading_to(desk, typed)?;
    let reference = Reference::parse(typed)?;
    let pip = Pip::default();
    let environment = &desk.environment;
    let options = Options {
        endpoint: &environment.endpoint.value,
        proxy: environment.proxy.value.as_deref(),
        token: environment.token.value.as_ref(),
        hub_cache_dir: environment.hub_cache_dir.value.as_deref(),
        network: if offline { Network::Forbidden } else { Network::Allowed },
        pip: (!offline).then_some(&pip),
        stop: Some(desk.stop()),
        ..Options::new(&environment.cache_dir.value)
    };
    Ok(penname_hub::pull(&reference, &options, witness)?)
}

/// A voice trained in full carries the digest of its tokenizer; with another one beside it, it would
/// read noise.
fn checked_contract(pulled: &penname_hub::Base, renderer: &Renderer) -> Result<Option<Contract>, Failure> {
    if !pulled.path.join(contract::FILE).is_file() {
        return Ok(None);
    }
    let contract = Contract::read(&pulled.path)?;
    let found = renderer.tokenizer().hash().to_string();
    if found == contract.tokenizer {
        return Ok(Some(contract));
    }
    let message = format!(
        "the tokenizer of `{}` has hash {found}, expected {}, with which the model was trained",
        pulled.origin, contract.tokenizer
    );
    Err(Failure::new(Kind::Input, message)
        .hint("restore the tokenizer that was there, and set no `tokenizer.file`"))
}

/// A tokenizer that can say more than the model has rows for would read past the embedding.
fn check_vocabulary(renderer: &Renderer, config: &Config, witness: &dyn Witness) -> Result<(), Failure> {
    let (n_tokens, n_rows) = (renderer.tokenizer().vocab_size(), config.vocab_size);
    if n_tokens > n_rows {
        let message = format!("the tokenizer has {n_tokens} tokens, the model has rows for {n_rows}");
        return Err(
            Failure::new(Kind::Input, message).hint("choose a base model whose files belong together")
        );
    }
    if renderer.stop_ids().is_empty() && config.eos.is_empty() {
        let what = "neither the tokenizer, the template nor the model names a token that ends a reply";
        let hint = "replies will only end at `write.max_tokens`; choose another template";
        witness.see(&Event::warning(what, hint));
    }
    Ok(())
}
