//! Times every operation of one block, with embedding and head, at several sizes, against the limits
//! measured in the same run.
//!
//! A model of one block is trained for a few steps; its operations are timed where they stand, with
//! what they are fused with and with caches as their neighbours leave them. Low-rank pairs show the
//! products forward and for the gradient of the input, all weights those for the weights too.

mod plot;
pub(crate) mod roofline;
mod sheet;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Keep, Precision};
use penname_model::Keeping;
use penname_train::settings::Way;
use serde_json::{Value, json};

use self::sheet::Sheet;
use super::peak::{self, Limits};
use super::profile::{self, Profile, Share};
use super::shape;
use super::trained::{Batch, Job, Trained, settings};
use crate::Result;
use crate::screen::{say, tell};

/// Steps before those that are counted.
const N_WARM: u64 = 1;

/// What is timed.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Shapes, of which one block is taken, or checkpoints.
    #[arg(long, value_delimiter = ',', default_value = "smollm2-135m,qwen3-0.6b,gpt2-124m")]
    model: Vec<String>,
    /// Lengths of the one document that is trained on: rows of products, reach of attention.
    #[arg(long, value_delimiter = ',', default_value = "32,128,512,1024,4096")]
    rows: Vec<usize>,
    /// Threads; all of the machine's unless said.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Passes that are counted.
    #[arg(long, default_value_t = 5)]
    passes: usize,
    /// One line of JSON for each operation instead of tables.
    #[arg(long)]
    json: bool,
    /// Write what came out into the record of this day and machine.
    #[arg(long)]
    record: bool,
}

/// Instructions and rounding that are tried, as they are called.
pub(super) fn paths() -> Vec<(String, Isa, Precision)> {
    let best = Isa::best();
    let mut all = vec![("bf16".to_owned(), best, Precision::Bf16), ("f32".to_owned(), best, Precision::F32)];
    if best != Isa::Avx2 && Isa::Avx2.is_present() {
        all.push(("f32 AVX2".to_owned(), Isa::Avx2, Precision::F32));
    }
    all
}

/// Times everything, prints what came out and writes it down where that was asked for.
pub(crate) fn run(options: &Options) -> Result<()> {
    let threads = options.threads.map_or_else(std::thread::available_parallelism, Ok)?;
    let gbytes = peak::memory_gbytes(threads);
    let mut sheet = Sheet::begin(options.command(threads));
    for (path, isa, precision) in paths() {
        let limits = Limits { gflops: peak::gflops(threads, isa, precision), gbytes };
        if !options.json {
            say(&format!("# {path}: {limits}\n"));
        }
        for model in &options.model {
            let folder = match one_block(model) {
                Ok(folder) => folder,
                Err(error) => {
                    tell(&format!("{model} is left out: {}", crate::chain(&*error)));
                    continue;
                }
            };
            for (way, name) in [(Way::Lora, "lora"), (Way::Full, "full")] {
                for &tokens in &options.rows {
                    let batch = Batch { documents: 1, tokens };
                    let (model_path, keep, keeping) = (folder.clone(), Keep::All, Keeping::Rounded);
                    let settings = settings(way);
                    let job =
                        Job { model: model_path, settings, batch, precision, isa, threads, keep, keeping };
                    let profile = profile_of(&job, limits, options.passes)?;
                    let what = json!({ "path": path, "model": model, "method": name, "rows": tokens });
                    let lines = lines(&what, &profile, limits, options.passes);
                    show(options, &what, &profile, &lines, limits);
                    sheet.add(lines);
                }
            }
        }
    }
    if options.record {
        say(&format!("written to {}; `cargo xtask gen` draws it", sheet.write()?.display()));
    }
    Ok(())
}

impl Options {
    /// What to type for the same again.
    fn command(&self, threads: NonZeroUsize) -> String {
        let rows: Vec<String> = self.rows.iter().map(usize::to_string).collect();
        format!(
            "cargo xtask bench ops --model {} --rows {} --passes {} --threads {threads} --record",
            self.model.join(","),
            rows.join(","),
            self.passes
        )
    }
}

fn one_block(model: &str) -> Result<PathBuf> {
    shape::find(model).map_or_else(|| Ok(PathBuf::from(model)), |shape| shape.folder(Some(1)))
}

fn profile_of(job: &Job, limits: Limits, n_passes: usize) -> Result<Profile> {
    let mut trained = Trained::new(job)?;
    trained.time(N_WARM, 1)?;
    trained.profile(limits, n_passes)
}

/// The operations as lines of a record.
fn lines(what: &Value, profile: &Profile, limits: Limits, n_passes: usize) -> Vec<Value> {
    let line = |(op, share): (&String, &Share)| {
        let mut line = what.clone();
        line["op"] = json!(op);
        line["seconds"] = json!(share.seconds / n_passes as f64);
        line["floor_s"] = json!(share.floor_s / n_passes as f64);
        line["gflops"] = json!(share.flops / share.seconds / 1e9);
        line["peak_gflops"] = json!(limits.gflops);
        line["gbytes"] = json!(share.n_bytes / share.seconds / 1e9);
        line["copy_gbytes"] = json!(limits.gbytes);
        line["flop_per_byte"] = json!(share.flops / share.n_bytes);
        line
    };
    profile.iter().map(line).collect()
}

fn show(options: &Options, what: &Value, profile: &Profile, lines: &[Value], limits: Limits) {
    if options.json {
        lines.iter().for_each(|line| say(&line.to_string()));
        return;
    }
    let title = ["model", "method", "path"].map(|field| what[field].as_str().unwrap_or_default());
    let table = profile::table(profile, options.passes, Some(limits));
    say(&format!("## {}, {} rows\n\n{table}\n", title.join(" "), what["rows"]));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_can_run_here() {
        let paths = paths();
        assert!(paths.iter().all(|(_, isa, _)| isa.is_present()));
        assert_eq!(paths[0].2, Precision::Bf16);
    }
}
