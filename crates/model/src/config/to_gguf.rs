//! A configuration as GGUF metadata, under the keys that [`super::gguf`] reads.

use super::{Config, RopeScaling};
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
    if let RopeScaling::Linear { factor } = config.rope_scaling {
        add("rope.scaling.type", Value::Text("linear".to_owned()))?;
        add("rope.scaling.factor", Value::F32(factor as f32))?;
    }
    Ok(())
}
