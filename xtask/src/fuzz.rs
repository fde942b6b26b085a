//! Hostile files for every reader, for some minutes: `fuzz/` in a process of its own.

use std::path::PathBuf;

use crate::{Result, root, shell};

/// How long, and which.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Minutes for each target.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// These targets only.
    #[arg(long, value_delimiter = ',')]
    target: Vec<String>,
    /// Where all chance begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// The readers, as `fuzz/src/target` lists them.
const TARGETS: [&str; 8] =
    ["gguf", "safetensors", "llama2c", "config", "adapter", "tokenizer", "sentencepiece", "shard"];

/// Counters at every edge of the code, by a pass that the stable compiler has too.
const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Ccodegen-units=4";

/// Runs the targets one after the other.
///
/// # Errors
/// When a target is unknown, the driver cannot be built, or something was found; findings lie under `target/fuzz`.
pub(crate) fn run(options: &Options) -> Result<()> {
    let known = |name: &&String| !TARGETS.contains(&name.as_str());
    if let Some(name) = options.target.iter().find(known) {
        return Err(format!("there is no target `{name}`, expected one of {}", TARGETS.join(", ")).into());
    }
    let wanted = |name: &&str| options.target.is_empty() || options.target.iter().any(|only| only == name);
    let driver = built()?;
    let mut failed = Vec::new();
    for name in TARGETS.into_iter().filter(wanted) {
        let mut driver = shell::command(&driver);
        let seconds = (options.minutes * 60).to_string();
        driver.args([name, "--seconds", &seconds, "--seed", &options.seed.to_string()]);
        if shell::run(&mut driver).is_err() {
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("findings in: {}", failed.join(", ")).into()) }
}

/// The program that changes inputs, with counters.
fn built() -> Result<PathBuf> {
    let (host, place) = (host()?, root().join("target/fuzz/build"));
    let mut build = shell::cargo();
    // With a target named, flags are for the program alone and not for what builds it.
    build.env("RUSTFLAGS", COUNTED).args(["build", "--quiet", "--locked", "--bin", "driver"]);
    build.args(["--target", &host, "--manifest-path"]).arg(root().join("fuzz/Cargo.toml"));
    shell::run(build.arg("--target-dir").arg(&place))?;
    Ok(place.join(host).join("debug").join(format!("driver{}", std::env::consts::EXE_SUFFIX)))
}

/// The platform this is, as the compiler calls it.
fn host() -> Result<String> {
    let output = shell::capture(shell::command("rustc").arg("-vV"))?;
    let told = String::from_utf8(output.stdout)?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc does not say which platform this is")?.to_owned())
}
