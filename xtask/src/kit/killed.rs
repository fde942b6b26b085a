//! Killed runs of the real program on the real base.

use std::process::Stdio;

use super::{Inputs, Verdict};
use crate::shell;

/// The test of the program, which runs everywhere on a tiny base, on the real one.
pub(super) fn resumed(inputs: &Inputs) -> Verdict {
    let mut test = shell::cargo();
    test.args(["test", "--release", "--quiet", "--package", "penname", "--test", "cli", "--"]);
    test.args(["killed", "--nocapture"]).env("PENNAME_TEST_BASE", inputs.base()?);
    let output = test.stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let kills: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("kill ")).collect();
    if !output.status.success() {
        return Err(format!("{}: {}", output.status, text.trim()).into());
    }
    if kills.is_empty() {
        return Err("the test was not run".into());
    }
    Ok(format!("killed {} times, the weights of a run that was not", kills.len()))
}
