//! Other programs, run from the root of the checkout.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};

use crate::{Result, root};

/// A command in the root of the checkout, with nothing to read.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this program, or whichever is first in the path.
pub(crate) fn cargo() -> Command {
    command(option_env!("CARGO").filter(|path| std::path::Path::new(path).exists()).unwrap_or("cargo"))
}

/// Runs a command whose output goes to the screen.
///
/// # Errors
/// When it cannot be started or fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().map_err(|error| format!("`{line}` cannot be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed: {status}").into()) }
}

/// Runs a command and hands back what it printed.
///
/// # Errors
/// When it cannot be started or fails; the message closes with the last lines of its complaints.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    let line = shown(command);
    let output = command.output().map_err(|error| format!("`{line}` cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = told.lines().rev().take(12).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("`{line}` failed: {}\n{}", output.status, last.join("\n")).into())
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let quoted = words.map(|word| {
        let word = word.to_string_lossy();
        if word.contains(' ') { format!("'{word}'") } else { word.into_owned() }
    });
    quoted.collect::<Vec<_>>().join(" ")
}
