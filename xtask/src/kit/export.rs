//! What leaves is the same model where it arrives: a voice in transformers, PEFT and llama.cpp, and a
//! random GPT-2 of the usual size.
//!
//! `penname export --verify` does the comparing; here are a real voice and real sizes for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penname_engine::{Extent, Precision};
use penname_ledger::{Seed, write};
use penname_model::peft::{AdapterConfig, save_adapter};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Config, Method, Network, Purpose, RopeScaling, Setup, Storage, build};
use serde_json::Value;

use super::voice::{begun, program};
use super::{Inputs, Verdict, tokens};
use crate::{Result, pair, root};

/// Each way out, and how numbers are stored there.
const WAYS: [(&str, &str); 4] = [("peft", "f32"), ("merged", "f32"), ("gguf", "f32"), ("gguf-lora", "f32")];

/// SmolLM2, tuned on a columnist's book for a few steps.
pub(super) fn voice(inputs: &Inputs) -> Verdict {
    let python = inputs.python()?;
    let folder = fresh("export-voice")?;
    let settings = "train: {steps: 24, evaluate_every: 12, patience: 0}\n";
    let project = begun(&folder, &inputs.kit("text/chavasse")?, inputs.base()?, settings)?;
    for verb in ["prepare", "train"] {
        crate::shell::capture(program(&folder, &[verb, "--offline", "--project"]).arg(&project))?;
    }
    let mut told = Vec::new();
    for (format, storage) in WAYS {
        let arguments =
            ["export", format, "--storage", storage, "--json", "--offline", "--verify", "--python"];
        let mut command = program(&folder, &arguments);
        let said = crate::shell::capture(command.arg(python).arg("--project").arg(&project))?;
        told.push(format!("{format}: {}", verdict(&said.stdout)?));
    }
    write::remove_folder(&folder)?;
    Ok(told.join("; "))
}

/// A GPT-2 of 124 million random weights with random pairs beside them.
pub(super) fn gpt2(inputs: &Inputs) -> Verdict {
    let python = inputs.python()?;
    let vocabulary = inputs.kit("goldens/ggml-vocab-gpt-2.gguf")?;
    let folder = fresh("export-gpt2")?;
    let (base, adapter) = (folder.join("base"), folder.join("adapter"));
    write_gpt2(&base, &vocabulary)?;
    write_pairs(&adapter)?;
    let mut told = Vec::new();
    for format in ["peft", "gguf-lora"] {
        let mut command =
            program(&folder, &["export", format, "--json", "--offline", "--verify", "--python"]);
        command.arg(python).arg("--base").arg(&base).arg("--adapter").arg(&adapter);
        let said =
            crate::shell::capture(command.args(["--set", "template=question-answer", "--to", format]))?;
        told.push(format!("{format}: {}", verdict(&said.stdout)?));
    }
    write::remove_folder(&folder)?;
    Ok(told.join("; "))
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

/// The sizes of GPT-2's smallest.
fn gpt2_config() -> Config {
    Config {
        model_type: "gpt2".to_owned(),
        vocab_size: 50_257,
        width: 768,
        n_layers: 12,
        n_heads: 12,
        n_kv_heads: 12,
        head_width: 64,
        feed_forward: 3072,
        context: 1024,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        tied: true,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        bos: vec![50_256],
        eos: vec![50_256],
        experts: None,
        windows: Vec::new(),
    }
}

fn network(config: &Config, method: Method) -> Result<Network> {
    let capacity = Extent { tokens: 1, picked: 1 };
    Ok(build(config, &Setup { method, precision: Precision::F32, capacity, purpose: Purpose::Loss })?)
}

fn write_gpt2(dir: &Path, vocabulary: &Path) -> Result<()> {
    write::folder(dir)?;
    let config = gpt2_config();
    let tokenizer = tokens::tokenizer(vocabulary)?;
    write::bytes(&dir.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    write::bytes(&dir.join("tokenizer_config.json"), tokenizer.to_config_json(None)?.as_bytes())?;
    write::json(&dir.join("config.json"), &config.to_hf_json(Storage::F32))?;
    let network = network(&config, Method::Frozen)?;
    let mut weights = Vec::new();
    for parameter in &network.parameters {
        let mut stream = Seed(1).stream(&parameter.name);
        let is_gain = parameter.name.contains("ln_") && parameter.name.ends_with("weight");
        // Wider than a fresh model, so that its choices are not all ties.
        let value = |_| if is_gain { 1.0 } else { 0.08 * stream.normal() as f32 };
        let values: Vec<f32> = (0..parameter.shape.iter().product()).map(value).collect();
        let mut shape = parameter.shape.clone();
        if parameter.turned {
            shape.reverse();
        }
        weights.push((parameter.name.clone(), shape, values));
    }
    let outgoing = weights.iter().map(|(name, shape, values)| {
        Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, values)
    });
    Ok(write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new())?)
}

fn write_pairs(dir: &Path) -> Result<()> {
    let targets = ["c_attn", "c_proj", "c_fc"].map(str::to_owned);
    let settings = AdapterConfig { fan_in_fan_out: true, ..AdapterConfig::new(8, 16.0, targets) };
    let network = network(&gpt2_config(), Method::LowRank(settings.clone()))?;
    let pairs =
        network.pairs.iter().map(|slot| (slot.module.clone(), pair::draw(&network, slot, Seed(2), 0.05)));
    save_adapter(dir, &settings, &pairs.collect())?;
    Ok(())
}
