//! Qwen3 dense: a Llama block whose query and key heads are normalised before they are turned.
//!
//! ```text
//! h ← h + o_proj(attention(rope(q_norm(q), k_norm(k)), v))      q, k, v = {q,k,v}_proj(norm(h))
//! h ← h + down_proj(silu(gate_proj(n)) · up_proj(n))            n = norm(h)
//! ```
//!
//! The norms are over the E numbers of one head, and all heads of a kind share a gain. E is told apart
//! from D / H: heads together are wider than the model in the published sizes.
//!
//! # Source
//! Yang et al., "Qwen3 Technical Report", 2025, arXiv 2505.09388, section 2.

use super::llama::{self, feed_forward, heads, out_of_attention, path, queries_keys_values};
use crate::config::Config;
use crate::network::Network;
use penname_engine::TensorId;

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    llama::forward_through(config, net, block);
}

fn block(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let h = attention(config, net, h, layer); // (M, D)
    feed_forward(config, net, h, layer) // (M, D)
}

/// Attention of a layer with normalised heads, onto the residual stream.
pub(super) fn attention(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let qkv = queries_keys_values(config, net, h, layer); // (M, (H + 2K)·E)
    let gains = ["q_norm", "k_norm"].map(|name| format!("{}.self_attn.{name}.weight", path(layer)));
    let gains = [gains[0].as_str(), gains[1].as_str()];
    let qkv = net.norm_heads(qkv, heads(config), gains, config.norm_eps); // (M, (H + 2K)·E)
    let attended = net.attend(qkv, heads(config)); // (M, H·E)
    out_of_attention(config, net, attended, h, layer) // (M, D)
}
