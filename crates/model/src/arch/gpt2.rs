//! GPT-2.
//!
//! ```text
//! h ← wte[token] + wpe[position]
//! h ← h + c_proj(attention(q, k, v))      q, k, v = c_attn(ln_1(h))
//! h ← h + c_proj(gelu(c_fc(ln_2(h))))
//! ```
//!
//! Every linear has a bias, the head is the token embedding, and positions are rows of a table:
//! there are no angles, and no position beyond the table.
//!
//! # Source
//! Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3.

use crate::config::Config;
use crate::network::{LinearSpec, Network};
use penname_engine::TensorId;
use penname_engine::op::Heads;

/// The linears of a block; both `c_proj` are meant by the one name.
pub(super) const LINEARS: [&str; 3] = ["c_attn", "c_proj", "c_fc"];

const TOKENS: &str = "transformer.wte.weight";
const POSITIONS: &str = "transformer.wpe.weight";

/// Adds the forward pass, embedding to result.
pub(super) fn forward(config: &Config, net: &mut Network) {
    let h = net.embed(TOKENS, config.vocab_size, config.width); // (M, D)
    let mut h = net.add_positions(h, POSITIONS, config.context); // (M, D)
    for layer in 0..config.n_layers {
        net.enter_block(Some(layer));
        h = block(config, net, h, layer);
    }
    net.enter_block(None);
    let h = net.pick(h); // (picked, D)
    let n = net.layer_norm(h, "transformer.ln_f", config.norm_eps); // (picked, D)
    net.head(n, if config.tied { TOKENS } else { "lm_head.weight" }, config.vocab_size);
}

fn block(config: &Config, net: &mut Network, h: TensorId, layer: usize) -> TensorId {
    let path = format!("transformer.h.{layer}");
    let heads = Heads { query: config.n_heads, kv: config.n_heads, width: config.head_width };
    let linear = |name: &str, outputs| LinearSpec { module: format!("{path}.{name}"), outputs, bias: true };

    let n = net.layer_norm(h, &format!("{path}.ln_1"), config.norm_eps); // (M, D)
    let qkv = net.linears(n, "qkv", &[linear("attn.c_attn", heads.total_cols())]); // (M, 3·H·E)
    let attended = net.attend(qkv, heads); // (M, H·E)
    let is_last = layer + 1 == config.n_layers;
    let (attended, h) = if is_last { (net.pick(attended), net.pick(h)) } else { (attended, h) };
    let h = net.linear_onto(attended, &linear("attn.c_proj", config.width), h); // (M, D)

    let n = net.layer_norm(h, &format!("{path}.ln_2"), config.norm_eps); // (M, D)
    let wide = net.linears(n, "c_fc", &[linear("mlp.c_fc", config.feed_forward)]); // (M, F)
    let activated = net.gelu(wide); // (M, F)
    net.linear_onto(activated, &linear("mlp.c_proj", config.width), h) // (M, D)
}
