//! Qwen3-MoE: Qwen3's attention, and experts in the place of the feed-forward part.
//!
//! ```text
//! h ← h + o_proj(attention(rope(q_norm(q), k_norm(k)), v))      q, k, v = {q,k,v}_proj(norm(h))
//! h ← h + Σ_c w_c · down_c(silu(gate_c(n)) · up_c(n))           n = norm(h), c the k experts of gate(n)
//! ```
//!
//! The weights w are a softmax of the router's logits over all experts, divided by the sum of those
//! chosen where `norm_topk_prob` says so. Layers of `mlp_only_layers`, and those a sparse step leaves
//! out, have an ordinary feed-forward part.
//!
//! # Source
//! Yang et al., "Qwen3 Technical Report", 2025, arXiv 2505.09388, section 2.

use super::llama::{self, feed_forward, path};
use super::qwen3::attention;
use crate::config::Config;
use crate::network::{Mixture, Network};
use penname_engine::TensorId;

/// The linears of its attention: what LoRA adapts by default. Experts are adapted by choice.
pub(super) const LINEARS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "o_proj"];

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    llama::forward_through(config, net, block);
}

fn block(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let h = attention(config, net, h, layer); // (M, D)
    let Some(experts) = config.experts.as_ref().filter(|experts| experts.are_in(layer)) else {
        return feed_forward(config, net, h, layer); // (M, D)
    };
    let path = path(layer);
    let n = net.rms_norm(h, &format!("{path}.post_attention_layernorm.weight"), config.norm_eps); // (M, D)
    let mixture = Mixture {
        router: format!("{path}.mlp.gate"),
        experts: format!("{path}.mlp.experts"),
        bias: false,
        interleaved: false,
        turned: false,
    };
    net.mixture(n, h, &mixture, experts) // (M, D)
}
