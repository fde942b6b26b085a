//! A training run: begun, found or gone on with, always with the same inputs.

use std::sync::atomic::AtomicBool;

use penname_corpus::Prepared;
use penname_engine::Device;
use penname_engine::backend::cpu::Cpu;
use penname_ledger::event::{Event, Witness};
use penname_ledger::manifest::{Found, Order};
use penname_ledger::run::{Parent, Status};
use penname_ledger::{Hash, Lock, Manifest, Run, write};
use penname_train::settings::{Learn, Origin};
use penname_train::{Ending, Outcome, Task};
use serde_json::json;

use super::contract::Contract;
use super::learned::{self, Learned};
use super::{scratch, sequences, tokens, training};
use crate::base::{self, Base};
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

/// How a run is begun, or gone on with.
type Train =
    fn(&Task<'_>, &mut dyn Device, &dyn Witness, &AtomicBool) -> Result<Outcome, penname_train::Error>;

/// What a run is made from, ready to begin.
pub(crate) struct Work<'a> {
    desk: &'a Desk,
    project: &'a Project,
    settings: &'a Settings,
    named: String,
    base: Base,
    device: Cpu,
    sequences: sequences::Sequences,
    train: penname_train::Settings,
    order: Order,
    prepared: &'a Prepared,
}

impl<'a> Work<'a> {
    /// Opens the base and renders the corpus.
    ///
    /// # Errors
    /// When the base cannot be had or a setting makes no sense.
    pub(crate) fn new(
        desk: &'a Desk,
        project: &'a Project,
        settings: &'a Settings,
        prepared: &'a Prepared,
    ) -> Result<Self, Failure> {
        settings.choices().into_iter().for_each(|choice| desk.witness().see(&Event::Choice(choice)));
        let named = base::named(desk, settings);
        if settings.is_scratch() {
            scratch::made(desk, project, settings, prepared)?;
        }
        let base = Base::open(desk, settings)?;
        let device = desk.device();
        let n_tokens = settings.train.batch_tokens.min(base.config.context);
        let learn = training::learn(settings)?;
        let sequences = match learn {
            Learn::Answers => sequences::render(&base.renderer, prepared, n_tokens, desk.witness())?,
            Learn::Text => {
                tokens::made(desk, project, settings, (prepared, base.renderer.tokenizer()), n_tokens)?
            }
        };
        let mut wanted = settings.train.clone();
        if settings.is_scratch() {
            training::budget(settings, &mut wanted, base.n_parameters()?, &sequences.train, desk.witness());
        }
        let mut train = training::resolve(&wanted, sequences.train.len(), &device, desk.witness())?;
        train.learn = learn;
        train.from = match (settings.is_scratch(), base.is_small) {
            (true, _) => Origin::Scratch,
            (false, true) => Origin::Small,
            (false, false) => Origin::Base,
        };
        let digest = base.digest(desk)?;
        let order = order((&named, &base, digest), (prepared, &sequences), &train, settings);
        Ok(Self { desk, project, settings, named, base, device, sequences, train, order, prepared })
    }

    /// The run that was made from these inputs, if one is done.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub(crate) fn found(&self) -> Result<Option<Run>, Failure> {
        let key = self.order.key();
        let done = |run: &Run| matches!(Manifest::find(run.dir(), &key), Found::Done(_));
        Ok(Run::list(&self.project.runs())?.into_iter().find(done))
    }

    /// The newest run that was begun with these inputs and not brought to its end.
    ///
    /// # Errors
    /// When the runs cannot be listed.
    pub(crate) fn unfinished(&self) -> Result<Option<Run>, Failure> {
        let key = self.order.key().to_string();
        for run in Run::list(&self.project.runs())? {
            let same = std::fs::read(run.settings())
                .ok()
                .and_then(|text| serde_json::from_slice::<serde_json::Value>(&text).ok());
            if same.is_some_and(|settings| settings["key"] == json!(key))
                && !run.checkpoints()?.is_empty()
                && !is_done(&run)?
            {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// Trains a new run from the base.
    ///
    /// # Errors
    /// When the name is taken, a gate closes, or anything fails.
    pub(crate) fn begin(self, name: Option<&str>) -> Result<(Run, Outcome), Failure> {
        let name = name.map_or_else(|| next_name(self.project), |name| Ok(name.to_owned()))?;
        let parent =
            Parent::Base { name: self.base.pulled.origin.clone(), hash: self.base.digest(self.desk)? };
        let run = Run::create(&self.project.runs(), &name, parent)?;
        let record =
            json!({ "key": self.order.key(), "resolved": self.train, "settings": self.settings.record() });
        write::json(&run.settings(), &record)?;
        learned::write_down(run.dir(), self.prepared)?;
        let _lock = run.lock()?;
        self.go(run, penname_train::finetune)
    }

    /// Goes on with a run.
    ///
    /// # Errors
    /// When its inputs were others, a gate closes, or anything fails.
    pub(crate) fn resume(self, run: Run) -> Result<(Run, Outcome), Failure> {
        let _lock: Lock = run.lock()?;
        self.go(run, penname_train::resume)
    }

    /// Trains to an end, however the run begins.
    fn go(mut self, run: Run, train: Train) -> Result<(Run, Outcome), Failure> {
        let task = Task {
            checkpoint: &self.base.checkpoint,
            config: &self.base.config,
            base: &self.named,
            train: &self.sequences.train,
            held_out: &self.sequences.held_out,
            end_ids: self.base.renderer.stop_ids(),
            settings: &self.train,
            seed: self.settings.seed,
            run: &run,
            shelf: &self.base.shelf(self.desk)?,
        };
        let outcome = train(&task, &mut self.device, self.desk.witness(), self.desk.stop())?;
        self.close(run, outcome)
    }

    /// Writes what travels with the voice, and the manifest last.
    fn close(self, run: Run, outcome: Outcome) -> Result<(Run, Outcome), Failure> {
        if outcome.ending == Ending::Interrupted {
            let message = format!(
                "stopped after step {} of {}; everything is saved",
                outcome.state.step, self.train.steps
            );
            return Err(
                Failure::new(Kind::Interrupted, message).hint("`penname resume` goes on where it stopped")
            );
        }
        let full = self.train.method == penname_train::settings::Way::Full;
        let name = self.settings.voice.name.clone().unwrap_or_else(|| self.project.name());
        let contract = Contract::new(name, &self.base, &self.named, self.train.base, self.settings);
        contract.save(&run.adapter(), &self.base.renderer)?;
        let mut manifest = Manifest::new(self.order);
        manifest.choices.push(Learned::of(self.prepared).choice());
        manifest.seconds = outcome.state.seconds;
        manifest.device = Some(penname_engine::Device::probe(&self.device).name);
        manifest.counts = [
            ("steps", outcome.state.step),
            ("tokens", outcome.state.n_tokens),
            ("trained_tokens", outcome.state.n_trained),
        ]
        .map(|(name, n)| (name.to_owned(), n))
        .into();
        let outputs =
            ["adapter/voice.json", "adapter/config.json", "adapter/tokenizer.json", "metrics.jsonl"];
        let weights = if full { "adapter/model.safetensors" } else { "adapter/adapter_model.safetensors" };
        let present = |name: &&str| run.dir().join(name).is_file();
        let outputs: Vec<&str> =
            outputs.into_iter().chain(learned::FILES).chain([weights]).filter(present).collect();
        manifest.finish(run.dir(), &outputs)?;
        Ok((run, outcome))
    }
}

/// Everything the trained weights follow from.
fn order(
    (named, base, digest): (&str, &Base, Hash),
    (prepared, sequences): (&Prepared, &sequences::Sequences),
    train: &penname_train::Settings,
    settings: &Settings,
) -> Order {
    let mut order = Order::new("train", env!("CARGO_PKG_VERSION"));
    let examples = json!([prepared.train, prepared.held_out]);
    order.inputs.insert("examples".to_owned(), Hash::of_json(&examples));
    if train.learn == Learn::Text {
        order.inputs.insert("tokens".to_owned(), sequences.digest());
    }
    order.inputs.insert("base".to_owned(), digest);
    order.inputs.insert("template".to_owned(), Hash::of(base.renderer.template().source().as_bytes()));
    order.settings = json!({ "base": named, "train": train, "thinking": settings.voice.thinking });
    order.seed = Some(settings.seed);
    order
}

fn is_done(run: &Run) -> Result<bool, Failure> {
    Ok(run.status()?.is_some_and(|row| row.status == Status::Done) && run.manifest().is_file())
}

/// `run-1`, `run-2` and so on.
fn next_name(project: &Project) -> Result<String, Failure> {
    let runs = Run::list(&project.runs())?;
    let number = |run: &Run| run.name().strip_prefix("run-")?.parse::<u64>().ok();
    Ok(format!("run-{}", runs.iter().filter_map(number).max().unwrap_or(0) + 1))
}
