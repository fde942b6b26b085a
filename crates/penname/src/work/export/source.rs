//! What is exported: a voice, an adapter made elsewhere, or a base as it is.

use std::path::Path;

use penname_corpus::rights::Rights;
use penname_infer::Adapter;
use penname_ledger::Hash;
use penname_model::weights::gguf::read_lora;
use penname_model::whole::{Pairs, Whole};
use penname_model::{Checkpoint, Config, peft};
use penname_token::template::THINKING;
use penname_token::{Message, Renderer, Role, Template};
use penname_train::settings::Base as Kept;
use serde_json::json;

use crate::base::Base;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::work::drawing::Drawing;
use crate::work::learned;
use crate::work::voice::{Parts, parts};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Source {
    /// What it is called.
    pub(crate) name: String,
    /// The base as a person would name it.
    pub(crate) base_name: String,
    /// Where the base came from.
    pub(crate) origin: String,
    /// The weights: those of the base, or those trained in full.
    pub(crate) checkpoint: Checkpoint,
    /// What the model looks like.
    pub(crate) config: Config,
    /// Pairs beside the weights.
    pub(crate) adapter: Option<Adapter>,
    /// Messages to ids, as in training.
    pub(crate) renderer: Renderer,
    /// Tokens at which a reply ends.
    pub(crate) stop_ids: Vec<u32>,
    /// The system prompt of every training example.
    pub(crate) persona: Option<String>,
    /// How the base was kept while it was trained beside.
    pub(crate) base_weights: Kept,
    /// Whether the template leaves room for thoughts.
    pub(crate) thinking: bool,
    /// How replies are drawn.
    pub(crate) write: Drawing,
    /// Digest of every weight that goes in.
    pub(crate) hash: Hash,
    /// The run it was trained by, where it is one of this project.
    pub(crate) run: Option<String>,
    /// What may be done with what it learned, where that is known.
    pub(crate) rights: Option<Rights>,
}

/// Which of the three is meant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// The voice of a run, or of the newest that is done.
    Run(Option<&'a str>),
    /// An adapter: a PEFT folder, or a GGUF file.
    Adapter(&'a Path),
    /// The base and nothing else.
    Base,
}

impl Source {
    /// Opens what is wanted; weights are mapped, not loaded.
    ///
    /// # Errors
    /// When it is not there, or does not fit together.
    pub(crate) fn open(desk: &Desk, settings: &Settings, wanted: Wanted<'_>) -> Result<Self, Failure> {
        match wanted {
            Wanted::Run(name) => Self::of_run(desk, parts(desk, &desk.project()?, settings, name)?, settings),
            Wanted::Adapter(path) => {
                let base = Base::open(desk, settings)?;
                let adapter = open_adapter(path, &base.config)?;
                let name = path.file_stem().map_or_else(|| "adapter".into(), |name| name.to_string_lossy());
                Self::of_base(desk, (base, settings), name.into_owned(), Some((adapter, adapter_hash(path)?)))
            }
            Wanted::Base => {
                let base = Base::open(desk, settings)?;
                let name = base.pulled.origin.rsplit('/').next().unwrap_or("base").to_owned();
                Self::of_base(desk, (base, settings), name, None)
            }
        }
    }

    fn of_run(desk: &Desk, parts: Parts, settings: &Settings) -> Result<Self, Failure> {
        let Parts { run, contract, base, renderer } = parts;
        let write = Drawing::decide(&settings.write, &renderer, contract.thinking, desk.witness());
        let folder = run.adapter();
        let digest = base.digest(desk)?;
        let (checkpoint, adapter) = if contract.full {
            (Checkpoint::open(&folder)?, None)
        } else {
            (base.checkpoint, Some(peft::load_adapter(&folder)?))
        };
        let weights = if contract.full { folder.join("model.safetensors") } else { folder.clone() };
        let hash = Hash::of_json(&json!([digest, adapter_hash(&weights)?]));
        Ok(Self {
            name: contract.name,
            base_name: contract.base,
            origin: contract.origin,
            config: checkpoint.config()?,
            checkpoint,
            adapter,
            renderer,
            stop_ids: contract.stop_ids,
            persona: contract.persona,
            base_weights: contract.base_weights,
            thinking: contract.thinking,
            write,
            hash,
            run: Some(run.name().to_owned()),
            rights: learned::rights(run.dir()).map(|learned| learned.rights),
        })
    }

    fn of_base(
        desk: &Desk,
        (base, settings): (Base, &Settings),
        name: String,
        adapter: Option<(Adapter, Hash)>,
    ) -> Result<Self, Failure> {
        let thinking = settings.voice.thinking;
        let write = Drawing::decide(&settings.write, &base.renderer, thinking, desk.witness());
        let hash = Hash::of_json(&json!([base.digest(desk)?, adapter.as_ref().map(|(_, hash)| hash)]));
        Ok(Self {
            name,
            base_name: settings.base.clone(),
            origin: base.pulled.origin.clone(),
            stop_ids: base.stop_ids(),
            config: base.config,
            checkpoint: base.checkpoint,
            adapter: adapter.map(|(adapter, _)| adapter),
            renderer: base.renderer,
            persona: settings.voice.persona.clone(),
            base_weights: Kept::Stored,
            thinking,
            write,
            hash,
            run: None,
            rights: None,
        })
    }

    /// Base and adapter as whole weights.
    ///
    /// # Errors
    /// When they do not fit together.
    pub(crate) fn whole(&self) -> Result<Whole<'_>, Failure> {
        Ok(Whole::new(&self.checkpoint, self.pairs())?)
    }

    /// The same without its pairs.
    ///
    /// # Errors
    /// When the weights cannot be opened a second time.
    pub(crate) fn base(&self) -> Result<Self, Failure> {
        let tokenizer = self.renderer.tokenizer();
        let template = Template::new(self.renderer.template().source(), tokenizer)?;
        let template = template.with_variable(THINKING, self.thinking);
        Ok(Self {
            checkpoint: Checkpoint::open(self.checkpoint.path())?,
            adapter: None,
            renderer: Renderer::new(tokenizer.clone(), template),
            name: self.name.clone(),
            base_name: self.base_name.clone(),
            origin: self.origin.clone(),
            config: self.config.clone(),
            stop_ids: self.stop_ids.clone(),
            persona: self.persona.clone(),
            base_weights: self.base_weights,
            thinking: self.thinking,
            write: self.write,
            hash: self.hash,
            run: self.run.clone(),
            rights: self.rights,
        })
    }

    /// The pairs, with what they are multiplied by.
    pub(crate) fn pairs(&self) -> Option<Pairs<'_>> {
        self.adapter.as_ref().map(|(config, pairs)| (config, pairs))
    }

    /// A conversation that asks this, as it was trained.
    pub(crate) fn conversation(&self, request: &str) -> Vec<Message> {
        let persona = self.persona.iter().map(|persona| Message::new(Role::System, persona.clone()));
        persona.chain([Message::new(Role::User, request)]).collect()
    }
}

/// An adapter from a PEFT folder or a GGUF file.
fn open_adapter(path: &Path, base: &Config) -> Result<Adapter, Failure> {
    Ok(if path.is_dir() { peft::load_adapter(path)? } else { read_lora(path, base)? })
}

/// Digest of the file that holds the numbers.
fn adapter_hash(path: &Path) -> Result<Hash, Failure> {
    let file = if path.is_dir() { path.join("adapter_model.safetensors") } else { path.to_path_buf() };
    Ok(Hash::of_file(&file)?)
}
