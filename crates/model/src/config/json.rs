//! The Hugging Face `config.json`, both ways.

use serde_json::{Value, json};

use super::{Config, RopeScaling, decoder, gpt_oss, gpt2};
use crate::arch::Architecture;
use crate::error::Result;
use crate::fields::Fields;
use crate::quant::Storage;

/// Fields that change nothing about what a trained model computes: notes, training-time noise,
/// defaults for sampling, and what belongs to other tasks.
pub(super) const HARMLESS: &[&str] = &[
    "architectures",
    "attention_dropout",
    "attn_implementation",
    "bad_words_ids",
    "chunk_size_feed_forward",
    "do_sample",
    "dtype",
    "finetuning_task",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "id2label",
    "initializer_range",
    "is_decoder",
    "is_llama_config",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "num_beams",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "prefix",
    "problem_type",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torch_dtype",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_cache",
];

/// Fields of any family that would change what is computed, and the values at which they do not.
pub(super) fn check_plain(fields: &mut Fields) -> Result<()> {
    fields.only("quantization_config", &[])?;
    check_unquantized(fields)
}

/// The same where weights may be quantized.
pub(super) fn check_unquantized(fields: &mut Fields) -> Result<()> {
    fields.only("add_cross_attention", &[json!(false)])?;
    fields.only("is_encoder_decoder", &[json!(false)])?;
    fields.only("tie_encoder_decoder", &[json!(false)])?;
    fields.only("pruned_heads", &[json!({})])
}

pub(super) fn read(mut fields: Fields) -> Result<Config> {
    let model_type = fields.text("model_type")?.ok_or_else(|| fields.missing("model_type"))?;
    if model_type == gpt2::MODEL_TYPE {
        return gpt2::read(model_type, fields);
    }
    if model_type == gpt_oss::MODEL_TYPE {
        return gpt_oss::read(fields);
    }
    if let Some(family) = decoder::find(&model_type) {
        return decoder::read(family, fields);
    }
    let known: Vec<_> = Architecture::names().collect();
    Err(fields.unsupported("model_type", &json!(model_type), &format!("one of: {}", known.join(", "))))
}

/// Theta and scaling, from where older and newer files have them. A file may have both; they must
/// then agree.
pub(super) fn read_rope(fields: &mut Fields) -> Result<(f64, RopeScaling)> {
    /// What every version of transformers assumes when a file says nothing.
    const DEFAULT_THETA: f64 = 10_000.0;
    let older_theta = fields.real("rope_theta")?;
    let older = fields.object("rope_scaling")?.map(read_scaling).transpose()?;
    let newer = fields.object("rope_parameters")?.map(read_scaling).transpose()?;
    let thetas =
        [older_theta, older.as_ref().and_then(|rope| rope.0), newer.as_ref().and_then(|rope| rope.0)];
    let theta = thetas.iter().flatten().next().copied().unwrap_or(DEFAULT_THETA);
    if let Some(other) = thetas.iter().flatten().find(|other| **other != theta) {
        return Err(fields.unsupported("rope_theta", &json!(other), &format!("{theta} everywhere")));
    }
    match (older, newer) {
        (Some((_, older)), Some((_, newer))) if older != newer => {
            Err(fields.unsupported("rope_scaling", &scaling_json(&older), "what rope_parameters says"))
        }
        (Some((_, scaling)), _) | (None, Some((_, scaling))) => Ok((theta, scaling)),
        (None, None) => Ok((theta, RopeScaling::None)),
    }
}

/// Reads `rope_scaling` or `rope_parameters`.
fn read_scaling(mut fields: Fields) -> Result<(Option<f64>, RopeScaling)> {
    fields.only("partial_rotary_factor", &[json!(1), json!(1.0)])?;
    let theta = fields.real("rope_theta")?;
    let older_name = fields.text("type")?;
    let kind = fields.text("rope_type")?.or(older_name).unwrap_or_else(|| "default".to_owned());
    let scaling = match kind.as_str() {
        "default" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: fields.required_real("factor")? },
        "llama3" => RopeScaling::Llama3 {
            factor: fields.required_real("factor")?,
            low_freq_factor: fields.required_real("low_freq_factor")?,
            high_freq_factor: fields.required_real("high_freq_factor")?,
            original_context: fields.required_count("original_max_position_embeddings")?,
        },
        "yarn" => RopeScaling::Yarn {
            factor: fields.required_real("factor")?,
            beta_fast: fields.real("beta_fast")?.unwrap_or(32.0),
            beta_slow: fields.real("beta_slow")?.unwrap_or(1.0),
            original_context: fields.required_count("original_max_position_embeddings")?,
            truncate: fields.flag("truncate")?.unwrap_or(true),
            attention_factor: fields.real("attention_factor")?,
        },
        other => {
            return Err(fields.unsupported("rope_type", &json!(other), "default, linear, llama3 or yarn"));
        }
    };
    fields.finish(&[])?;
    Ok((theta, scaling))
}

pub(super) fn scaling_json(scaling: &RopeScaling) -> Value {
    match scaling {
        RopeScaling::None => Value::Null,
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": original_context,
        }),
        RopeScaling::Yarn { factor, beta_fast, beta_slow, original_context, truncate, attention_factor } => {
            let mut json = json!({
                "rope_type": "yarn",
                "factor": factor,
                "beta_fast": beta_fast,
                "beta_slow": beta_slow,
                "original_max_position_embeddings": original_context,
                "truncate": truncate,
            });
            if let Some(said) = attention_factor {
                json["attention_factor"] = json!(said);
            }
            json
        }
    }
}

/// The contents of a `config.json`.
pub(super) fn write(config: &Config, dtype: Storage) -> Value {
    let dtype = match dtype {
        Storage::F16 => "float16",
        Storage::BF16 => "bfloat16",
        _ => "float32",
    };
    match decoder::find(&config.model_type) {
        Some(family) => decoder::write(family, config, dtype),
        None if config.model_type == gpt_oss::MODEL_TYPE => gpt_oss::write(config, dtype),
        None => gpt2::write(config, dtype),
    }
}

pub(super) fn one_or_list(ids: &[u32]) -> Value {
    match ids {
        [] => Value::Null,
        [one] => json!(one),
        several => json!(several),
    }
}
