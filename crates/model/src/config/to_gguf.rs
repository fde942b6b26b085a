//! A configuration as GGUF metadata, under the keys that [`super::gguf`] reads.

use super::gpt_oss::{CLAMP, MODEL_TYPE as GPT_OSS, alternating};
use super::{Config, Experts, RopeScaling, refuse};
use crate::error::Result;
use crate::weights::gguf::{Architecture, Metadata, Value};

/// Adds the keys of an architecture. The table of divisors that Llama 3's scaling becomes is a
/// tensor and not here; see [`Config::rope_divisors`].
pub(super) fn write(config: &Config, architecture: &Architecture, metadata: &mut Metadata) -> Result<()> {
    let mut add = |name: &str, value: Value| metadata.insert(format!("{}.{name}", architecture.name), value);
    let counts = [
        ("vocab_size", config.vocab_size),
        ("context_length", config.context),
        ("embedding_length", config.width),
        ("block_count", config.n_layers),
        ("feed_forward_length", config.feed_forward),
        ("attention.head_count", config.n_heads),
        ("attention.head_count_kv", config.n_kv_heads),
    ];
    for (name, count) in counts {
        add(name, Value::U32(count as u32))?;
    }
    add(architecture.norm_eps, Value::F32(config.norm_eps as f32))?;
    if config.has_learned_positions() {
        return Ok(());
    }
    for name in ["attention.key_length", "attention.value_length", "rope.dimension_count"] {
        add(name, Value::U32(config.head_width as u32))?;
    }
    add("rope.freq_base", Value::F32(config.rope_theta as f32))?;
    check_scaling(config)?;
    for (name, value) in scaling(&config.rope_scaling) {
        add(name, value)?;
    }
    let Some(experts) = &config.experts else { return Ok(()) };
    check_experts(config, experts)?;
    let counts = [
        ("expert_count", experts.count),
        ("expert_used_count", experts.per_token),
        ("expert_feed_forward_length", experts.width),
    ];
    for (name, count) in counts {
        add(name, Value::U32(count as u32))?;
    }
    match config.windows.iter().flatten().next() {
        Some(window) => add("attention.sliding_window", Value::U32(*window as u32)),
        None => Ok(()),
    }
}

/// Rules for long sequences that have a key of their own.
fn scaling(scaling: &RopeScaling) -> Vec<(&'static str, Value)> {
    let (kind, factor) = match scaling {
        RopeScaling::Linear { factor } => ("linear", *factor),
        RopeScaling::Yarn { factor, .. } => ("yarn", *factor),
        _ => return Vec::new(),
    };
    let mut keys = vec![
        ("rope.scaling.type", Value::Text(kind.to_owned())),
        ("rope.scaling.factor", Value::F32(factor as f32)),
    ];
    if let RopeScaling::Yarn { beta_fast, beta_slow, original_context, .. } = scaling {
        keys.extend([
            ("rope.scaling.original_context_length", Value::U32(*original_context as u32)),
            ("rope.scaling.yarn_beta_fast", Value::F32(*beta_fast as f32)),
            ("rope.scaling.yarn_beta_slow", Value::F32(*beta_slow as f32)),
        ]);
    }
    keys
}

/// Refuses what has no key, because the programs that read these files take it for granted.
fn check_experts(config: &Config, experts: &Experts) -> Result<()> {
    let is_gpt_oss = config.model_type == GPT_OSS;
    if !experts.renormalised {
        return Err(refuse("norm_topk_prob", false, "true, which readers of GGUF take for granted"));
    }
    if let Some(layer) = experts.dense.first() {
        return Err(refuse("mlp_only_layers", layer, "none: readers of GGUF have experts in every layer"));
    }
    if let Some(clamp) = experts.clamp.filter(|clamp| *clamp != CLAMP) {
        let expected = format!("{}, which readers of GGUF take for granted", CLAMP.limit);
        return Err(refuse("swiglu_limit", clamp.limit, &expected));
    }
    let window = config.windows.iter().flatten().next().copied();
    if is_gpt_oss && config.windows != alternating(window, config.n_layers) {
        let expected = "a window in every other layer, the first among them: readers of GGUF have no others";
        return Err(refuse("layer_types", format!("{:?}", config.windows), expected));
    }
    Ok(())
}

/// Refuses parts of YaRN that have no key.
fn check_scaling(config: &Config) -> Result<()> {
    match &config.rope_scaling {
        RopeScaling::Yarn { attention_factor: Some(factor), .. } => {
            Err(refuse("attention_factor", factor, "none: GGUF has no key for it"))
        }
        RopeScaling::Yarn { truncate, .. } if *truncate == (config.model_type == GPT_OSS) => {
            Err(refuse("truncate", truncate, &format!("{}: GGUF has no key for it", !truncate)))
        }
        _ => Ok(()),
    }
}
