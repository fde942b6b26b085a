//! What leaves is the same model where it arrives: a voice in transformers, PEFT and llama.cpp, and
//! models of random weights, GPT-2 of the usual size and mixtures of experts among them.
//!
//! `penname export --verify` does the comparing; here are a real voice and real sizes for it.

use std::path::PathBuf;

use penname_ledger::write;
use serde_json::Value;

use super::voice::begun;
use super::{Inputs, Verdict, random};
use crate::{Result, root};

/// Each way out, and how numbers are stored there.
const WAYS: [(&str, &str); 4] = [("peft", "f32"), ("merged", "f32"), ("gguf", "f32"), ("gguf-lora", "f32")];

/// SmolLM2, tuned on a columnist's book. Ten steps are a short run: what is asked is whether the voice is the
/// same everywhere, and these move it by nats, not whether it is a good one.
pub(super) fn voice(inputs: &Inputs) -> Verdict {
    let python = inputs.python()?;
    let folder = fresh("export-voice")?;
    let settings = "train: {steps: 10, evaluate_every: 10, patience: 0, learning_rate: 5e-4, \
                    batch_examples: 4, batch_tokens: 1024}\n";
    let project = begun(inputs, &folder, "text/chavasse", settings)?;
    for verb in ["prepare", "train"] {
        crate::shell::capture(inputs.program(&folder, &[verb, "--offline", "--project"])?.arg(&project))?;
    }
    let mut told = Vec::new();
    for (format, storage) in WAYS {
        let arguments =
            ["export", format, "--storage", storage, "--json", "--offline", "--verify", "--python"];
        let mut command = inputs.program(&folder, &arguments)?;
        let said = crate::shell::capture(command.arg(python).arg("--project").arg(&project))?;
        told.push(format!("{format}: {}", verdict(&said.stdout)?));
    }
    write::remove_folder(&folder)?;
    Ok(told.join("; "))
}

/// A GPT-2 of 124 million random weights with random pairs beside them.
pub(super) fn gpt2(inputs: &Inputs) -> Verdict {
    let model = random::gpt2();
    every_way(inputs, &model, "goldens/ggml-vocab-gpt-2.gguf", &["peft", "gguf-lora"])
}

/// Small mixtures of experts with random pairs beside their attention.
pub(super) fn experts(inputs: &Inputs) -> Verdict {
    let formats = ["peft", "merged", "gguf", "gguf-lora"];
    let mut told = Vec::new();
    for model in [random::qwen3_moe(), random::gpt_oss()] {
        let name = model.config.model_type.clone();
        told.push(format!(
            "{name}: {}",
            every_way(inputs, &model, "goldens/ggml-vocab-qwen2.gguf", &formats)?
        ));
    }
    Ok(told.join("; "))
}

/// A random model and an adapter for it, exported to each format and asked about there.
fn every_way(inputs: &Inputs, model: &random::Model, vocabulary: &str, formats: &[&str]) -> Verdict {
    let (python, vocabulary) = (inputs.python()?, inputs.kit(vocabulary)?);
    let folder = fresh(&format!("export-{}", model.config.model_type))?;
    let (base, adapter) = (folder.join("base"), folder.join("adapter"));
    random::write_base(model, &base, &vocabulary)?;
    random::write_pairs(model, &adapter)?;
    let mut told = Vec::new();
    for format in formats {
        let arguments = ["export", format, "--json", "--offline", "--storage", "f32", "--verify", "--python"];
        let mut command = inputs.program(&folder, &arguments)?;
        command.arg(python).arg("--base").arg(&base).arg("--adapter").arg(&adapter);
        command.args(["--set", "template=question-answer", "--to", format]);
        told.push(format!("{format}: {}", verdict(&crate::shell::capture(&mut command)?.stdout)?));
    }
    write::remove_folder(&folder)?;
    Ok(told.join("; "))
}

/// An adapter that changes nothing must not pass for one that is read.
pub(super) fn silent(inputs: &Inputs) -> Verdict {
    let python = inputs.python()?;
    let vocabulary = inputs.kit("goldens/ggml-vocab-qwen2.gguf")?;
    let model = random::Model { b: 0.0, ..random::qwen3_moe() };
    let folder = fresh("export-silent")?;
    let (base, adapter) = (folder.join("base"), folder.join("adapter"));
    random::write_base(&model, &base, &vocabulary)?;
    random::write_pairs(&model, &adapter)?;
    for format in ["peft", "merged", "gguf", "gguf-lora"] {
        let arguments = ["export", format, "--offline", "--storage", "f32", "--verify", "--python"];
        let mut command = inputs.program(&folder, &arguments)?;
        command.arg(python).arg("--base").arg(&base).arg("--adapter").arg(&adapter);
        let output = command.args(["--set", "template=question-answer", "--to", format]).output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        if output.status.success() || !told.contains("the adapter changes nothing") {
            return Err(format!("{format}: {}, {}", output.status, told.trim()).into());
        }
        if folder.join(format).exists() {
            return Err(format!("{format} was put in place").into());
        }
    }
    write::remove_folder(&folder)?;
    Ok("transformers, PEFT and llama.cpp: told, and nothing put in place".to_owned())
}

/// An empty folder; what a run that was stopped has left is gone.
fn fresh(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/kit").join(name);
    if folder.exists() {
        write::remove_folder(&folder)?;
    }
    write::folder(&folder)?;
    Ok(folder)
}

/// What the other program was found to do, from the result of an export.
fn verdict(stdout: &[u8]) -> Result<String> {
    let text = String::from_utf8_lossy(stdout);
    let objects = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let result = objects.into_iter().find(|object| object["event"] == "result").ok_or("no result")?;
    let verified = &result["value"]["verified"];
    let number = |name: &str| verified[name].as_u64().ok_or_else(|| format!("no `{name}` in {result}"));
    let nats = verified["max_nats"].as_f64().ok_or("no distance")?;
    let parted: Vec<String> = verified["differences"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|part| {
            format!(
                "{} | {} ({:.4} nats)",
                part["ours"],
                part["theirs"],
                part["gap_nats"].as_f64().unwrap_or(f64::NAN)
            )
        })
        .collect();
    let parted = if parted.is_empty() { String::new() } else { format!(", parted at {}", parted.join(", ")) };
    Ok(format!(
        "{} of {} answers the same, {nats:.1e} nats{parted}",
        number("n_equal")?,
        number("n_requests")?
    ))
}
