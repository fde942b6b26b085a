//! gpt-oss: attention beside sinks, in a window in every other layer, and experts with clamped gates.
//!
//! ```text
//! h ← h + o_proj(attention(rope(q), rope(k), v; sinks, window))   q, k, v = {q,k,v}_proj(norm(h))
//! h ← h + Σ_c w_c · down_c((up_c(n) + 1) · g_c · σ(α g_c))         n = norm(h), c the k experts of router(n)
//! ```
//!
//! with g and up clamped, w a softmax over the chosen alone, and a bias in every map. Positions are
//! stretched by YaRN.
//!
//! # Source
//! OpenAI, "gpt-oss-120b & gpt-oss-20b Model Card", 2025, arXiv 2508.10925, section 2.

use super::llama::{self, heads, out_of_attention, path, queries_keys_values};
use crate::config::Config;
use crate::network::{Mixture, Network, Reach};
use penname_engine::TensorId;

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    llama::forward_through(config, net, block);
}

fn block(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let path = path(layer);
    let qkv = queries_keys_values(config, net, h, layer); // (M, (H + 2K)·E)
    let reach = Reach { window: config.window(layer), sinks: Some(format!("{path}.self_attn.sinks")) };
    let attended = net.attend_within(qkv, heads(config), reach); // (M, H·E)
    let h = out_of_attention(config, net, attended, h, layer); // (M, D)

    let n = net.rms_norm(h, &format!("{path}.post_attention_layernorm.weight"), config.norm_eps); // (M, D)
    let Some(experts) = &config.experts else { return h };
    let mixture = Mixture {
        router: format!("{path}.mlp.router"),
        experts: format!("{path}.mlp.experts"),
        bias: true,
        interleaved: true,
        turned: true,
    };
    net.mixture(n, h, &mixture, experts) // (M, D)
}
