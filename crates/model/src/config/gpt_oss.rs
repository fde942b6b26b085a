//! The `config.json` of gpt-oss, both ways.

use serde_json::{Value, json};

use super::experts::check_balance;
use super::json::{HARMLESS, check_unquantized, one_or_list, read_rope, scaling_json};
use super::{Clamp, Config, Experts, MOST_LAYERS};
use crate::error::Result;
use crate::fields::Fields;

pub(super) const MODEL_TYPE: &str = "gpt_oss";

/// What transformers assumes when a file does not say.
pub(super) const CLAMP: Clamp = Clamp { alpha: 1.702, limit: 7.0 };
const WINDOW: usize = 128;
const SLIDING: &str = "sliding_attention";
const FULL: &str = "full_attention";

/// Fields that would change what is computed, and the values at which they do not.
fn check_fixed(fields: &mut Fields) -> Result<()> {
    fields.only("hidden_act", &[json!("silu")])?;
    fields.only("attention_bias", &[json!(true)])?;
    // What the maths was trained for first; YaRN says it again.
    fields.count("initial_context_length")?;
    check_balance(fields)?;
    if let Some(mut quantization) = fields.object("quantization_config")? {
        quantization.only("quant_method", &[json!("mxfp4")])?;
        quantization.finish(&["modules_to_not_convert", "dequantize"])?;
    }
    check_unquantized(fields)
}

pub(super) fn read(mut fields: Fields) -> Result<Config> {
    check_fixed(&mut fields)?;
    let n_heads = fields.required_count("num_attention_heads")?;
    let n_layers = fields.required_count("num_hidden_layers")?;
    let feed_forward = fields.required_count("intermediate_size")?;
    let (rope_theta, rope_scaling) = read_rope(&mut fields)?;
    let config = Config {
        model_type: MODEL_TYPE.to_owned(),
        vocab_size: fields.required_count("vocab_size")?,
        width: fields.required_count("hidden_size")?,
        n_layers,
        n_heads,
        n_kv_heads: fields.count("num_key_value_heads")?.unwrap_or(n_heads),
        head_width: fields.count("head_dim")?.unwrap_or(64),
        feed_forward,
        context: fields.required_count("max_position_embeddings")?,
        norm_eps: fields.required_real("rms_norm_eps")?,
        rope_theta,
        rope_scaling,
        tied: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        qkv_bias: true,
        output_bias: true,
        mlp_bias: true,
        experts: Some(read_experts(&mut fields, feed_forward)?),
        windows: read_windows(&mut fields, n_layers)?,
        bos: fields.ids("bos_token_id")?,
        eos: fields.ids("eos_token_id")?,
    };
    fields.finish(HARMLESS)?;
    Ok(config)
}

fn read_experts(fields: &mut Fields, width: usize) -> Result<Experts> {
    let per_token = fields.required_count("num_experts_per_tok")?;
    fields.only("experts_per_token", &[json!(per_token)])?;
    let clamp = Clamp {
        alpha: fields.real("swiglu_alpha")?.unwrap_or(CLAMP.alpha),
        limit: fields.real("swiglu_limit")?.unwrap_or(CLAMP.limit),
    };
    let count = fields.required_count("num_local_experts")?;
    Ok(Experts { count, per_token, width, renormalised: true, dense: Vec::new(), clamp: Some(clamp) })
}

/// The window of each layer: those that `layer_types` names, or every other one from the first on.
fn read_windows(fields: &mut Fields, n_layers: usize) -> Result<Vec<Option<usize>>> {
    let has_none = fields.says_null("sliding_window");
    let window = fields.count("sliding_window")?.or(Some(WINDOW).filter(|_| !has_none));
    let Some(types) = fields.texts("layer_types")? else { return Ok(alternating(window, n_layers)) };
    let expected = || format!("{n_layers} of {SLIDING:?} or {FULL:?}");
    if types.len() != n_layers {
        return Err(fields.unsupported("layer_types", &json!(types.len()), &expected()));
    }
    let of_layer = |kind: &String| match kind.as_str() {
        SLIDING => Ok(window),
        FULL => Ok(None),
        _ => Err(fields.unsupported("layer_types", &json!(kind), &expected())),
    };
    types.iter().map(of_layer).collect()
}

/// A window in every other layer, the first among them.
pub(super) fn alternating(window: Option<usize>, n_layers: usize) -> Vec<Option<usize>> {
    // No more than `checked` will allow: the number is what a file says.
    let layers = 0..n_layers.min(MOST_LAYERS);
    layers.map(|layer| window.filter(|_| layer.is_multiple_of(2))).collect()
}

pub(super) fn write(config: &Config, dtype: &str) -> Value {
    let window = config.windows.iter().flatten().next();
    let kind = |layer| if config.window(layer).is_some() { SLIDING } else { FULL };
    let types: Vec<_> = (0..config.n_layers).map(kind).collect();
    let mut json = json!({
        "architectures": ["GptOssForCausalLM"],
        "model_type": MODEL_TYPE,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_width,
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "rope_scaling": scaling_json(&config.rope_scaling),
        "attention_bias": true,
        "sliding_window": window,
        "layer_types": types,
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.bos.first(),
        "eos_token_id": one_or_list(&config.eos),
        "torch_dtype": dtype,
        "use_cache": true,
    });
    if let Some(Experts { count, per_token, clamp, .. }) = &config.experts {
        let clamp = clamp.unwrap_or(CLAMP);
        json["num_local_experts"] = json!(count);
        json["num_experts_per_tok"] = json!(per_token);
        json["swiglu_alpha"] = json!(clamp.alpha);
        json["swiglu_limit"] = json!(clamp.limit);
    }
    json
}
