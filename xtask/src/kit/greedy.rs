//! Greedy answers of the base, against those of transformers in f32.

use super::{Inputs, Verdict};
use crate::shell;

/// The example of `penname-infer` compares and says how many passed.
pub(super) fn answers(inputs: &Inputs) -> Verdict {
    let golden = inputs.kit("goldens/smollm2-greedy.json")?;
    let mut example = shell::cargo();
    example.args(["run", "--release", "--quiet", "--package", "penname-infer", "--example", "greedy", "--"]);
    let output = example.arg(inputs.base()?).arg(golden).stderr(std::process::Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.trim().lines().collect::<Vec<_>>().join("; ");
    if output.status.success() { Ok(told) } else { Err(format!("{}: {told}", output.status).into()) }
}
