//! Hostile files for every reader, for some minutes: `fuzz/` in a process of its own.

use crate::{Result, root, shell};

/// How long, and which.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Minutes for each target.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// One target; all of them unless said.
    #[arg(long)]
    target: Option<String>,
    /// Where all chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The readers, as `fuzz/src/target` lists them.
const TARGETS: [&str; 6] = ["gguf", "safetensors", "llama2c", "config", "adapter", "tokenizer"];

/// Runs the targets one after the other.
///
/// # Errors
/// When a target is unknown or something was found; findings lie under `target/fuzz`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let wanted: Vec<&str> = match &options.target {
        Some(name) => vec![name],
        None => TARGETS.to_vec(),
    };
    let mut failed = Vec::new();
    for name in wanted {
        let mut driver = shell::cargo();
        driver.args(["run", "--quiet", "--locked", "--bin", "driver", "--manifest-path"]);
        driver.arg(root().join("fuzz/Cargo.toml")).arg("--target-dir").arg(root().join("target"));
        let seconds = (options.minutes * 60).to_string();
        driver.args(["--", name, "--seconds", &seconds, "--seed", &options.seed.to_string()]);
        if shell::run(&mut driver).is_err() {
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in: {}", failed.join(", ")).into()) }
}
