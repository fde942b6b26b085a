//! Times optimizer steps: the same tokens, method and clipping as the peers'.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Device, Keep, Precision};
use penname_model::{Keeping, Residence};
use penname_train::Settings;
use penname_train::settings::{Optimizer, Way};
use serde_json::{Value, json};

use super::base::Base;
use super::trained::{Batch, Job, Trained, settings};
use super::{listed, machine, median, peak, profile};
use crate::Result;
use crate::screen::say;

/// Steps that warm caches and memory up and are not counted.
const N_WARM: u64 = 2;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A GGUF file, a folder with safetensors, or a shape of the list in `shape.rs`, such as smollm2-135m.
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
    /// How the frozen weights are kept in memory; as they are stored unless all are trained.
    #[arg(long, value_enum)]
    base: Option<Base>,
    /// Train the lengths of rows, too (DoRA).
    #[arg(long)]
    dora: bool,
    /// Keep the moments of the optimizer in a byte each.
    #[arg(long)]
    moments_8bit: bool,
    /// Leave the frozen weights on disk.
    #[arg(long)]
    on_disk: bool,
    /// Linears that get a pair, or `experts`; all linears unless said.
    #[arg(long)]
    target: Vec<String>,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The instruction set, such as AVX2; the best of this processor unless said.
    #[arg(long)]
    isa: Option<String>,
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

/// Times the steps and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let job = options.job()?;
    let mut trained = Trained::new(&job)?;
    let (seconds, losses) = trained.time(N_WARM, options.steps.get())?;
    let rss = machine::peak_rss_bytes();
    let limits = peak::limits(&job, !options.json);
    let figures = figures(&trained, &seconds, rss, limits.gflops, &losses);
    if options.json {
        say(&figures.to_string());
        return Ok(());
    }
    let profile = trained.profile(limits, options.steps.get())?;
    say(&format!("{}, {limits}", trained.device.probe().name));
    say(&format!("{}\n\n{}", profile::table(&profile, options.steps.get(), Some(limits)), listed(&figures)));
    Ok(())
}

impl Options {
    fn isa(&self) -> Result<Isa> {
        let Some(name) = &self.isa else { return Ok(Isa::best()) };
        let names = || Isa::available().map(|isa| isa.to_string()).collect::<Vec<_>>().join(", ");
        let named = Isa::available().find(|isa| isa.to_string().eq_ignore_ascii_case(name));
        named.ok_or_else(|| format!("`--isa` is `{name}`, this processor has {}", names()).into())
    }

    fn keeping(&self) -> Keeping {
        match (self.base, self.method) {
            (Some(base), _) => base.into(),
            (None, Method::Lora) => Keeping::Stored,
            (None, Method::Full) => Keeping::Rounded,
        }
    }

    fn settings(&self) -> Settings {
        let way = match self.method {
            Method::Lora => Way::Lora,
            Method::Full => Way::Full,
        };
        Settings {
            dora: self.dora,
            optimizer: if self.moments_8bit { Optimizer::AdamW8 } else { Optimizer::AdamW },
            residence: if self.on_disk { Residence::Disk } else { Residence::Memory },
            targets: self.target.clone(),
            ..settings(way)
        }
    }

    fn job(&self) -> Result<Job> {
        Ok(Job {
            model: self.model.clone(),
            settings: self.settings(),
            batch: self.batch,
            precision: self.precision.into(),
            isa: self.isa()?,
            threads: self.threads.map_or_else(std::thread::available_parallelism, Ok)?,
            keep: self.keep.into(),
            keeping: self.keeping(),
        })
    }
}

fn figures(trained: &Trained, seconds: &[f64], rss: Option<u64>, peak_gflops: f64, losses: &[f64]) -> Value {
    let median_s = median(seconds);
    let tokens_per_s = trained.pack.len() as f64 / median_s;
    let gflop_per_token = trained.gflop_per_token();
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
