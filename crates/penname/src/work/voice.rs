//! A trained voice, opened: base and adapter on the device, and the renderer it was trained with.

use penname_engine::backend::cpu::Cpu;
use penname_infer::{Model, Weights};
use penname_ledger::event::Silent;
use penname_ledger::run::Status;
use penname_ledger::{Event, Run};
use penname_model::peft::load_adapter;
use penname_model::{Checkpoint, Residence};
use penname_token::{Message, Renderer, Role, Template, template};

use super::contract::Contract;
use super::training;
use crate::base::{self, Base};
use crate::desk::Desk;
use crate::failure::{Failure, Kind};
use crate::project::Project;
use crate::settings::Settings;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Voice {
    /// How it wants to be asked.
    pub(crate) contract: Contract,
    /// Messages to ids, as in training.
    pub(crate) renderer: Renderer,
    /// The device that holds the weights.
    pub(crate) device: Cpu,
    /// With full training the base is another set of weights than the voice.
    base: Option<Weights>,
    weights: Weights,
}

impl Voice {
    /// Opens the voice of a run, or of the newest one that is done, with that run.
    ///
    /// # Errors
    /// When there is none, or it does not fit its base any more.
    pub(crate) fn open(
        desk: &Desk,
        project: &Project,
        settings: &Settings,
        name: Option<&str>,
    ) -> Result<(Run, Self), Failure> {
        let Parts { run, contract, base, renderer } = parts(desk, project, settings, name)?;
        let mut device = desk.device();
        let loading = training::loading(contract.base_weights, &settings.train, &device, &Silent)?;
        let (weights, base) = if contract.full {
            let trained = Checkpoint::open(run.adapter())?;
            let weights = Weights::load(&trained, None, loading, &mut device)?;
            (weights, Some(Weights::load(&base.checkpoint, None, loading, &mut device)?))
        } else {
            let adapter = load_adapter(&run.adapter())?;
            let (checkpoint, adapter) = (&base.checkpoint, Some(&adapter));
            let weights = match training::residence(&settings.train.base_place)? {
                Residence::Memory => Weights::load(checkpoint, adapter, loading, &mut device)?,
                Residence::Disk => {
                    Weights::load_shelved(checkpoint, adapter, loading, &base.shelf(desk)?, &mut device)?
                }
            };
            (weights, None)
        };
        Ok((run, Self { contract, renderer, device, base, weights }))
    }

    /// Opens the model the settings name as it is, before anything of it was trained here.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(crate) fn untrained(desk: &Desk, settings: &Settings) -> Result<Self, Failure> {
        let base = Base::open(desk, settings)?;
        desk.witness().see(&Event::Choice(base.template.clone()));
        let (name, named) = (settings.base.clone(), base::named(desk, settings));
        let mut device = desk.device();
        let base_weights = training::base(&settings.train, &device, &Silent)?;
        let contract = Contract::new(name, &base, &named, base_weights, settings);
        let loading = training::loading(contract.base_weights, &settings.train, &device, &Silent)?;
        let weights = Weights::load(&base.checkpoint, None, loading, &mut device)?;
        Ok(Self { contract, renderer: base.renderer, device, base: None, weights })
    }

    /// The voice.
    pub(crate) fn tuned(&self) -> Model<'_> {
        self.weights.tuned()
    }

    /// The model it was trained from.
    pub(crate) fn base(&self) -> Model<'_> {
        self.base.as_ref().unwrap_or(&self.weights).base()
    }

    /// What every conversation begins with: the persona the voice was trained with.
    pub(crate) fn opening(&self) -> Vec<Message> {
        self.contract.persona.iter().map(|persona| Message::new(Role::System, persona.clone())).collect()
    }

    /// The longest conversation the model was made for.
    pub(crate) fn context(&self) -> usize {
        self.weights.config().context
    }
}

/// What a voice is made of, before any weight is loaded.
#[derive(Debug)]
pub(crate) struct Parts {
    /// The run it was trained by.
    pub(crate) run: Run,
    /// How it wants to be asked.
    pub(crate) contract: Contract,
    /// What it was trained from.
    pub(crate) base: Base,
    /// Messages to ids, as in training.
    pub(crate) renderer: Renderer,
}

/// Finds the parts of a voice and holds them against its contract.
///
/// # Errors
/// When there is none, or it does not fit its base any more.
pub(crate) fn parts(
    desk: &Desk,
    project: &Project,
    settings: &Settings,
    name: Option<&str>,
) -> Result<Parts, Failure> {
    let run = find(project, name)?;
    let contract = Contract::read(&run.adapter())?;
    let base = Base::open_named(desk, settings, &contract.base)?;
    let tokenizer = base.renderer.tokenizer();
    let found = tokenizer.hash().to_string();
    if found != contract.tokenizer {
        let message =
            format!("the tokenizer of `{}` has hash {found}, expected {}", contract.base, contract.tokenizer);
        return Err(Failure::new(Kind::Input, message)
            .hint("the base has changed since the voice was trained; restore it"));
    }
    let template = Template::new(&contract.template, tokenizer)?;
    let template = template.with_variable(template::THINKING, contract.thinking);
    let renderer = Renderer::new(tokenizer.clone(), template);
    Ok(Parts { run, contract, base, renderer })
}

/// The run of this name, or the newest that is done.
fn find(project: &Project, name: Option<&str>) -> Result<Run, Failure> {
    if let Some(name) = name {
        return Ok(Run::open(&project.runs(), name)?);
    }
    newest(project)?.ok_or_else(|| {
        Failure::new(Kind::Usage, "no run has been trained to its end here")
            .hint("train one with `penname make`, or ask the base model with `penname write --from-base`")
    })
}

/// The newest run that is done, if there is one.
///
/// # Errors
/// When the folder of runs cannot be read.
pub(crate) fn newest(project: &Project) -> Result<Option<Run>, Failure> {
    for run in Run::list(&project.runs())? {
        if run.status()?.is_some_and(|row| row.status == Status::Done) {
            return Ok(Some(run));
        }
    }
    Ok(None)
}
