//! The base model of a project: found or fetched, opened, and able to read and write text.

mod text;

use std::path::Path;

use penname_hub::pull::Network;
use penname_hub::{Options, Pip, Reference};
use penname_ledger::{Event, Witness};
use penname_model::{Checkpoint, Config};
use penname_token::Renderer;

use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::settings::{Origin, Settings};

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
}

impl Base {
    /// Finds or fetches the base model the settings name, and opens it.
    ///
    /// # Errors
    /// When it cannot be had, or is not what it should be.
    pub(crate) fn open(desk: &Desk, settings: &Settings) -> Result<Self, Failure> {
        let pulled = pull(desk, settings)?;
        let checkpoint = Checkpoint::open(&pulled.path)?;
        let config = checkpoint.config()?;
        let renderer = text::renderer(&checkpoint, &config, settings, &Place::of(desk))?;
        check_vocabulary(&renderer, &config, desk.witness())?;
        Ok(Self { pulled, checkpoint, config, renderer })
    }

    /// Tokens at which a reply ends: those of the tokenizer, of the template, and of the model itself.
    pub(crate) fn stop_ids(&self) -> Vec<u32> {
        let mut ids = self.renderer.stop_ids().to_vec();
        ids.extend(self.config.eos.iter().filter(|id| !self.renderer.stop_ids().contains(id)));
        ids
    }
}

/// Where relative paths in settings begin.
#[derive(Debug)]
pub(crate) struct Place {
    project: Option<std::path::PathBuf>,
}

impl Place {
    fn of(desk: &Desk) -> Self {
        Self { project: desk.project().ok().map(|project| project.dir().to_path_buf()) }
    }

    /// A path as it was meant: one in `penname.yaml` begins in its folder, one on the command line
    /// where the person stands. What is no file in that folder is left as it is.
    pub(crate) fn meant(&self, typed: &str, origin: &Origin) -> String {
        let dir = self.project.as_ref().filter(|_| matches!(origin, Origin::File { .. }));
        let inside = dir.map(|dir| dir.join(Path::new(typed))).filter(|path| path.exists());
        inside.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or_else(|| typed.to_owned())
    }
}

/// Makes sure the base model is on this machine.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn pull(desk: &Desk, settings: &Settings) -> Result<penname_hub::Base, Failure> {
    let typed = Place::of(desk).meant(&settings.base, settings.origin("base"));
    let reference = Reference::parse(&typed)?;
    let pip = Pip::default();
    let environment = &desk.environment;
    let network = if desk.is_offline() { Network::Forbidden } else { Network::Allowed };
    let options = Options {
        endpoint: &environment.endpoint.value,
        proxy: environment.proxy.value.as_deref(),
        token: environment.token.value.as_ref(),
        hub_cache_dir: environment.hub_cache_dir.value.as_deref(),
        network,
        pip: (network == Network::Allowed).then_some(&pip),
        stop: Some(desk.stop()),
        ..Options::new(&environment.cache_dir.value)
    };
    Ok(penname_hub::pull(&reference, &options, desk.witness())?)
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
        witness.see(&Event::warning(
            what,
            "replies will only end at `write.max_tokens`; choose another template",
        ));
    }
    Ok(())
}
