//! Llama, and the models that share its block: SmolLM2, TinyLlama, stories260K.
//!
//! ```text
//! h ← h + o_proj(attention(rope(q, k), v))      q, k, v = {q,k,v}_proj(norm(h))
//! h ← h + down_proj(silu(gate_proj(n)) · up_proj(n))      n = norm(h)
//! ```
//!
//! After the last attention only the rows with a result go on.
//!
//! # Source
//! Touvron et al., "LLaMA", 2023, arXiv 2302.13971, section 2.2; grouped heads
//! from "Llama 2", 2023, arXiv 2307.09288.

use crate::config::Config;
use crate::network::{LinearSpec, Network};
use penname_engine::TensorId;
use penname_engine::op::Heads;

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    let mut h = net.embed("model.embed_tokens.weight", config.vocab_size, config.width); // (M, D)
    for layer in 0..config.n_layers {
        net.enter_block(Some(layer));
        h = block(config, net, h, layer);
    }
    net.enter_block(None);
    let head = if config.tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
    let h = net.pick(h); // (picked, D)
    let n = net.rms_norm(h, "model.norm.weight", config.norm_eps); // (picked, D)
    net.head(n, head, config.vocab_size);
}

fn block(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let path = format!("model.layers.{layer}");
    let heads = Heads { query: config.n_heads, kv: config.n_kv_heads, width: config.head_width };
    let linear = |name: &str, outputs, bias| LinearSpec { module: format!("{path}.{name}"), outputs, bias };

    let n = net.rms_norm(h, &format!("{path}.input_layernorm.weight"), config.norm_eps); // (M, D)
    let qkv = [
        linear("self_attn.q_proj", heads.query_cols(), config.qkv_bias),
        linear("self_attn.k_proj", heads.kv_cols(), config.qkv_bias),
        linear("self_attn.v_proj", heads.kv_cols(), config.qkv_bias),
    ];
    let qkv = net.linears(n, "qkv", &qkv); // (M, (H + 2K)·E)
    let attended = net.attend(qkv, heads); // (M, H·E)
    let is_last = layer + 1 == config.n_layers;
    let (attended, h) = if is_last { (net.pick(attended), net.pick(h)) } else { (attended, h) };
    let h = net.linear_onto(attended, &linear("self_attn.o_proj", config.width, config.output_bias), h); // (M, D)

    let n = net.rms_norm(h, &format!("{path}.post_attention_layernorm.weight"), config.norm_eps); // (M, D)
    let gate_up = [
        linear("mlp.gate_proj", config.feed_forward, config.mlp_bias),
        linear("mlp.up_proj", config.feed_forward, config.mlp_bias),
    ];
    let gate_up = net.linears(n, "gate_up", &gate_up); // (M, 2F)
    let activated = net.swiglu(gate_up); // (M, F)
    net.linear_onto(activated, &linear("mlp.down_proj", config.width, config.mlp_bias), h) // (M, D)
}
