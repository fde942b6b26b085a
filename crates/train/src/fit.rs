//! The loop: from sequences and a base to trained weights in a run's folder.
//!
//! [`finetune`] starts step, schedule and optimizer anew and refuses a run
//! that was trained before; [`resume`] goes on where a run stopped and refuses
//! one that never began. The two cannot be confused.

use crate::batch::Batches;
use crate::checkpoint::{self, State, Tensors};
use crate::error::{Error, Result};
use crate::evaluate::{self, mean_nats};
use crate::gate::{self, Gate};
use crate::prepare::{self, check_lengths, choose_keep, fingerprint, fresh_pair, kept, pair};
use crate::progress;
use crate::schedule::learning_rate;
use crate::settings::{Settings, Way};
use crate::start::{self, Start};
use crate::step::{StepReport, Trainer};
use crate::watch::{Sight, Watch};
use penname_engine::Device;
use penname_ledger::clock::Stopwatch;
use penname_ledger::event::{Event, Witness};
use penname_ledger::run::Status;
use penname_ledger::seed::Seed;
use penname_ledger::{Journal, Run, write};
use penname_model::peft::{Pair, save_adapter};
use penname_model::{Checkpoint, Config, Method, Parameters, Scorer, Shelf};
use penname_token::Sequence;
use penname_token::pack::Pack;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

const BEST: &str = "best.safetensors";

/// Everything a run is made from.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The base model's tensors.
    pub checkpoint: &'a Checkpoint,
    /// What it looks like.
    pub config: &'a Config,
    /// What adapters call it.
    pub base: &'a str,
    /// Sequences to learn.
    pub train: &'a [Sequence],
    /// Sequences to measure on.
    pub held_out: &'a [Sequence],
    /// Tokens that end an answer.
    pub end_ids: &'a [u32],
    /// How to train.
    pub settings: &'a Settings,
    /// Root of all randomness.
    pub seed: Seed,
    /// Where it all goes.
    pub run: &'a Run,
    /// Where this base lies if it is not to be in memory.
    pub shelf: &'a Shelf,
}

/// Why training stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps done.
    Finished,
    /// The held-out loss had not fallen for as many evaluations as patience allows.
    Patience,
    /// Asked to stop; the state is saved.
    Interrupted,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Why it stopped.
    pub ending: Ending,
    /// Where it stood.
    pub state: State,
    /// The gates it passed.
    pub gates: Vec<Gate>,
}

/// Trains from the base.
///
/// # Errors
/// When the run was trained before, a gate closes, or anything fails.
pub fn finetune(
    task: &Task<'_>,
    device: &mut dyn Device,
    witness: &dyn Witness,
    stop: &AtomicBool,
) -> Result<Outcome> {
    if let Some((state, _)) = checkpoint::newest(task.run)? {
        return Err(Error::AlreadyBegun { run: task.run.name().to_owned(), step: state.step });
    }
    Fit::begin(task, device, witness, stop, packs_of)?.go(device)
}

/// Goes on from the newest checkpoint.
///
/// # Errors
/// When there is none, its inputs were others, a gate closes, or anything fails.
pub fn resume(
    task: &Task<'_>,
    device: &mut dyn Device,
    witness: &dyn Witness,
    stop: &AtomicBool,
) -> Result<Outcome> {
    let Some((state, path)) = checkpoint::newest(task.run)? else {
        return Err(Error::NothingToResume { run: task.run.name().to_owned() });
    };
    let expected = fingerprint(task);
    if state.fingerprint != expected {
        let (found, expected) = (state.fingerprint.key12(), expected.key12());
        return Err(Error::OtherInputs {
            run: task.run.name().to_owned(),
            found: found.to_string(),
            expected: expected.to_string(),
        });
    }
    let mut fit = Fit::begin(task, device, witness, stop, packs_of)?;
    if fit.base.is_none() {
        fit.measure_base(device)?;
    }
    checkpoint::load(&path, &fit.trainer, device)?;
    fit.journal.truncate_after(|row: &serde_json::Value| {
        row["step"].as_u64().is_some_and(|step| step <= state.step)
    })?;
    witness.see(&Event::note(format!("resuming after step {}", state.step)));
    fit.state = state;
    fit.go(device)
}

/// How the micro-batches of a step are made; a test puts a fault here.
type MakePacks = fn(&mut Batches<'_>, u64) -> Result<Vec<Pack>>;

fn packs_of(batches: &mut Batches<'_>, step: u64) -> Result<Vec<Pack>> {
    batches.at(step)
}

struct Fit<'a> {
    task: &'a Task<'a>,
    witness: &'a dyn Witness,
    stop: &'a AtomicBool,
    batches: Batches<'a>,
    make_packs: MakePacks,
    trainer: Trainer,
    scorer: Scorer,
    journal: Journal,
    state: State,
    start: Tensors,
    parameters: Parameters,
    /// Losses of the base, once they were measured.
    base: Option<Start>,
    /// Loss of the first batch without noise, where training has some.
    quiet_nats: Option<f64>,
    /// The sequences of the first batch.
    sample: Vec<Sequence>,
    /// Held-out sequences that are measured again and again.
    watched: Vec<Sequence>,
    gates: Vec<Gate>,
    clock: Stopwatch,
}

impl<'a> Fit<'a> {
    fn begin(
        task: &'a Task<'a>,
        device: &mut dyn Device,
        witness: &'a dyn Witness,
        stop: &'a AtomicBool,
        make_packs: MakePacks,
    ) -> Result<Self> {
        let settings = task.settings;
        settings.check()?;
        let mut gates = start::data_gates(task, witness)?;
        check_lengths(task)?;
        let keep = choose_keep(task, device, witness)?;
        let network = prepare::network(task, settings)?;
        let mut parameters = prepare::load(task, &network, device)?;
        witness.see(&Event::note(kept(&parameters)));
        parameters.add_pairs(&network, device, |slot| fresh_pair(&network, slot, task.seed))?;
        let mut batches = prepare::batches(task);
        let first = make_packs(&mut batches, 0)?;
        gates.push(gate::labels_are_next_tokens(&first, task.train).pass(witness)?);
        start::announce_shared(&first, witness);
        let (sample, watched) = (start::sequences(&first, task.train), start::watched(task, witness));

        // Chance belongs to training: what is measured is the model as it will be used.
        let measured = Settings { dropout: 0.0, neftune: 0.0, ..settings.clone() };
        let mut scorer = Scorer::new(prepare::network(task, &measured)?, &parameters, device)?;
        let noisy = settings.neftune > 0.0;
        let quiet = if noisy { evaluate::losses(&mut scorer, device, &sample)? } else { Vec::new() };
        let trainer = Trainer::new(network, &parameters, settings, keep, device)?;
        trainer.averages().into_iter().for_each(|(name, buffer)| scorer.bind(&name, buffer));
        let start = checkpoint::weights(&trainer, device);
        let mut fit = Self {
            batches,
            make_packs,
            state: State {
                step: 0,
                fingerprint: fingerprint(task),
                base_nats: f64::NAN,
                watch: Watch::default(),
                n_trained: 0,
                n_tokens: 0,
                seconds: 0.0,
            },
            journal: Journal::open(&task.run.metrics())?,
            clock: Stopwatch::start(),
            task,
            witness,
            stop,
            trainer,
            scorer,
            start,
            parameters,
            base: None,
            quiet_nats: mean_nats(&quiet),
            sample,
            watched,
            gates,
        };
        if settings.method == Way::Full {
            fit.measure_base(device)?;
        }
        Ok(fit)
    }

    /// Measures the base before training has touched it: with low-rank pairs, whenever it is wanted.
    fn measure_base(&mut self, device: &mut dyn Device) -> Result<()> {
        let sequences = (self.sample.as_slice(), self.watched.as_slice());
        let base = Start::measure(self.task, &self.parameters, sequences, device)?;
        self.state.base_nats = base.nats;
        self.base = Some(base);
        Ok(())
    }

    /// The claims about where training started, made when the first step has its loss.
    ///
    /// That loss is of the weights before the step, which compute what the base does: a fresh pair
    /// adds nothing, dropped out or not. Under noise it was measured apart, without.
    fn pass_start(&mut self, first_nats: f64, device: &mut dyn Device) -> Result<()> {
        if self.base.is_none() {
            self.measure_base(device)?;
        }
        let Some(base) = &self.base else { return Ok(()) };
        let first_nats = self.quiet_nats.unwrap_or(first_nats);
        for gate in start::gates(self.task, base, first_nats) {
            self.gates.push(gate.pass(self.witness)?);
        }
        Ok(())
    }

    fn go(mut self, device: &mut dyn Device) -> Result<Outcome> {
        self.task.run.set_status(Status::Started)?;
        let ending = match self.train(device) {
            Ok(ending) => ending,
            Err(error) => {
                self.task.run.set_status(Status::Failed { reason: error.to_string() })?;
                return Err(error);
            }
        };
        if ending == Ending::Interrupted {
            self.task.run.set_status(Status::Interrupted)?;
        } else {
            self.finish(device)?;
        }
        Ok(Outcome { ending, state: self.state, gates: self.gates })
    }

    fn train(&mut self, device: &mut dyn Device) -> Result<Ending> {
        let settings = self.task.settings;
        let before = self.state.seconds;
        while self.state.step < settings.steps {
            let step = self.state.step;
            let packs = (self.make_packs)(&mut self.batches, step)?;
            let rate = learning_rate(settings, step);
            let watch = Stopwatch::start();
            let report = self.trainer.step(device, &packs, step, rate, self.task.seed)?;
            self.state.step += 1;
            self.state.n_trained += report.n_trained as u64;
            self.state.n_tokens += report.n_tokens as u64;
            self.state.seconds = before + self.clock.seconds();
            self.report(&report, rate, watch.seconds())?;
            if step == 0 {
                self.pass_start(report.loss_nats, device)?;
            }
            let last = self.state.step == settings.steps;
            if last || self.state.step.is_multiple_of(settings.evaluate_every) {
                self.evaluate(device)?;
            }
            let stopped = self.stop.load(Ordering::Relaxed);
            if stopped || self.state.step.is_multiple_of(settings.checkpoint_every) {
                self.journal.sync()?;
                checkpoint::save(self.task.run, &self.trainer, device, &self.state)?;
            }
            if self.state.watch.is_over(settings.patience) && !last {
                return Ok(Ending::Patience);
            }
            if stopped && !last {
                return Ok(Ending::Interrupted);
            }
        }
        Ok(Ending::Finished)
    }

    fn report(&mut self, report: &StepReport, rate: f64, seconds: f64) -> Result<()> {
        let row = progress::row(report, self.state.step, rate, seconds);
        self.journal.append(&row)?;
        self.witness.see(&Event::Metric { row });
        self.witness.see(&progress::event(report, &self.state, self.task.settings.steps, seconds));
        Ok(())
    }

    /// Measures the loss of what is watched, and keeps the weights if it is the best so far.
    fn evaluate(&mut self, device: &mut dyn Device) -> Result<()> {
        let losses = evaluate::losses(&mut self.scorer, device, &self.watched)?;
        let nats = mean_nats(&losses).unwrap_or(f64::NAN);
        let step = self.state.step;
        let sight = self.state.watch.see(step, nats);
        let row = json!({ "step": step, "held_out_loss": nats, "base_loss": self.state.base_nats, "best": sight == Sight::Better });
        self.journal.append(&row)?;
        self.witness.see(&Event::Metric { row });
        if sight == Sight::Better {
            checkpoint::write_tensors(
                &self.task.run.dir().join(BEST),
                &checkpoint::kept(&self.trainer, device),
            )?;
        }
        Ok(())
    }

    /// Takes the best weights, passes the last gates, and writes the result.
    fn finish(&mut self, device: &mut dyn Device) -> Result<()> {
        let best = self.task.run.dir().join(BEST);
        let tensors = checkpoint::read_tensors(&best)?;
        checkpoint::set_weights(&self.trainer, device, &best, &tensors)?;
        self.gates.push(gate::weights_moved(&self.start, &tensors).pass(self.witness)?);
        let after = evaluate::losses(&mut self.scorer, device, &self.sample)?;
        let before = self.base.as_ref().map_or(&[][..], |base| &base.sample);
        self.gates.push(gate::trained_loss_fell(before, &after).pass(self.witness)?);
        if let Some(gate) = start::last_gate(self.task, self.state.watch.best_nats) {
            self.gates.push(gate.pass(self.witness)?);
        }
        self.journal.sync()?;
        self.save_result(&tensors)?;
        checkpoint::save(self.task.run, &self.trainer, device, &self.state)?;
        write::remove_file(&best)?;
        Ok(self.task.run.set_status(Status::Done)?)
    }

    fn save_result(&self, tensors: &Tensors) -> Result<()> {
        let folder = self.task.run.adapter();
        match self.task.settings.method(self.task.base, self.task.config)? {
            Method::LowRank(config) => {
                let pairs: BTreeMap<String, Pair> = self
                    .trainer
                    .network
                    .pairs
                    .iter()
                    .map(|slot| pair(&self.trainer.network, slot, tensors))
                    .collect();
                Ok(save_adapter(&folder, &config, &pairs)?)
            }
            Method::Full(_) | Method::Frozen => Ok(penname_model::merge::save_trained(
                self.task.checkpoint,
                self.task.config,
                tensors,
                &folder,
            )?),
        }
    }
}
