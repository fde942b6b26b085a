//! What a run needs in memory, before anything is loaded.
//!
//! The figures are the planner's own: the network is built, derived and placed exactly as
//! [`Trainer`] does it, weights are held on a device that computes nothing and counts, and
//! the kernels say what they take beside. So what is forecast here is what a run does, and
//! [`choose`] is what decides for it.

use crate::error::{Error, Result};
use crate::optim::add_update;
use crate::settings::{Base, Rounding, Settings};
use crate::step::Trainer;
use penname_engine::backend::null::Null;
use penname_engine::plan::{self, Peak, int8_scratch, scratch};
use penname_engine::{Device, Extent, Keep, Plan, Precision, derive};
use penname_ledger::seed::Seed;
use penname_model::footprint::{Held, Hold};
use penname_model::{Config, Network, Parameters, Purpose, Residence, Setup, Storage, build};
use penname_token::Sequence;
use penname_token::pack::pack_in_order;
use std::collections::BTreeMap;

/// What the process takes before it holds a model: its code, its threads, the tokenizer of a usual
/// vocabulary.
pub const PROCESS_BYTES: usize = 24 << 20;

/// Rows by which the length of a batch is tried.
const STEP_ROWS: usize = 64;

/// A model, and how it would be trained.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// What the model looks like.
    pub config: &'a Config,
    /// How it would be trained.
    pub settings: &'a Settings,
    /// How most of its weights are stored.
    pub stored: Storage,
}

/// Bytes by purpose.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// What of the forward pass is kept.
    pub keep: Keep,
    /// Rows of a micro-batch.
    pub batch_tokens: usize,
    /// Weights that stay as they are, by the format they lie in.
    pub weights: BTreeMap<String, Held>,
    /// What of those is in memory at one time: all, or where they lie on disk two blocks in a row.
    pub frozen: usize,
    /// What of them lies on disk.
    pub on_disk: usize,
    /// Weights that are trained: pairs, or the model's own.
    pub trained: usize,
    /// How many numbers those are.
    pub n_trained: usize,
    /// Their gradients.
    pub gradients: usize,
    /// The optimizer's moments.
    pub optimizer: usize,
    /// Everything that lives inside a step.
    pub activations: usize,
    /// The fullest moment of those.
    pub peak: Option<Peak>,
    /// Inputs and losses.
    pub io: usize,
    /// What kernels take beside.
    pub scratch: usize,
    /// Copies of what is trained: how it began, and the best so far on its way to disk.
    pub copies: usize,
    /// The process itself.
    pub process: usize,
}

impl Need {
    /// All of it.
    pub fn total(&self) -> usize {
        self.frozen + self.beside_weights()
    }

    /// All but the weights that stay as they are.
    pub fn beside_weights(&self) -> usize {
        self.trained
            + self.gradients
            + self.optimizer
            + self.activations
            + self.io
            + self.scratch
            + self.copies
            + self.process
    }
}

/// A cheaper way to train, and what it would need.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// What is changed, as a setting is typed.
    pub change: String,
    /// What it costs beside memory.
    pub price: &'static str,
    /// What is needed then.
    pub need: Need,
}

impl Ask<'_> {
    fn hold(&self) -> Hold {
        let Settings { base, residence, .. } = self.settings;
        Hold { keeping: (*base).into(), stored: self.stored, residence: *residence }
    }

    fn network(&self) -> Result<Network> {
        let precision = match self.settings.precision {
            Rounding::Bf16 => Precision::Bf16,
            Rounding::F32 => Precision::F32,
        };
        let method = self.settings.method("", self.config)?;
        let capacity = Extent::tokens(self.settings.batch_tokens);
        let purpose = if self.settings.neftune > 0.0 { Purpose::NoisyLoss } else { Purpose::Loss };
        Ok(build(self.config, &Setup { method, precision, capacity, purpose })?)
    }
}

/// What is needed with this much of the forward pass kept. `device` says what its kernels take.
///
/// # Errors
/// When the settings do not fit the model.
pub fn need(ask: &Ask<'_>, keep: Keep, device: &dyn Device) -> Result<Need> {
    let network = ask.network()?;
    let (_, holding) = Parameters::hold(&network, ask.hold(), &mut Null::new())?;
    let mut program = network.program;
    derive(&mut program, &[], &[]);
    plan::recompute(&mut program, keep);
    add_update(&mut program, ask.settings)?;
    let memory = Plan::new(&program).memory;
    let in_bytes = if ask.settings.base == Base::Int8 { int8_scratch(&program) } else { 0 };
    let n_trained = Plan::trained_numbers(&program);
    Ok(Need {
        keep,
        batch_tokens: ask.settings.batch_tokens,
        frozen: holding.in_memory,
        on_disk: holding.on_disk,
        weights: holding.formats,
        trained: memory.trainable,
        n_trained,
        gradients: memory.gradients,
        optimizer: memory.state,
        activations: memory.arena,
        peak: Peak::find(&program),
        io: memory.io,
        scratch: scratch(&program, device).total() + in_bytes,
        // How they began, and the best of them while it is written.
        copies: 2 * 4 * n_trained,
        process: PROCESS_BYTES,
    })
}

/// Keeps as much of the forward pass as `free` bytes allow: everything, then all but what is cheap to
/// compute again, then of as few blocks as possible only their inputs.
///
/// # Errors
/// [`Error::Memory`] when not even that fits.
pub fn choose(ask: &Ask<'_>, free: usize, device: &dyn Device) -> Result<Need> {
    // A tenth stays free for the system and for what others do meanwhile.
    let limit = free / 10 * 9;
    let mut last = None;
    for keep in [Keep::All, Keep::Products] {
        let found = need(ask, keep, device)?;
        if found.total() <= limit {
            return Ok(found);
        }
        last = Some(found);
    }
    let least = least(ask, device)?;
    if least.total() > limit {
        let least = last.filter(|last| last.total() < least.total()).unwrap_or(least);
        return Err(Error::Memory { needed: least.total(), free, with_half_the_rows: half(ask, device)? });
    }
    // The first blocks wait longest for the backward pass, so they are the first to be let go.
    let most = if let Keep::Blocks(n) = least.keep { n } else { ask.config.n_layers };
    let (mut too_few, mut enough, mut best) = (0, most, least);
    while too_few + 1 < enough {
        let middle = too_few.midpoint(enough);
        let found = need(ask, Keep::Blocks(middle), device)?;
        if found.total() <= limit {
            (enough, best) = (middle, found);
        } else {
            too_few = middle;
        }
    }
    Ok(best)
}

/// What is needed with as little kept as saves memory: only the inputs of blocks, of all or of all but
/// the last. That is the first the backward pass comes to, so what it made hardly waits, and making it
/// again takes room of its own.
///
/// # Errors
/// When the settings do not fit the model.
pub fn least(ask: &Ask<'_>, device: &dyn Device) -> Result<Need> {
    let all = need(ask, Keep::BlockInputs, device)?;
    let n_others = ask.config.n_layers.saturating_sub(1);
    if n_others == 0 {
        return Ok(all);
    }
    let others = need(ask, Keep::Blocks(n_others), device)?;
    Ok(if others.total() <= all.total() { others } else { all })
}

fn half(ask: &Ask<'_>, device: &dyn Device) -> Result<usize> {
    let settings = Settings { batch_tokens: (ask.settings.batch_tokens / 2).max(2), ..ask.settings.clone() };
    Ok(least(&Ask { settings: &settings, ..*ask }, device)?.total())
}

/// The longest micro-batch that fits `free` bytes, proven by a step on a device that counts; `None`
/// where not even the shortest fits.
///
/// # Errors
/// When the settings do not fit the model.
pub fn longest(ask: &Ask<'_>, free: usize, device: &dyn Device) -> Result<Option<Need>> {
    let limit = free / 10 * 9;
    let with = |rows: usize| {
        let settings = Settings { batch_tokens: rows, ..ask.settings.clone() };
        least(&Ask { settings: &settings, ..*ask }, device)
    };
    let most = ask.config.context.clamp(STEP_ROWS, 1 << 17) / STEP_ROWS;
    let (mut fits, mut too_long) = (0, most + 1);
    while fits + 1 < too_long {
        let middle = fits.midpoint(too_long);
        if with(middle * STEP_ROWS)?.total() <= limit { fits = middle } else { too_long = middle }
    }
    if fits == 0 {
        return Ok(None);
    }
    let need = with(fits * STEP_ROWS)?;
    let settings = Settings { batch_tokens: need.batch_tokens, ..ask.settings.clone() };
    dry_run(&Ask { settings: &settings, ..*ask }, need.keep, limit)?;
    Ok(Some(need))
}

/// One optimizer step over a full micro-batch on a device that holds at most `limit` bytes and computes
/// nothing; returns the most it held. What kernels take beside, the copies and the process are not in it.
///
/// # Errors
/// When memory runs out on the way.
pub fn dry_run(ask: &Ask<'_>, keep: Keep, limit: usize) -> Result<usize> {
    let network = ask.network()?;
    let mut device = Null::new();
    device.limit_bytes = Some(limit);
    let (mut parameters, _) = Parameters::hold(&network, ask.hold(), &mut device)?;
    parameters.hold_pairs(&network, &mut device)?;
    let n = ask.settings.batch_tokens;
    let mask = (0..n).map(|at| at > 0).collect();
    let sequence = Sequence { ids: vec![0; n], mask, n_trained: n - 1, ..Sequence::default() };
    let packs = pack_in_order(&[sequence], n)?;
    let mut trainer = Trainer::new(network, &parameters, ask.settings, keep, &mut device)?;
    trainer.step(&mut device, &packs, 0, 0.0, Seed(0))?;
    Ok(device.peak_bytes)
}

/// Cheaper ways to train, one change at a time, in the order in which they are worth trying.
///
/// # Errors
/// When the settings do not fit the model.
pub fn ladder(ask: &Ask<'_>, device: &dyn Device) -> Result<Vec<Rung>> {
    use crate::settings::{Optimizer, Way};
    let now = ask.settings;
    let mut rungs = Vec::new();
    let mut add = |change: String, price: &'static str, settings: Settings| -> Result<()> {
        let need = least(&Ask { settings: &settings, ..*ask }, device)?;
        rungs.push(Rung { change, price, need });
        Ok(())
    };
    add("as set, least kept".to_owned(), "about a third more time", now.clone())?;
    if now.method == Way::Full {
        let lora = Settings { method: Way::Lora, targets: Vec::new(), ..now.clone() };
        add("train.method=lora".to_owned(), "less is learned", lora)?;
    }
    if now.optimizer == Optimizer::AdamW {
        let coded = Settings { optimizer: Optimizer::AdamW8, ..now.clone() };
        add("train.optimizer=adamw_8bit".to_owned(), "moments of the optimizer are rounded", coded)?;
    }
    if now.method == Way::Lora && now.base != Base::Nf4 {
        let nf4 = Settings { base: Base::Nf4, ..now.clone() };
        add("train.base_weights=nf4".to_owned(), "a slightly worse base", nf4)?;
    }
    let halves = [2, 4, 8].map(|n| now.batch_tokens / n).into_iter().filter(|rows| *rows >= 128);
    for rows in halves {
        let shorter = Settings { batch_tokens: rows, ..now.clone() };
        add(format!("train.batch_tokens={rows}"), "longer examples are left out", shorter)?;
    }
    if now.method == Way::Lora && now.rank > 8 {
        let thinner = Settings { rank: 8, alpha: now.alpha * 8.0 / now.rank as f64, ..now.clone() };
        add("train.rank=8".to_owned(), "less is learned", thinner)?;
    }
    if now.method == Way::Lora && now.residence == Residence::Memory {
        let disk = Settings { residence: Residence::Disk, ..now.clone() };
        add("train.base_place=disk".to_owned(), "the base is read from disk twice a step", disk.clone())?;
        if now.base != Base::Nf4 {
            let both = Settings { base: Base::Nf4, ..disk };
            add(
                "train.base_place=disk train.base_weights=nf4".to_owned(),
                "both, and half the reading",
                both,
            )?;
        }
    }
    Ok(rungs)
}
