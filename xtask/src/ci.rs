//! What every change must pass, in order, stopping at the first failure.

use std::process::Command;

use penname_ledger::Stopwatch;

use crate::screen::say;
use crate::{Result, arm, kit, page, shell, tidy};

/// Which part is run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Leave out `cargo test`, where it has just been run.
    #[arg(long)]
    no_test: bool,
    /// Go without rustfmt and clippy where they are not installed, and say so.
    #[arg(long)]
    bare: bool,
    /// Leave out the checks on real inputs.
    #[arg(long)]
    no_kit: bool,
    /// Run the engine's tests for 64-bit Arm under an emulator as well, where it is installed.
    #[arg(long)]
    arm: bool,
}

/// The readers' workspace is not built by anything else here, and has a lock of its own.
const FUZZ: &[&str] =
    &["check", "--locked", "--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target/fuzz/check"];

type Step = (&'static str, Box<dyn Fn() -> Result<()>>);

/// Runs the steps and says how long each took.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut times = Vec::new();
    for (name, step) in steps(options) {
        say(&format!("== {name}"));
        let watch = Stopwatch::start();
        step().map_err(|failure| format!("{name} failed: {failure}"))?;
        times.push(format!("{name:<8} {:>7.1} s", watch.seconds()));
    }
    say(&format!("== passed\n{}", times.join("\n")));
    Ok(())
}

fn steps(options: &Options) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![
        ("fmt", cargo(&["fmt", "--all", "--check"])),
        ("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])),
        (
            "feature",
            cargo(&["check", "--package", "penname-engine", "--all-targets", "--features", "accelerate"]),
        ),
        ("fuzz", cargo(FUZZ)),
        ("tidy", Box::new(tidy::run)),
        ("gen", Box::new(|| page::run(&page::Options { check: true }))),
    ];
    if options.bare {
        steps.retain(|(name, _)| !["fmt", "clippy"].contains(name) || is_installed(name));
    }
    if !options.no_test {
        steps.push(("test", cargo(&["test", "--workspace"])));
    }
    steps.push(("doc", Box::new(|| shell::run(doc().env("RUSTDOCFLAGS", "-D warnings")))));
    if !options.no_kit {
        steps.push(("kit", Box::new(|| kit::run(&kit::Options::quick()))));
    }
    if options.arm {
        steps.push(("arm", Box::new(arm::run)));
    }
    steps
}

/// Whether this machine has a part of the toolchain that can be left out of it.
fn is_installed(name: &str) -> bool {
    let there = shell::capture(shell::cargo().args([name, "--version"])).is_ok();
    if !there {
        say(&format!("== {name} skipped: it is not installed here"));
    }
    there
}

fn cargo(arguments: &'static [&'static str]) -> Box<dyn Fn() -> Result<()>> {
    Box::new(move || shell::run(shell::cargo().args(arguments)))
}

fn doc() -> Command {
    let mut command = shell::cargo();
    command.args(["doc", "--workspace", "--no-deps"]);
    command
}
