//! Models of random weights, as their publishers would lay them out, with random adapters: whether a
//! program computes the same can be seen on numbers that mean nothing.

use std::collections::BTreeMap;
use std::path::Path;

use penname_engine::{Extent, Precision};
use penname_ledger::{Seed, write};
use penname_model::config::{Clamp, Experts};
use penname_model::network::Parameter;
use penname_model::peft::{AdapterConfig, save_adapter};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Config, Method, Network, Purpose, RopeScaling, Setup, Storage, build};

use super::tokens;
use crate::{Result, pair};

/// A model to be drawn.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) config: Config,
    /// Linears with a pair beside them.
    pub(super) targets: &'static [&'static str],
    /// Whether their weights are published as (in, out).
    pub(super) turned: bool,
    /// How far the numbers of B are from zero, at most.
    pub(super) b: f32,
}

const ATTENTION: &[&str] = &["q_proj", "k_proj", "v_proj", "o_proj"];

/// The sizes of GPT-2's smallest.
pub(super) fn gpt2() -> Model {
    let config = Config {
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
        tied: true,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        bos: vec![50_256],
        eos: vec![50_256],
        ..plain()
    };
    Model { config, targets: &["c_attn", "c_proj", "c_fc"], turned: true, b: 0.05 }
}

/// Two layers of Qwen3-MoE.
pub(super) fn qwen3_moe() -> Model {
    let experts =
        Experts { count: 8, per_token: 2, width: 96, renormalised: true, dense: Vec::new(), clamp: None };
    let config = Config { model_type: "qwen3_moe".to_owned(), experts: Some(experts), ..plain() };
    Model { config, targets: ATTENTION, turned: false, b: 0.2 }
}

/// Two layers of gpt-oss, one of which sees a window.
pub(super) fn gpt_oss() -> Model {
    let clamp = Some(Clamp { alpha: 1.702, limit: 7.0 });
    let experts = Experts { count: 4, per_token: 2, width: 96, renormalised: true, dense: Vec::new(), clamp };
    let rope_scaling = RopeScaling::Yarn {
        factor: 32.0,
        beta_fast: 32.0,
        beta_slow: 1.0,
        original_context: 4096,
        truncate: false,
        attention_factor: None,
    };
    let config = Config {
        model_type: "gpt_oss".to_owned(),
        feed_forward: 96,
        rope_theta: 150_000.0,
        rope_scaling,
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        experts: Some(experts),
        windows: vec![Some(16), None],
        ..plain()
    };
    Model { config, targets: ATTENTION, turned: false, b: 0.2 }
}

/// What small models have in common.
fn plain() -> Config {
    Config {
        model_type: String::new(),
        vocab_size: 151_936,
        width: 64,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        head_width: 32,
        feed_forward: 128,
        context: 512,
        norm_eps: 1e-6,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        tied: false,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        bos: vec![151_643],
        eos: vec![151_643],
        experts: None,
        windows: Vec::new(),
    }
}

fn network(config: &Config, method: Method) -> Result<Network> {
    let capacity = Extent { tokens: 1, picked: 1 };
    Ok(build(config, &Setup { method, precision: Precision::F32, capacity, purpose: Purpose::Loss })?)
}

/// Writes the model, with the tokenizer of a GGUF file, into a folder.
pub(super) fn write_base(model: &Model, dir: &Path, vocabulary: &Path) -> Result<()> {
    write::folder(dir)?;
    let tokenizer = tokens::tokenizer(vocabulary)?;
    write::bytes(&dir.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    write::bytes(&dir.join("tokenizer_config.json"), tokenizer.to_config_json(None)?.as_bytes())?;
    write::json(&dir.join("config.json"), &model.config.to_hf_json(Storage::F32))?;
    let network = network(&model.config, Method::Frozen)?;
    let weights: Vec<_> = network.parameters.iter().flat_map(published).collect();
    let weights: Vec<_> =
        weights.into_iter().map(|(name, shape)| (draw(&name, &shape), name, shape)).collect();
    let outgoing = weights.iter().map(|(values, name, shape)| {
        Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, values)
    });
    Ok(write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new())?)
}

/// The tensors a parameter is published as.
fn published(parameter: &Parameter) -> Vec<(String, Vec<usize>)> {
    let Parameter { name, shape, turned, fused, .. } = parameter;
    let mut shape = shape.clone();
    match fused {
        Some(fused) if shape.len() == 3 && !fused.turned => {
            let module = name.rsplit_once('.').map_or("", |(module, _)| module);
            let shape = vec![shape[1] / fused.parts.len(), shape[2]];
            let of = |(expert, part)| (format!("{module}.{expert}.{part}.weight"), shape.clone());
            let experts = 0..fused.experts;
            experts.flat_map(|expert| fused.parts.iter().map(move |part| (expert, part))).map(of).collect()
        }
        Some(fused) if shape.len() == 3 && fused.turned => {
            shape.swap(1, 2);
            vec![(name.clone(), shape)]
        }
        _ => {
            if *turned {
                shape.reverse();
            }
            vec![(name.clone(), shape)]
        }
    }
}

/// Numbers wider than those of a fresh model, so that its choices are not all ties.
fn draw(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut stream = Seed(1).stream(name);
    let is_gain = shape.len() == 1 && name.ends_with("weight");
    let width = shape.last().copied().unwrap_or(1).min(768) as f32;
    // Rows as long whatever the width: 0.08 at the width of GPT-2's smallest.
    let deviation = 0.08 * (768.0 / width).sqrt();
    let value = |_| if is_gain { 1.0 } else { deviation * stream.normal() as f32 };
    (0..shape.iter().product()).map(value).collect()
}

/// Writes an adapter for it, as PEFT would.
pub(super) fn write_pairs(model: &Model, dir: &Path) -> Result<()> {
    let targets = model.targets.iter().map(|target| (*target).to_owned());
    let settings = AdapterConfig { fan_in_fan_out: model.turned, ..AdapterConfig::new(8, 16.0, targets) };
    let network = network(&model.config, Method::LowRank(settings.clone()))?;
    let pairs =
        network.pairs.iter().map(|slot| (slot.module.clone(), pair::draw(&network, slot, Seed(2), model.b)));
    save_adapter(dir, &settings, &pairs.collect())?;
    Ok(())
}
