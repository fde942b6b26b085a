//! The plan held against what a step really takes: a process for every configuration, its peak beside
//! the forecast.

use std::path::Path;
use std::process::Command;

use penname_engine::Keep;
use penname_engine::backend::cpu::Cpu;
use penname_ledger::write;
use penname_model::{Checkpoint, Residence};
use penname_train::Settings;
use penname_train::plan::{Ask, Need, need};
use penname_train::settings::{Base, Optimizer, Way};
use serde_json::{Value, json};

use super::{machine, shape, trained};
use crate::screen::{say, tell};
use crate::{Result, Told, shell};

/// How far the peak of a process may be from its forecast, as a share.
const WITHIN: f64 = 0.1;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only configurations whose name holds this.
    #[arg(long)]
    only: Option<String>,
    /// Write the figures here as JSON, too.
    #[arg(long)]
    out: Option<std::path::PathBuf>,
}

/// A configuration: model, method and base weights with what is said of them beside, documents × tokens,
/// what is kept.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const ALL: [Case; 25] = [
    ("llama-7m", "full", "rounded", "4x256", "all"),
    ("llama-7m", "full 8bit", "rounded", "4x256", "all"),
    ("llama-7m", "lora", "rounded", "4x256", "all"),
    ("llama-7m", "full", "rounded", "1x1024", "blocks"),
    ("gpt2-124m", "full", "rounded", "1x256", "all"),
    ("gpt2-124m", "full 8bit", "rounded", "1x256", "all"),
    ("gpt2-124m", "lora", "rounded", "2x256", "all"),
    ("gpt2-124m", "lora dora", "rounded", "2x256", "all"),
    ("gpt2-124m", "lora", "nf4", "1x1024", "blocks"),
    ("smollm2-135m", "full", "rounded", "1x256", "products"),
    ("smollm2-135m", "lora", "rounded", "1x256", "all"),
    ("smollm2-135m", "lora", "rounded", "4x256", "all"),
    ("smollm2-135m", "lora dora", "nf4", "1x512", "all"),
    ("smollm2-135m", "lora", "nf4", "4x256", "all"),
    ("smollm2-135m", "lora", "nf4", "4x256", "products"),
    ("smollm2-135m", "lora", "q8_0", "1x2048", "blocks"),
    ("qwen3-moe-17m", "full", "rounded", "4x256", "all"),
    ("qwen3-moe-17m", "lora", "rounded", "4x256", "all"),
    ("qwen3-moe-17m", "lora experts", "nf4", "1x1024", "blocks"),
    ("gpt-oss-130m", "lora", "rounded", "1x512", "all"),
    ("gpt-oss-130m", "lora experts", "nf4", "1x512", "products"),
    ("gpt-oss-130m", "lora dora", "q8_0", "2x256", "all"),
    ("qwen3-0.6b", "lora", "nf4", "1x512", "products"),
    ("qwen3-0.6b", "lora", "nf4", "1x256", "all"),
    ("qwen3-0.6b", "lora", "nf4 disk", "1x256", "all"),
];

/// What is said beside a word.
const BESIDE: [(&str, &[&str]); 4] = [
    ("8bit", &["--moments-8bit"]),
    ("dora", &["--dora"]),
    ("disk", &["--on-disk"]),
    ("experts", &["--target", "experts", "--target", "q_proj"]),
];

/// Measures and compares.
///
/// # Errors
/// When a forecast is further off than [`WITHIN`].
pub(crate) fn run(options: &Options) -> Result<()> {
    // What a process of this program takes before it holds a model.
    let process = machine::peak_rss_bytes().unwrap_or(0);
    let (mut rows, mut n_off) = (Vec::new(), 0);
    for case in ALL {
        let name = [case.0, case.1, case.2, case.3, case.4].join(" ");
        if options.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        tell(&format!("running  {name}"));
        let forecast = forecast(case, process)?;
        let measured = measured(case)?;
        let off = forecast as f64 / measured as f64 - 1.0;
        n_off += usize::from(off.abs() > WITHIN);
        let word = if off.abs() <= WITHIN { "within" } else { "off" };
        let mib = |bytes: u64| bytes >> 20;
        say(&format!(
            "{word:<7} {name}: {} MiB planned, {} MiB taken ({:+.1} %)",
            mib(forecast),
            mib(measured),
            100.0 * off
        ));
        rows.push(json!({ "case": name, "planned_bytes": forecast, "taken_bytes": measured, "off": off }));
    }
    say(&format!("{} of {} within {:.0} %", rows.len() - n_off, rows.len(), 100.0 * WITHIN));
    if let Some(path) = &options.out {
        write::json(path, &Value::from(rows))?;
    }
    if n_off == 0 { Ok(()) } else { Err(Told("the plan is off").into()) }
}

/// What the plan says of a case, for a process that takes `process` bytes by itself.
fn forecast((model, method, base, batch, keep): Case, process: u64) -> Result<u64> {
    let checkpoint = Checkpoint::open(shape::resolve(Path::new(model))?)?;
    let (documents, tokens) = batch.split_once('x').ok_or("a batch is documents x tokens")?;
    let settings = Settings {
        dora: method.ends_with(" dora"),
        optimizer: if method.ends_with(" 8bit") { Optimizer::AdamW8 } else { Optimizer::AdamW },
        residence: if base.ends_with(" disk") { Residence::Disk } else { Residence::Memory },
        targets: if method.ends_with(" experts") {
            vec!["experts".into(), "q_proj".into()]
        } else {
            Vec::new()
        },
        batch_tokens: documents.parse::<usize>()? * tokens.parse::<usize>()?,
        base: match word(base) {
            "nf4" => Base::Nf4,
            "q8_0" => Base::Q8,
            _ => Base::Rounded,
        },
        ..trained::settings(if word(method) == "full" { Way::Full } else { Way::Lora })
    };
    let keep = match keep {
        "all" => Keep::All,
        "products" => Keep::Products,
        _ => Keep::BlockInputs,
    };
    let config = checkpoint.config()?;
    let ask = Ask { config: &config, settings: &settings, stored: checkpoint.storage() };
    let need: Need = need(&ask, keep, &Cpu::new())?;
    // A timed step keeps no copies of what it trains, and reads no tokenizer.
    Ok((need.total() - need.process - need.copies) as u64 + process)
}

/// A word without what is said beside it.
fn word(said: &str) -> &str {
    said.split_whitespace().next().unwrap_or(said)
}

/// The peak of a process that takes three steps.
fn measured((model, method, base, batch, keep): Case) -> Result<u64> {
    let step = || -> Result<Command> {
        let mut child = Command::new(std::env::current_exe()?);
        child.args(["bench", "step", "--model", model, "--batch", batch]);
        child.args(["--method", word(method), "--base", word(base)]);
        child.args(["--keep", keep, "--steps", "1", "--json"]);
        let beside = BESIDE.iter().filter(|(said, _)| method.ends_with(said) || base.ends_with(said));
        child.args(beside.flat_map(|(_, flags)| flags.iter()));
        Ok(child)
    };
    if base.ends_with(" disk") {
        // The first process packs the base; what that takes is another question.
        shell::capture(&mut step()?)?;
    }
    let mut child = step()?;
    let said = shell::capture(&mut child)?;
    let figures: Value = serde_json::from_slice(&said.stdout)?;
    figures["peak_rss_bytes"].as_u64().ok_or_else(|| "the system does not say how much was taken".into())
}
