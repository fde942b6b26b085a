//! The same work here and in what people would use instead, in turns, on one machine in the same
//! minutes.

mod lineup;
mod python;
mod row;
mod runner;
pub(crate) mod speed;
mod table;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use self::lineup::Ground;
use self::row::Row;
use self::runner::Runner;
use super::record::Record;
use super::{machine, rows};
use crate::screen::{say, tell};
use crate::{Result, base};

pub(crate) use python::converted;
pub(super) use table::page;

/// The comparison that is made.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Make these comparisons only, by the beginning of their names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// List the comparisons and make none.
    #[arg(long)]
    list: bool,
    /// A Python with the peers installed; otherwise they are installed into `bench/.venv`.
    #[arg(long)]
    python: Option<PathBuf>,
    /// The base model as GGUF; otherwise the one in the Python package.
    #[arg(long)]
    base: Option<PathBuf>,
    /// Chat rows as JSON lines with `messages`; otherwise 200 invented ones.
    #[arg(long)]
    data: Option<PathBuf>,
    /// A checkout of llm.c.
    #[arg(long)]
    llmc: Option<PathBuf>,
    /// Where Burn and candle are compiled; otherwise `bench/work/target`.
    #[arg(long)]
    rust_target: Option<PathBuf>,
    /// Threads of each.
    #[arg(long, default_value_t = NonZeroUsize::new(2).unwrap_or(NonZeroUsize::MIN))]
    threads: NonZeroUsize,
    /// Steps counted in each run.
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Steps on the chat rows; otherwise each row is seen once.
    #[arg(long)]
    chat_steps: Option<usize>,
    /// How often all take their turn; slow ones do so in the first round only.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
    /// Print, and write no record.
    #[arg(long)]
    no_record: bool,
}

/// Runs all in turns, prints the table and writes the record.
pub(crate) fn run(options: &Options) -> Result<()> {
    let rows: Vec<&Row> = row::ALL.iter().filter(|row| row.is_wanted(&options.only)).collect();
    if options.list {
        rows.iter().for_each(|row| say(&format!("{:<20} {}", row.name, row.about())));
        return Ok(());
    }
    let ground = ground(options)?;
    let mut record = Record::begin(options.command(), python::versions(&ground.python)?);
    let mut runners = Vec::new();
    for entry in names(&rows).into_iter().map(|name| ground.runner(name)) {
        match entry {
            Ok(runner) => runners.push(runner),
            Err((name, reason)) => {
                tell(&format!("{name} takes no part: {reason}"));
                record.skip(&name, &reason);
            }
        }
    }
    for round in 1..=options.rounds {
        turns(round, &mut runners, &mut record, options)?;
    }
    say(&table::rows(&rows, &record));
    if !options.no_record {
        say(&format!("written to {}", save(&mut record)?.display()));
    }
    Ok(())
}

/// Writes down what is there so far.
fn save(record: &mut Record) -> Result<PathBuf> {
    record.end(machine::load_average());
    record.write("peers", page)
}

fn ground(options: &Options) -> Result<Ground<'_>> {
    let python = options.python.clone().map_or_else(python::environment, Ok)?;
    let gguf = base::find(options.base.as_deref(), false)?;
    let folder = converted(&python, &gguf)?;
    let data = options.data.clone().map_or_else(rows::written, Ok)?;
    Ok(Ground { options, python, gguf, folder, data })
}

/// One round: everybody once. Who fails is told why and is left out from then on. A turn is written down
/// when it is done, for a round may take an hour and be stopped.
fn turns(round: usize, runners: &mut Vec<Runner>, record: &mut Record, options: &Options) -> Result<()> {
    runners.retain(|runner| round == 1 || !runner.once);
    for runner in std::mem::take(runners) {
        match runner.run() {
            Ok(figures) => {
                let rate = figures["tokens_per_s"].as_f64().unwrap_or(f64::NAN);
                tell(&format!("round {round}, {}: {rate:.1} tokens/s", runner.name));
                record.add(&runner.name, figures);
                runners.push(runner);
            }
            Err(error) => {
                tell(&format!("round {round}, {} failed: {error}", runner.name));
                record.skip(&runner.name, &error.to_string());
            }
        }
        if !options.no_record {
            save(record)?;
        }
    }
    Ok(())
}

/// The names in the rows, ours between theirs as the rows have them, each once.
fn names(rows: &[&Row]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    let all = rows.iter().flat_map(|row| row.ours.iter().chain(row.theirs));
    all.copied().filter(|name| seen.insert(*name)).collect()
}

impl Options {
    /// What to type for the same again; where things lie on this machine is left out.
    fn command(&self) -> String {
        let Self { threads, steps, rounds, .. } = self;
        let only =
            if self.only.is_empty() { String::new() } else { format!(" --only {}", self.only.join(",")) };
        let chat = self.chat_steps.map_or(String::new(), |n| format!(" --chat-steps {n}"));
        format!("cargo xtask bench peers{only} --threads {threads} --steps {steps} --rounds {rounds}{chat}")
    }
}
