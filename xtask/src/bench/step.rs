//! Times optimizer steps: the same tokens, method and clipping as the peers'.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Device, Extent, Keep, Precision, Section};
use penname_ledger::{Seed, Stopwatch};
use penname_model::{Checkpoint, Parameters, Purpose, Setup, build};
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_in_order};
use penname_train::Settings;
use penname_train::settings::Way;
use penname_train::step::Trainer;
use serde_json::{Value, json};

use super::{listed, machine, median, peak, profile};
use crate::screen::say;
use crate::{Result, pair};

/// Steps that warm caches and memory up and are not counted.
const N_WARM: u64 = 2;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A GGUF file or a folder with safetensors.
    #[arg(long)]
    model: PathBuf,
    /// Which weights are changed.
    #[arg(long, value_enum, default_value_t = Method::Lora)]
    method: Method,
    /// Documents times tokens.
    #[arg(long, default_value = "4x256")]
    batch: Batch,
    /// What products round their inputs to.
    #[arg(long, value_enum, default_value_t = Rounding::Bf16)]
    precision: Rounding,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// What of the forward pass is kept for the backward pass.
    #[arg(long, value_enum, default_value_t = Kept::All)]
    keep: Kept,
    /// Steps that are counted.
    #[arg(long, default_value_t = NonZeroUsize::new(5).unwrap_or(NonZeroUsize::MIN))]
    steps: NonZeroUsize,
    /// One line of JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    /// Rank 16 and alpha 32 on all linears.
    Lora,
    /// All weights.
    Full,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rounding {
    Bf16,
    F32,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kept {
    All,
    Products,
    Blocks,
}

/// Documents, and tokens of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Batch {
    documents: usize,
    tokens: usize,
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

/// A trainer with its device and batch.
struct Bench {
    device: Cpu,
    trainer: Trainer,
    pack: Pack,
}

/// Times the steps and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut bench = Bench::new(options)?;
    let (seconds, losses) = bench.time(N_WARM, options.steps.get())?;
    let rss = machine::peak_rss_bytes();
    let profile = if options.json { None } else { Some(bench.profile(options.steps.get())?) };
    let probe = bench.device.probe();
    let threads = NonZeroUsize::new(probe.threads).unwrap_or(NonZeroUsize::MIN);
    let figures = figures(&bench, &seconds, rss, peak::gflops(threads, options.precision.into()), &losses);
    match profile {
        None => say(&figures.to_string()),
        Some(table) => say(&format!("{}\n{table}\n\n{}", probe.name, listed(&figures))),
    }
    Ok(())
}

impl Bench {
    fn new(options: &Options) -> Result<Self> {
        let threads = options.threads.map_or_else(std::thread::available_parallelism, Ok)?;
        let mut device = Cpu::with(threads, Isa::best());
        let checkpoint = Checkpoint::open(&options.model)?;
        let config = checkpoint.config()?;
        let settings = settings(options.method);
        let n_rows = options.batch.documents * options.batch.tokens;
        let network = build(
            &config,
            &Setup {
                method: settings.method(""),
                precision: options.precision.into(),
                capacity: Extent::tokens(n_rows),
                purpose: Purpose::Loss,
            },
        )?;
        let mut parameters = Parameters::load(&checkpoint, &network, &mut device)?;
        parameters.add_pairs(&network, &mut device, |slot| pair::draw(&network, slot, Seed(1), 0.0))?;
        let trainer = Trainer::new(network, &parameters, &settings, options.keep.into(), &mut device)?;
        Ok(Self { device, trainer, pack: pack(options.batch, config.vocab_size)? })
    }

    /// Seconds of each counted step, and the losses of all steps.
    fn time(&mut self, n_warm: u64, n_steps: usize) -> Result<(Vec<f64>, Vec<f64>)> {
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

    fn profile(&mut self, n_steps: usize) -> Result<String> {
        let mut profile = profile::Profile::new();
        for _ in 0..n_steps {
            profile::watch(&mut self.trainer, &mut self.device, &self.pack, &mut profile)?;
        }
        Ok(profile::table(&profile, n_steps))
    }

    fn gflop_per_token(&self) -> f64 {
        let program = &self.trainer.network.program;
        let passes =
            program.steps().iter().filter(|s| matches!(s.section, Section::Forward | Section::Backward));
        let flops: f64 = passes.map(|step| profile::flops(&step.op, program, &self.pack)).sum();
        flops / 1e9 / self.pack.len() as f64
    }
}

fn settings(method: Method) -> Settings {
    let method = match method {
        Method::Lora => Way::Lora,
        Method::Full => Way::Full,
    };
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

fn figures(bench: &Bench, seconds: &[f64], rss: Option<u64>, peak_gflops: f64, losses: &[f64]) -> Value {
    let median_s = median(seconds);
    let tokens_per_s = bench.pack.len() as f64 / median_s;
    let gflop_per_token = bench.gflop_per_token();
    json!({
        "tokens_per_s": tokens_per_s,
        "median_s": median_s,
        "min_s": seconds.iter().copied().fold(f64::INFINITY, f64::min),
        "max_s": seconds.iter().copied().fold(0.0, f64::max),
        "peak_rss_bytes": rss,
        "gflop_per_token": gflop_per_token,
        "peak_gflops": peak_gflops,
        "share_of_peak": tokens_per_s * gflop_per_token / peak_gflops,
        "first_loss": losses.first(),
        "last_loss": losses.last(),
    })
}

impl From<Rounding> for Precision {
    fn from(rounding: Rounding) -> Self {
        match rounding {
            Rounding::Bf16 => Self::Bf16,
            Rounding::F32 => Self::F32,
        }
    }
}

impl From<Kept> for Keep {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::All => Self::All,
            Kept::Products => Self::Products,
            Kept::Blocks => Self::BlockInputs,
        }
    }
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
