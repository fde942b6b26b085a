//! The plan held against what a step really takes: a process for every configuration, its peak beside
//! the forecast.

use std::path::Path;
use std::process::Command;

use penname_engine::Keep;
use penname_engine::backend::cpu::Cpu;
use penname_ledger::write;
use penname_model::Checkpoint;
use penname_train::Settings;
use penname_train::plan::{Ask, Need, need};
use penname_train::settings::{Base, Way};
use serde_json::{Value, json};

use super::{machine, shape};
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

/// A configuration: model, method, base weights, documents × tokens, what is kept.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str);

const ALL: [Case; 14] = [
    ("llama-7m", "full", "rounded", "4x256", "all"),
    ("llama-7m", "lora", "rounded", "4x256", "all"),
    ("llama-7m", "full", "rounded", "1x1024", "blocks"),
    ("gpt2-124m", "full", "rounded", "1x256", "all"),
    ("gpt2-124m", "lora", "rounded", "2x256", "all"),
    ("gpt2-124m", "lora", "nf4", "1x1024", "blocks"),
    ("smollm2-135m", "full", "rounded", "1x256", "products"),
    ("smollm2-135m", "lora", "rounded", "1x256", "all"),
    ("smollm2-135m", "lora", "rounded", "4x256", "all"),
    ("smollm2-135m", "lora", "nf4", "4x256", "all"),
    ("smollm2-135m", "lora", "nf4", "4x256", "products"),
    ("smollm2-135m", "lora", "q8_0", "1x2048", "blocks"),
    ("qwen3-0.6b", "lora", "nf4", "1x512", "products"),
    ("qwen3-0.6b", "lora", "nf4", "1x256", "all"),
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
        method: if method == "full" { Way::Full } else { Way::Lora },
        rank: 16,
        alpha: 32.0,
        batch_tokens: documents.parse::<usize>()? * tokens.parse::<usize>()?,
        base: match base {
            "nf4" => Base::Nf4,
            "q8_0" => Base::Q8,
            _ => Base::Rounded,
        },
        ..Settings::default()
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

/// The peak of a process that takes three steps.
fn measured((model, method, base, batch, keep): Case) -> Result<u64> {
    let mut child = Command::new(std::env::current_exe()?);
    child.args(["bench", "step", "--model", model, "--method", method, "--base", base, "--batch", batch]);
    child.args(["--keep", keep, "--steps", "1", "--json"]);
    let said = shell::capture(&mut child)?;
    let figures: Value = serde_json::from_slice(&said.stdout)?;
    figures["peak_rss_bytes"].as_u64().ok_or_else(|| "the system does not say how much was taken".into())
}
