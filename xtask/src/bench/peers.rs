//! The same steps here and in PyTorch, in turns, on one machine in the same minutes.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;

use penname_ledger::write;
use serde_json::Value;

use super::{machine, median, record};
use crate::screen::{say, tell};
use crate::{Result, base, root, shell};

/// Packages of the peers.
const PACKAGES: [&str; 5] = ["torch", "transformers", "peft", "gguf", "safetensors"];

/// Where systems keep their libraries.
const LIBRARIES: [&str; 6] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/lib",
    "/opt/lib",
];

/// The comparison that is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A Python with the peers installed; otherwise they are installed into `bench/.venv`.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The base model as GGUF; otherwise the one in the Python package.
    #[arg(long)]
    base: Option<PathBuf>,
    /// Documents times tokens.
    #[arg(long, default_value = "4x256")]
    batch: String,
    /// Threads of each.
    #[arg(long, default_value_t = NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN))]
    threads: NonZeroUsize,
    /// Steps counted in each run.
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// How often all take their turn.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Take these configurations only, by the beginning of their names.
    #[arg(long)]
    only: Vec<String>,
    /// Print, and write no record.
    #[arg(long)]
    no_record: bool,
}

/// One way to do the work.
#[derive(Debug)]
pub(super) struct Runner {
    /// What a table calls it.
    pub(super) name: String,
    /// Its numbers are bf16 where that is faster; compared with its own kind only.
    pub(super) narrow: bool,
    /// Whether it is ours.
    pub(super) ours: bool,
    program: PathBuf,
    arguments: Vec<String>,
    preload: Option<PathBuf>,
}

/// What all rounds of one runner gave.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) runner: Runner,
    /// What it printed, one line a round.
    pub(super) raw: Vec<Value>,
}

impl Timing {
    /// The median over the rounds of one figure.
    pub(super) fn figure(&self, name: &str) -> f64 {
        median(&self.raw.iter().filter_map(|line| line[name].as_f64()).collect::<Vec<_>>())
    }
}

/// Runs all in turns, prints the table and writes the record.
pub(crate) fn run(options: &Options) -> Result<()> {
    let python = match &options.python {
        Some(python) => python.clone(),
        None => environment()?,
    };
    let gguf = base::find(options.base.as_deref(), false)?;
    let folder = converted(&python, &gguf)?;
    let load_before = machine::load_average();
    let mut timings: Vec<Timing> = runners(options, &python, &gguf, &folder)?
        .into_iter()
        .map(|runner| Timing { runner, raw: Vec::new() })
        .collect();
    for round in 1..=options.rounds {
        for timing in &mut timings {
            let figures = timing.runner.run()?;
            tell(&format!(
                "round {round}, {}: {:.1} tokens/s",
                timing.runner.name,
                number(&figures, "tokens_per_s")
            ));
            timing.raw.push(figures);
        }
    }
    let command = command_line(options);
    let record = record::Record { timings: &timings, command, load_before, versions: versions(&python)? };
    say(&record.table());
    if !options.no_record {
        say(&format!("written to {}", record.write()?.display()));
    }
    Ok(())
}

/// What to type for the same again; where things lie on this machine is left out.
fn command_line(options: &Options) -> String {
    let Options { batch, threads, steps, rounds, .. } = options;
    format!("cargo xtask bench peers --batch {batch} --threads {threads} --steps {steps} --rounds {rounds}")
}

/// The virtual environment of the bench, made if it is not there.
fn environment() -> Result<PathBuf> {
    let dir = root().join("bench/.venv");
    let python = dir.join("bin/python");
    if !python.exists() {
        tell("making bench/.venv");
        shell::run(shell::command("python3").args(["-m", "venv"]).arg(&dir))?;
    }
    let import = PACKAGES.map(|name| format!("import {name}")).join("; ");
    if shell::capture(shell::command(&python).args(["-c", &import])).is_err() {
        tell("installing the peers, which takes a while");
        shell::run(shell::command(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    }
    Ok(python)
}

/// What everything was made with, a line each.
fn versions(python: &Path) -> Result<String> {
    let list = PACKAGES.map(|name| format!("'{name}'")).join(", ");
    let code = format!(
        "import sys, importlib.metadata as m\nprint('python', sys.version.split()[0])\n\
         for name in [{list}]: print(name, m.version(name))"
    );
    let rustc = shell::capture(shell::command("rustc").arg("--version"))?;
    let peers = shell::capture(shell::command(python).args(["-c", &code]))?;
    // An unpacked archive has no history to name a commit from.
    let commit = shell::capture(shell::command("git").args(["describe", "--always", "--dirty"]));
    let commit = commit.map_or_else(|_| b"unknown".to_vec(), |output| output.stdout);
    let lines = [b"penname ".to_vec(), commit, rustc.stdout, peers.stdout].concat();
    Ok(String::from_utf8_lossy(&lines).trim().to_owned())
}

/// The base as a Hugging Face folder, converted once.
pub(crate) fn converted(python: &Path, gguf: &Path) -> Result<PathBuf> {
    let name = gguf.file_stem().map_or_else(|| "base".into(), |stem| stem.to_string_lossy().into_owned());
    let folder = root().join("bench/work").join(name);
    if !folder.join("config.json").exists() {
        write::folder(&folder)?;
        shell::run(shell::command(python).arg("bench/peers/convert.py").arg(gguf).arg(&folder))?;
    }
    Ok(folder)
}

fn runners(options: &Options, python: &Path, gguf: &Path, folder: &Path) -> Result<Vec<Runner>> {
    let tcmalloc = tcmalloc();
    if tcmalloc.is_none() {
        tell("libtcmalloc_minimal.so.4 is not on this machine: PyTorch runs with the allocator it has");
    }
    let ours = std::env::current_exe()?;
    let mut all = Vec::new();
    for (name, narrow) in [("bf16", true), ("f32", false)] {
        all.push(Runner {
            name: format!("penname {name}"),
            narrow,
            ours: true,
            program: ours.clone(),
            arguments: words(&["bench", "step", "--json", "--precision", name, "--model"], gguf, options),
            preload: None,
        });
    }
    for (name, narrow) in [("f32", false), ("autocast", true), ("bf16", true)] {
        let script = ["bench/peers/pytorch.py", "--numbers", name];
        let runner = |preload: Option<&PathBuf>| Runner {
            name: format!("pytorch {name}{}", if preload.is_some() { " tcmalloc" } else { "" }),
            narrow,
            ours: false,
            program: python.to_path_buf(),
            arguments: words(&script, folder, options),
            preload: preload.cloned(),
        };
        all.push(runner(None));
        // It is said to help in bf16 and to do nothing in f32.
        all.extend(tcmalloc.as_ref().filter(|_| narrow).map(|library| runner(Some(library))));
    }
    let wanted = |runner: &Runner| {
        options.only.is_empty() || options.only.iter().any(|only| runner.name.starts_with(only.as_str()))
    };
    all.retain(wanted);
    Ok(all)
}

/// Arguments every runner shares, after its own.
fn words(own: &[&str], model: &Path, options: &Options) -> Vec<String> {
    let (threads, steps) = (options.threads.to_string(), options.steps.to_string());
    let model = model.to_string_lossy();
    let shared = [&model, "--batch", &options.batch, "--threads", &threads, "--steps", &steps];
    own.iter().copied().chain(shared).map(str::to_owned).collect()
}

fn tcmalloc() -> Option<PathBuf> {
    LIBRARIES.iter().map(|dir| Path::new(dir).join("libtcmalloc_minimal.so.4")).find(|path| path.exists())
}

impl Runner {
    /// Runs it in a process of its own and reads the line of figures.
    fn run(&self) -> Result<Value> {
        let mut command: Command = shell::command(&self.program);
        command.args(&self.arguments);
        if let Some(library) = &self.preload {
            command.env("LD_PRELOAD", library);
        }
        let output = shell::capture(&mut command)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rev().find(|line| line.starts_with('{'));
        Ok(serde_json::from_str(line.ok_or_else(|| format!("{} printed no figures", self.name))?)?)
    }
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or(f64::NAN)
}

/// Timings for tests of the record.
#[cfg(test)]
pub(super) fn timing(name: &str, narrow: bool, tokens_per_s: &[f64]) -> Timing {
    let raw = tokens_per_s.iter().map(|rate| {
        serde_json::json!({
            "tokens_per_s": rate, "median_s": 1024.0 / rate, "peak_rss_bytes": 1_500_000_000_u64,
            "gflop_per_token": 0.6, "peak_gflops": 400.0, "share_of_peak": rate * 0.6 / 400.0,
            "first_loss": 12.5, "last_loss": 12.25,
        })
    });
    let runner = Runner {
        name: name.to_owned(),
        narrow,
        ours: name.starts_with("penname"),
        program: PathBuf::new(),
        arguments: Vec::new(),
        preload: None,
    };
    Timing { runner, raw: raw.collect() }
}
