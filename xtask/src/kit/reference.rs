//! The base against transformers and PEFT in f32. `golden/peft/reference.py` is the other side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use penname_ledger::write;
use penname_model::Checkpoint;
use penname_model::adapter::ALL_LINEARS;
use penname_model::peft::{AdapterConfig, load_adapter, save_adapter};
use serde_json::json;

use super::{Inputs, Stop, Verdict, model, tokens};
use crate::bench::peers;
use crate::{Result, root, shell};

/// Two programs that round in another order keep their logits this close.
const LOGITS: f32 = 2e-3;
/// And their losses, as a share.
const LOSSES: f64 = 3e-3;
const LEARNING_RATE: f64 = 1e-3;
const N_STEPS: u64 = 20;

/// Both sides of a comparison.
struct Sides<'a> {
    base: &'a Path,
    python: &'a Path,
    /// The base as the other side reads it.
    folder: PathBuf,
    /// Files that go from one to the other.
    work: PathBuf,
    text: PathBuf,
}

impl<'a> Sides<'a> {
    fn new(inputs: &'a Inputs) -> std::result::Result<Self, Stop> {
        let (base, python) = (inputs.base()?, inputs.python()?);
        let text = inputs.kit("text/chavasse/advice-to-a-mother.txt")?;
        let folder = peers::converted(python, base)?;
        let work = root().join("target/kit/reference");
        write::folder(&work)?;
        Ok(Self { base, python, folder, work, text })
    }

    /// `n` stretches of `len` ids, far from each other in a real book.
    fn documents(&self, n: usize, len: usize) -> Result<Vec<Vec<u32>>> {
        let text = String::from_utf8_lossy(&fs::read(&self.text)?).into_owned();
        let ids = tokens::tokenizer(self.base)?.encode(&text)?;
        let documents: Vec<Vec<u32>> =
            ids.chunks(ids.len() / n).take(n).map(|part| part[..len].to_vec()).collect();
        write::json(&self.work.join("ids.json"), &documents)?;
        Ok(documents)
    }

    fn script(&self, task: &str) -> Command {
        let mut command = shell::command(self.python);
        command.arg("golden/peft/reference.py").arg(task).arg(&self.folder);
        command
    }

    /// Compares the logits of some documents, with an adapter or without.
    fn compare_logits(
        &self,
        adapter: Option<(&Path, &model::Adapter)>,
        n: usize,
        len: usize,
    ) -> Result<String> {
        let documents = self.documents(n, len)?;
        let out = self.work.join("logits.safetensors");
        let mut script = self.script("logits");
        script.arg(self.work.join("ids.json")).arg(&out);
        shell::capture(script.args(adapter.map(|(folder, _)| folder)))?;
        let expected = Checkpoint::open(&out)?;
        let found = model::logits(self.base, adapter.map(|(_, adapter)| adapter), &documents)?;
        let mut worst = 0.0_f32;
        for (idx, found) in found.iter().enumerate() {
            let mut expected_values = Vec::new();
            expected.read_f32(&idx.to_string(), &mut expected_values)?;
            worst = worst.max(distance(found, &expected_values)?);
        }
        write::remove_file(&out)?;
        let told = format!("{n} prompts of {len} tokens, logits at most {worst:.1e} apart");
        if worst <= LOGITS { Ok(told) } else { Err(format!("{told}, expected {LOGITS:.0e}").into()) }
    }
}

/// The largest difference; numbers that are none are infinitely far apart.
fn distance(a: &[f32], b: &[f32]) -> Result<f32> {
    if a.len() != b.len() {
        return Err(format!("{} logits, expected {}", a.len(), b.len()).into());
    }
    let apart = |(a, b): (&f32, &f32)| if (a - b).is_finite() { (a - b).abs() } else { f32::INFINITY };
    Ok(a.iter().zip(b).map(apart).fold(0.0, f32::max))
}

fn settings(rank: usize, alpha: f64) -> AdapterConfig {
    AdapterConfig::new(rank, alpha, ALL_LINEARS.map(str::to_owned))
}

/// Five prompts of the bare base.
pub(super) fn logits(inputs: &Inputs) -> Verdict {
    Ok(Sides::new(inputs)?.compare_logits(None, 5, 220)?)
}

/// Twenty steps of LoRA from the same beginning.
pub(super) fn losses(inputs: &Inputs) -> Verdict {
    let sides = Sides::new(inputs)?;
    let adapter = model::adapter(sides.base, &settings(16, 32.0), 0.0)?;
    let (folder, plan, out) =
        (sides.work.join("first"), sides.work.join("plan.json"), sides.work.join("losses.json"));
    save_adapter(&folder, &adapter.0, &adapter.1)?;
    let documents = sides.documents(4, 64)?;
    write::json(&plan, &json!({ "documents": documents, "learning_rate": LEARNING_RATE, "steps": N_STEPS }))?;
    shell::capture(sides.script("losses").arg(&plan).arg(&folder).arg(&out))?;
    let expected: Vec<f64> = serde_json::from_slice(&fs::read(&out)?)?;
    let found = model::losses(sides.base, &adapter, &documents, LEARNING_RATE, N_STEPS)?;
    let off = found.iter().zip(&expected).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
    let (first, last) =
        (found.first().copied().unwrap_or(f64::NAN), found.last().copied().unwrap_or(f64::NAN));
    let told =
        format!("{} losses from {first:.4} to {last:.4}, at most {:.3} % apart", found.len(), 100.0 * off);
    let right = found.len() == expected.len() && off <= LOSSES && last < first;
    if right { Ok(told) } else { Err(format!("{told}, expected {} %", 100.0 * LOSSES).into()) }
}

/// An adapter of ours, B not zero, does the same over there.
pub(super) fn ours_there(inputs: &Inputs) -> Verdict {
    let sides = Sides::new(inputs)?;
    let adapter = model::adapter(sides.base, &settings(16, 32.0), 0.02)?;
    let folder = sides.work.join("ours");
    save_adapter(&folder, &adapter.0, &adapter.1)?;
    Ok(sides.compare_logits(Some((&folder, &adapter)), 2, 100)?)
}

/// An adapter of theirs does the same here.
pub(super) fn theirs_here(inputs: &Inputs) -> Verdict {
    let sides = Sides::new(inputs)?;
    let folder = sides.work.join("theirs");
    shell::capture(sides.script("adapter").arg(&folder))?;
    let adapter = load_adapter(&folder)?;
    Ok(sides.compare_logits(Some((&folder, &adapter)), 2, 100)?)
}
