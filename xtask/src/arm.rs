//! The engine's kernels for 64-bit Arm, run under an emulator on another processor.
//!
//! Needs the Rust target, a cross linker and QEMU's user mode; Debian packages the last two as
//! `gcc-aarch64-linux-gnu` and `qemu-user`. Where one is missing, the step says which and is skipped.

use std::path::Path;
use std::process::Command;

use crate::screen::say;
use crate::{Result, shell};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where the cross linker keeps the libraries that the tests load.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";
/// The instruction sets whose conformance is insisted on: an emulator without them fails.
const INSTRUCTION_SETS: [&str; 2] = ["NEON with bf16", "NEON"];

/// Runs the engine's tests, then the conformance table once for each instruction set.
pub(crate) fn run() -> Result<()> {
    if let Some(missing) = missing() {
        say(&format!("== arm skipped: {missing}"));
        return Ok(());
    }
    shell::run(&mut tests(&[]))?;
    for isa in INSTRUCTION_SETS {
        shell::run(tests(&["--test", "engine", "conformance"]).env("PENNAME_TEST_ISA", isa))?;
    }
    Ok(())
}

/// What is not installed here, if anything is.
fn missing() -> Option<String> {
    let is_here = |program: &str| shell::capture(shell::command(program).arg("--version")).is_ok();
    if !has_target() {
        return Some(format!("the Rust target {TARGET} is not installed; `rustup target add {TARGET}`"));
    }
    let program = [LINKER, EMULATOR].into_iter().find(|program| !is_here(program))?;
    Some(format!("{program} is not installed"))
}

/// Whether the standard library is here for the target.
fn has_target() -> bool {
    let asked =
        shell::capture(shell::command("rustc").args(["--print", "target-libdir", "--target", TARGET]));
    asked.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn tests(arguments: &[&str]) -> Command {
    let mut command = shell::cargo();
    command.args(["test", "--package", "penname-engine", "--target", TARGET]).args(arguments);
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    let emulator = format!("{EMULATOR} -cpu max -L {LIBRARIES}");
    command.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", emulator);
    command
}
