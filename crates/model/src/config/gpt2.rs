//! The `config.json` of GPT-2, both ways.

use serde_json::{Value, json};

use super::json::{HARMLESS, check_plain, one_or_list};
use super::{Config, RopeScaling};
use crate::error::Result;
use crate::fields::Fields;

pub(super) const MODEL_TYPE: &str = "gpt2";

/// Fields of GPT-2 that change nothing about what a trained model computes: dropout while training,
/// settings of another head, and in which precision the scores of attention were once computed.
const HARMLESS_HERE: &[&str] = &[
    "attn_pdrop",
    "embd_pdrop",
    "reorder_and_upcast_attn",
    "resid_pdrop",
    "summary_activation",
    "summary_first_dropout",
    "summary_proj_to_labels",
    "summary_type",
    "summary_use_proj",
];

/// The base of frequencies that nothing is turned by.
const NO_THETA: f64 = 10_000.0;

/// Fields that would change what is computed, and the values at which they do not.
fn check_fixed(fields: &mut Fields) -> Result<()> {
    fields.only("activation_function", &[json!("gelu_new"), json!("gelu_pytorch_tanh")])?;
    fields.only("scale_attn_weights", &[json!(true)])?;
    fields.only("scale_attn_by_inverse_layer_idx", &[json!(false)])?;
    check_plain(fields)
}

pub(super) fn read(model_type: String, mut fields: Fields) -> Result<Config> {
    check_fixed(&mut fields)?;
    let width = fields.required_count("n_embd")?;
    let n_heads = fields.required_count("n_head")?;
    if n_heads == 0 || !width.is_multiple_of(n_heads) {
        return Err(fields.unsupported("n_head", &json!(n_heads), &format!("a divisor of n_embd {width}")));
    }
    let context = fields.required_count("n_positions")?;
    fields.only("n_ctx", &[json!(context)])?;
    let config = Config {
        model_type,
        vocab_size: fields.required_count("vocab_size")?,
        width,
        n_layers: fields.required_count("n_layer")?,
        n_heads,
        n_kv_heads: n_heads,
        head_width: width / n_heads,
        feed_forward: fields.count("n_inner")?.unwrap_or(width.saturating_mul(4)),
        context,
        norm_eps: fields.required_real("layer_norm_epsilon")?,
        rope_theta: NO_THETA,
        rope_scaling: RopeScaling::None,
        tied: fields.flag("tie_word_embeddings")?.unwrap_or(true),
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        experts: None,
        windows: Vec::new(),
        bos: fields.ids("bos_token_id")?,
        eos: fields.ids("eos_token_id")?,
    };
    fields.finish(&[HARMLESS, HARMLESS_HERE].concat())?;
    Ok(config)
}

pub(super) fn write(config: &Config, dtype: &str) -> Value {
    json!({
        "architectures": ["GPT2LMHeadModel"],
        "model_type": config.model_type,
        "activation_function": "gelu_new",
        "vocab_size": config.vocab_size,
        "n_embd": config.width,
        "n_inner": config.feed_forward,
        "n_layer": config.n_layers,
        "n_head": config.n_heads,
        "n_positions": config.context,
        "layer_norm_epsilon": config.norm_eps,
        "scale_attn_weights": true,
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.bos.first(),
        "eos_token_id": one_or_list(&config.eos),
        "torch_dtype": dtype,
        "use_cache": true,
    })
}
