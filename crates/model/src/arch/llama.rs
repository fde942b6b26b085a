//! Llama, and the models that are one under another name: SmolLM2, TinyLlama, Mistral without a window.
//!
//! ```text
//! h ← h + o_proj(attention(rope(q, k), v))      q, k, v = {q,k,v}_proj(norm(h))
//! h ← h + down_proj(silu(gate_proj(n)) · up_proj(n))      n = norm(h)
//! ```
//!
//! After the last attention only the rows with a result go on. Qwen2 is this block with a bias on
//! queries, keys and values; other architectures put their blocks together from the parts below.
//!
//! # Source
//! Touvron et al., "LLaMA", 2023, arXiv 2302.13971, section 2.2; grouped heads
//! from "Llama 2", 2023, arXiv 2307.09288.

use crate::config::Config;
use crate::network::{LinearSpec, Network};
use penname_engine::TensorId;
use penname_engine::op::Heads;

/// What a layer adds to the residual stream (M, D).
pub(super) type Block = fn(&Config, &mut Network, TensorId, usize) -> TensorId;

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    forward_through(config, net, block);
}

/// Adds a forward pass through blocks of another kind, between Llama's embedding and head.
pub(super) fn forward_through(config: &Config, net: &mut Network, block: Block) {
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
    let qkv = queries_keys_values(config, net, h, layer); // (M, (H + 2K)·E)
    let attended = net.attend(qkv, heads(config)); // (M, H·E)
    let h = out_of_attention(config, net, attended, h, layer); // (M, D)
    feed_forward(config, net, h, layer) // (M, D)
}

/// Where a layer's parameters are.
pub(super) fn path(layer: usize) -> String {
    format!("model.layers.{layer}")
}

pub(super) fn heads(config: &Config) -> Heads {
    Heads { query: config.n_heads, kv: config.n_kv_heads, width: config.head_width }
}

fn linear(layer: usize, name: &str, outputs: usize, bias: bool) -> LinearSpec {
    LinearSpec { module: format!("{}.{name}", path(layer)), outputs, bias }
}

/// The norm and the three maps into attention.
pub(super) fn queries_keys_values(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let (heads, bias) = (heads(config), config.qkv_bias);
    let n = net.rms_norm(h, &format!("{}.input_layernorm.weight", path(layer)), config.norm_eps); // (M, D)
    let qkv = [
        linear(layer, "self_attn.q_proj", heads.query_cols(), bias),
        linear(layer, "self_attn.k_proj", heads.kv_cols(), bias),
        linear(layer, "self_attn.v_proj", heads.kv_cols(), bias),
    ];
    net.linears(n, "qkv", &qkv) // (M, (H + 2K)·E)
}

/// The map out of attention, onto the residual stream; in the last layer of picked rows only.
pub(super) fn out_of_attention(
    config: &Config,
    net: &mut Network,
    attended: TensorId,
    h: TensorId,
    layer: usize,
) -> TensorId {
    let is_last = layer + 1 == config.n_layers;
    let (attended, h) = if is_last { (net.pick(attended), net.pick(h)) } else { (attended, h) };
    net.linear_onto(attended, &linear(layer, "self_attn.o_proj", config.width, config.output_bias), h) // (M, D)
}

/// The norm and the gated feed-forward part, onto the residual stream.
pub(super) fn feed_forward(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let n = net.rms_norm(h, &format!("{}.post_attention_layernorm.weight", path(layer)), config.norm_eps); // (M, D)
    let gate_up = [
        linear(layer, "mlp.gate_proj", config.feed_forward, config.mlp_bias),
        linear(layer, "mlp.up_proj", config.feed_forward, config.mlp_bias),
    ];
    let gate_up = net.linears(n, "gate_up", &gate_up); // (M, 2F)
    let activated = net.swiglu(gate_up); // (M, F)
    net.linear_onto(activated, &linear(layer, "mlp.down_proj", config.width, config.mlp_bias), h) // (M, D)
}
