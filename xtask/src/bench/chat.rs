//! Times `penname train` on chat rows as a person would run it: the whole command.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use penname_ledger::{Stopwatch, write};
use serde_json::{Value, json};

use super::{listed, machine, median, rows};
use crate::screen::say;
use crate::{Result, root, shell};

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The base: a GGUF file or a folder with safetensors.
    #[arg(long)]
    model: PathBuf,
    /// Rows as JSON lines with `messages`; otherwise 200 invented ones.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Steps of eight rows; otherwise each row is seen once.
    #[arg(long)]
    steps: Option<u64>,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<std::num::NonZeroUsize>,
    /// The program; otherwise the one beside this one.
    #[arg(long)]
    penname: Option<PathBuf>,
    /// One line of JSON instead of a list.
    #[arg(long)]
    json: bool,
}

/// Runs the command and prints what came out.
pub(crate) fn run(options: &Options) -> Result<()> {
    let data = options.data.clone().map_or_else(rows::written, Ok)?;
    let project = project(options, &data)?;
    let beside = || Ok::<_, std::io::Error>(std::env::current_exe()?.with_file_name("penname"));
    let program = options.penname.clone().map_or_else(beside, Ok)?;
    if !program.exists() {
        return Err("there is no `penname` beside this program: cargo build --release -p penname".into());
    }
    let mut command = shell::command(program);
    command.args(["train", "--json", "--offline", "--project"]).arg(&project).stdout(Stdio::piped());
    if let Some(threads) = options.threads {
        command.args(["--threads", &threads.to_string()]);
    }
    let watch = Stopwatch::start();
    let mut child = command.stderr(Stdio::null()).spawn()?;
    let output = child.stdout.take().ok_or("the program has no output")?;
    let mut steps = Steps::default();
    for line in BufReader::new(output).lines() {
        steps.see(&line?, watch.seconds(), || machine::peak_rss_of(child.id()));
    }
    let status = child.wait()?;
    write::remove_folder(&project)?;
    if !status.success() {
        let said = steps.error.unwrap_or_else(|| status.to_string());
        return Err(format!("`penname train` failed: {said}").into());
    }
    let figures = steps.figures().ok_or("`penname train` took no step")?;
    say(&if options.json { figures.to_string() } else { listed(&figures) });
    Ok(())
}

/// A project with the rows, seen once, measured on next to nothing and saved at the end only.
fn project(options: &Options, data: &Path) -> Result<PathBuf> {
    let folder = root().join(format!("bench/work/chat-{}", std::process::id()));
    write::folder(&folder.join("writing"))?;
    write::bytes(&folder.join("writing/rows.jsonl"), &fs::read(data)?)?;
    let length = options.steps.map_or("epochs: 1".to_owned(), |n| format!("steps: {n}"));
    let base = serde_json::to_string(&fs::canonicalize(&options.model)?)?;
    let settings = format!(
        "base: {base}\n\
         corpus:\n  dedupe: {{exact: false, near: false}}\n  split: {{share: 0.01, min_examples: 1}}\n\
         train:\n  {length}\n  batch_examples: 8\n  patience: 0\n  evaluate_every: 100000\n  \
         checkpoint_every: 100000\n"
    );
    write::bytes(&folder.join("penname.yaml"), settings.as_bytes())?;
    Ok(folder)
}

/// What the events of a run say.
#[derive(Debug, Default)]
struct Steps {
    ends: Vec<f64>,
    tokens: Vec<f64>,
    trained: f64,
    rss: Option<u64>,
    error: Option<String>,
}

impl Steps {
    /// Takes note of a line that came `at` seconds after the start.
    fn see(&mut self, line: &str, at: f64, rss: impl Fn() -> Option<u64>) {
        let Ok(event) = serde_json::from_str::<Value>(line) else { return };
        if event["event"] == "error" {
            self.error = event["message"].as_str().map(str::to_owned);
        }
        let row = if event["row"].is_object() { &event["row"] } else { &event };
        if let (Some(tokens), Some(trained)) = (row["tokens"].as_f64(), row["trained_tokens"].as_f64()) {
            self.ends.push(at);
            self.tokens.push(tokens);
            self.trained += trained;
            self.rss = rss().or(self.rss);
        }
    }

    fn figures(&self) -> Option<Value> {
        let (first, total) = (*self.ends.first()?, *self.ends.last()?);
        let seconds: Vec<f64> = self.ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let real: f64 = self.tokens.iter().sum();
        Some(json!({
            "tokens_per_s": real / total,
            "steady_tokens_per_s": self.tokens[1..].iter().sum::<f64>() / (total - first).max(1e-9),
            "median_s": if seconds.is_empty() { total } else { median(&seconds) },
            "first_step_s": first,
            "total_s": total,
            "n_steps": self.ends.len(),
            "real_tokens": real,
            "trained_tokens": self.trained,
            "peak_rss_bytes": self.rss,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_out_of_events() {
        let mut steps = Steps::default();
        let lines = [
            (r#"{"event":"started","stage":"train"}"#, 0.1),
            (r#"{"event":"metric","row":{"step":1,"tokens":100,"trained_tokens":60}}"#, 1.0),
            (r#"{"event":"metric","row":{"step":1,"held_out_loss":2.0}}"#, 1.5),
            (r#"{"event":"metric","row":{"step":2,"tokens":140,"trained_tokens":80}}"#, 2.0),
        ];
        lines.iter().for_each(|(line, at)| steps.see(line, *at, || Some(7)));
        let figures = steps.figures().unwrap();
        assert_eq!(figures["tokens_per_s"], 120.0);
        assert_eq!(figures["steady_tokens_per_s"], 140.0);
        assert_eq!(figures["first_step_s"], 1.0);
        assert_eq!(figures["peak_rss_bytes"], 7);
    }
}
