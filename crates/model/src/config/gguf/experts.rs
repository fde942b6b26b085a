//! What GGUF metadata say of architectures with experts.

use super::Keys;
use crate::config::Experts;
use crate::config::gpt_oss::{CLAMP, alternating};
use crate::error::Result;
use crate::weights::gguf::GgufTensor;

/// Layers without a tensor of experts have an ordinary feed-forward part. What programs that run these
/// files take for granted is not in them: weights of the chosen sum to one, and gates of gpt-oss are
/// clamped as it was published.
pub(super) fn read(keys: &Keys<'_>, tensors: &[GgufTensor], is_gpt_oss: bool) -> Result<Experts> {
    let n_layers = keys.required_count("block_count")?;
    let has_experts = |layer: &usize| {
        let name = format!("blk.{layer}.ffn_gate_exps.weight");
        tensors.iter().any(|tensor| tensor.name == name)
    };
    Ok(Experts {
        count: keys.required_count("expert_count")?,
        per_token: keys.required_count("expert_used_count")?,
        width: keys.required_count("expert_feed_forward_length")?,
        renormalised: true,
        // A file cannot have more layers with tensors than tensors.
        dense: (0..n_layers.min(tensors.len())).filter(|layer| !has_experts(layer)).collect(),
        clamp: is_gpt_oss.then_some(CLAMP),
    })
}

/// The window of gpt-oss slides in every other layer.
pub(super) fn windows(keys: &Keys<'_>) -> Result<Vec<Option<usize>>> {
    Ok(alternating(keys.count("attention.sliding_window")?, keys.required_count("block_count")?))
}
