//! A model that is trained on the tokens of the bench: what a step and its operations are timed on.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Extent, Keep, Precision, Section};
use penname_ledger::{Hash, Seed, Stopwatch};
use penname_model::{Checkpoint, Keeping, Parameters, Purpose, Residence, Setup, Shelf, build};
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_in_order};
use penname_train::Settings;
use penname_train::settings::Way;
use penname_train::step::Trainer;
use serde_json::json;

use super::peak::Limits;
use super::{profile, shape};
use crate::{Result, pair, root};

/// Documents, and tokens of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) documents: usize,
    pub(super) tokens: usize,
}

impl FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let number = |part: &str| part.parse().ok().filter(|n| (1..=1 << 20).contains(n));
        let parts = text.split_once('x').and_then(|(b, t)| Some((number(b)?, number(t)?)));
        let (documents, tokens) = parts
            .filter(|(_, tokens)| *tokens > 1)
            .ok_or("expected documents times tokens, such as 4x256")?;
        Ok(Self { documents, tokens })
    }
}

/// What is to be trained, and how.
#[derive(Debug, Clone)]
pub(super) struct Job {
    /// A checkpoint, or the name of a shape.
    pub(super) model: PathBuf,
    /// Which weights are changed, by what, and where the others lie.
    pub(super) settings: Settings,
    pub(super) batch: Batch,
    pub(super) precision: Precision,
    pub(super) isa: Isa,
    pub(super) threads: NonZeroUsize,
    pub(super) keep: Keep,
    pub(super) keeping: Keeping,
}

/// A trainer with its device and batch.
pub(super) struct Trained {
    pub(super) device: Cpu,
    pub(super) trainer: Trainer,
    pub(super) pack: Pack,
}

impl Trained {
    /// Loads the model and adds what trains it.
    pub(super) fn new(job: &Job) -> Result<Self> {
        let mut device = Cpu::with(job.threads, job.isa);
        let checkpoint = Checkpoint::open(shape::resolve(&job.model)?)?;
        let config = checkpoint.config()?;
        let settings = job.settings.clone();
        let setup = Setup {
            method: settings.method("", &config)?,
            precision: job.precision,
            capacity: Extent::tokens(job.batch.documents * job.batch.tokens),
            purpose: Purpose::Loss,
        };
        let network = build(&config, &setup)?;
        let mut parameters = match settings.residence {
            Residence::Memory => Parameters::load(&checkpoint, &network, job.keeping, &mut device)?,
            Residence::Disk => {
                let digests = checkpoint.files().map(|path| Ok(Hash::of_file(path)?.to_string()));
                let base = Hash::of_json(&json!(digests.collect::<Result<Vec<_>>>()?));
                let shelf = Shelf::new(root().join("bench/work/packed"), base);
                Parameters::load_shelved(&checkpoint, &network, job.keeping, &shelf, &mut device)?
            }
        };
        parameters.add_pairs(&network, &mut device, |slot| pair::draw(&network, slot, Seed(1), 0.0))?;
        let trainer = Trainer::new(network, &parameters, &settings, job.keep, &mut device)?;
        Ok(Self { device, trainer, pack: pack(job.batch, config.vocab_size)? })
    }

    /// Seconds of each counted step, and the losses of all steps.
    pub(super) fn time(&mut self, n_warm: u64, n_steps: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut seconds, mut losses) = (Vec::new(), Vec::new());
        let packs = std::slice::from_ref(&self.pack);
        for step in 0..n_warm + n_steps as u64 {
            let watch = Stopwatch::start();
            let report = self.trainer.step(&mut self.device, packs, step, 1e-4, Seed(1))?;
            if step >= n_warm {
                seconds.push(watch.seconds());
            }
            losses.push(report.loss_nats);
        }
        Ok((seconds, losses))
    }

    /// Time and work of the operations of `n_steps` more passes over the last step's inputs.
    pub(super) fn profile(&mut self, limits: Limits, n_steps: usize) -> Result<profile::Profile> {
        let mut profile = profile::Profile::new();
        for _ in 0..n_steps {
            profile::watch(&mut self.trainer, &mut self.device, &self.pack, limits, &mut profile)?;
        }
        Ok(profile)
    }

    /// Products that a token's forward and backward pass need, in 10⁹ operations.
    pub(super) fn gflop_per_token(&self) -> f64 {
        let program = &self.trainer.network.program;
        let passes =
            program.steps().iter().filter(|s| matches!(s.section, Section::Forward | Section::Backward));
        let flops: f64 = passes.map(|step| profile::flops(&step.op, program, &self.pack)).sum();
        flops / 1e9 / self.pack.len() as f64
    }
}

/// How the bench trains.
pub(super) fn settings(method: Way) -> Settings {
    Settings { method, rank: 16, alpha: 32.0, clip: 1.0, weight_decay: 0.01, ..Settings::default() }
}

/// The tokens the peers get: number `i` of the batch is `(7919·i + 13) mod V`, its own label.
fn pack(batch: Batch, vocabulary: usize) -> Result<Pack> {
    let ids: Vec<u32> =
        (0..batch.documents * batch.tokens).map(|i| ((i * 7919 + 13) % vocabulary) as u32).collect();
    let sequence = |ids: &[u32]| {
        let mask = (0..ids.len()).map(|at| at > 0).collect();
        Sequence { n_trained: ids.len() - 1, mask, ids: ids.to_vec(), ..Sequence::default() }
    };
    let sequences: Vec<Sequence> = ids.chunks(batch.tokens).map(sequence).collect();
    pack_in_order(&sequences, ids.len())?.into_iter().next().ok_or_else(|| "an empty batch".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_documents_times_tokens() {
        assert_eq!("4x256".parse(), Ok(Batch { documents: 4, tokens: 256 }));
        for bad in ["", "4", "4x", "0x256", "4x1", "4x-2", "4x99999999999"] {
            assert!(bad.parse::<Batch>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_tokens_are_the_peers() {
        let pack = pack(Batch { documents: 2, tokens: 3 }, 49152).unwrap();
        assert_eq!(pack.tokens, [13, 7932, 15851, 23770, 31689, 39608]);
        assert_eq!(pack.targets, [7932, 15851, u32::MAX, 31689, 39608, u32::MAX]);
        assert_eq!(pack.n_trained, 4);
    }
}
