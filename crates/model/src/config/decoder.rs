//! The `config.json` of Llama and of the families that took over its fields, both ways.
//!
//! What differs between them is a table: what a family assumes where its file says nothing, and the
//! fields that would change the maths.

use serde_json::{Value, json};

use super::json::{HARMLESS, check_plain, one_or_list, read_rope, scaling_json};
use super::{Config, experts};
use crate::error::Result;
use crate::fields::Fields;

/// Which maps around attention have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Biases {
    /// `attention_bias` says so, of all four.
    Said,
    /// Queries, keys and values, always.
    Inward,
    /// None, ever.
    Never,
}

/// When rows see only so many rows before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    /// When `use_sliding_window` says so.
    Switched,
    /// When `sliding_window` is a length; this one if the field is not there at all.
    Length(Option<usize>),
}

/// A family of configurations.
#[derive(Debug)]
pub(super) struct Family {
    model_type: &'static str,
    /// The class of transformers that computes it.
    class: &'static str,
    biases: Biases,
    /// Whether `mlp_bias` is one of its fields.
    has_mlp_bias: bool,
    /// E where the file does not say it; D / H if this does not either.
    head_width: Option<usize>,
    window: Window,
    /// Whether layers have experts, told of as Qwen3-MoE does.
    has_experts: bool,
}

const LLAMA: Family = Family {
    model_type: "llama",
    class: "LlamaForCausalLM",
    biases: Biases::Said,
    has_mlp_bias: true,
    head_width: None,
    window: Window::Length(None),
    has_experts: false,
};

static ALL: [Family; 5] = [
    LLAMA,
    Family {
        model_type: "mistral",
        class: "MistralForCausalLM",
        biases: Biases::Never,
        has_mlp_bias: false,
        window: Window::Length(Some(4096)),
        ..LLAMA
    },
    Family {
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        biases: Biases::Inward,
        has_mlp_bias: false,
        window: Window::Switched,
        ..LLAMA
    },
    Family {
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        has_mlp_bias: false,
        head_width: Some(128),
        window: Window::Switched,
        ..LLAMA
    },
    Family {
        model_type: "qwen3_moe",
        class: "Qwen3MoeForCausalLM",
        has_mlp_bias: false,
        window: Window::Switched,
        has_experts: true,
        ..LLAMA
    },
];

/// The family of this `model_type`.
pub(super) fn find(model_type: &str) -> Option<&'static Family> {
    ALL.iter().find(|family| family.model_type == model_type)
}

/// Fields that would change what is computed, and the values at which they do not.
fn check_fixed(fields: &mut Fields) -> Result<()> {
    fields.only("hidden_act", &[json!("silu"), json!("swish")])?;
    fields.only("pretraining_tp", &[json!(1)])?;
    fields.only("rope_interleaved", &[json!(false)])?;
    fields.only("partial_rotary_factor", &[json!(1), json!(1.0)])?;
    fields.only_these("layer_types", &json!("full_attention"))?;
    check_plain(fields)
}

/// Refuses a window of attention, unless it is switched off or never reached.
fn check_window(family: &Family, context: usize, fields: &mut Fields) -> Result<()> {
    fields.only("use_sliding_window", &[json!(false)])?;
    let says_none = fields.says_null("sliding_window");
    let said = fields.count("sliding_window")?;
    let window = match family.window {
        Window::Length(unsaid) => said.or(unsaid.filter(|_| !says_none)),
        Window::Switched => {
            fields.count("max_window_layers")?;
            None
        }
    };
    match window {
        Some(window) if window < context => {
            let expected = format!("null, or at least the {context} of max_position_embeddings");
            Err(fields.unsupported("sliding_window", &json!(window), &expected))
        }
        _ => Ok(()),
    }
}

fn read_biases(family: &Family, fields: &mut Fields) -> Result<(bool, bool)> {
    match family.biases {
        Biases::Said => {
            let all = fields.flag("attention_bias")?.unwrap_or(false);
            Ok((all, all))
        }
        Biases::Inward => fields.only("attention_bias", &[json!(true)]).map(|()| (true, false)),
        Biases::Never => fields.only("attention_bias", &[json!(false)]).map(|()| (false, false)),
    }
}

pub(super) fn read(family: &Family, mut fields: Fields) -> Result<Config> {
    check_fixed(&mut fields)?;
    let width = fields.required_count("hidden_size")?;
    let n_heads = fields.required_count("num_attention_heads")?;
    let context = fields.required_count("max_position_embeddings")?;
    check_window(family, context, &mut fields)?;
    let (rope_theta, rope_scaling) = read_rope(&mut fields)?;
    let (qkv_bias, output_bias) = read_biases(family, &mut fields)?;
    let n_layers = fields.required_count("num_hidden_layers")?;
    let experts = family.has_experts.then(|| experts::read_qwen3(&mut fields, n_layers)).transpose()?;
    let config = Config {
        model_type: family.model_type.to_owned(),
        vocab_size: fields.required_count("vocab_size")?,
        width,
        n_layers,
        n_heads,
        n_kv_heads: fields.count("num_key_value_heads")?.unwrap_or(n_heads),
        head_width: read_head_width(family, &mut fields, width, n_heads)?,
        feed_forward: fields.required_count("intermediate_size")?,
        context,
        norm_eps: fields.required_real("rms_norm_eps")?,
        rope_theta,
        rope_scaling,
        tied: fields.flag("tie_word_embeddings")?.unwrap_or(false),
        qkv_bias,
        output_bias,
        mlp_bias: family.has_mlp_bias && fields.flag("mlp_bias")?.unwrap_or(false),
        experts,
        windows: Vec::new(),
        bos: fields.ids("bos_token_id")?,
        eos: fields.ids("eos_token_id")?,
    };
    fields.only("mlp_bias", &[json!(false)])?;
    fields.finish(HARMLESS)?;
    Ok(config)
}

fn read_head_width(family: &Family, fields: &mut Fields, width: usize, n_heads: usize) -> Result<usize> {
    match fields.count("head_dim")?.or(family.head_width) {
        Some(head_width) => Ok(head_width),
        None if n_heads > 0 && width.is_multiple_of(n_heads) => Ok(width / n_heads),
        None => {
            let expected = format!("a divisor of hidden_size {width}, or head_dim beside it");
            Err(fields.unsupported("num_attention_heads", &json!(n_heads), &expected))
        }
    }
}

/// Theta and scaling stand where older files have them: newer readers understand that too.
pub(super) fn write(family: &Family, config: &Config, dtype: &str) -> Value {
    let mut json = json!({
        "architectures": [family.class],
        "model_type": config.model_type,
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
        "tie_word_embeddings": config.tied,
        "bos_token_id": config.bos.first(),
        "eos_token_id": one_or_list(&config.eos),
        "torch_dtype": dtype,
        "use_cache": true,
    });
    if family.biases == Biases::Said {
        json["attention_bias"] = json!(config.qkv_bias);
    }
    if let Some(experts) = &config.experts {
        experts::write_qwen3(experts, &mut json);
    }
    if family.has_mlp_bias {
        json["mlp_bias"] = json!(config.mlp_bias);
    }
    if matches!(family.window, Window::Length(Some(_))) {
        // Null must be said: a file that says nothing has a window.
        json["sliding_window"] = Value::Null;
    }
    json
}

/// Why `config` cannot be one of its family, for readers of other files: which biases there are.
pub(super) fn check_biases(config: &Config) -> Result<()> {
    let Some(family) = find(&config.model_type) else { return Ok(()) };
    let found = (config.qkv_bias, config.output_bias);
    let expected = match family.biases {
        Biases::Said if found.0 != found.1 => "beside that of queries, keys and values, or not at all",
        Biases::Inward if found != (true, false) => "on queries, keys and values and not on the output",
        Biases::Never if found != (false, false) => "nowhere",
        _ if config.mlp_bias && !family.has_mlp_bias => {
            return Err(super::refuse("bias of the feed-forward part", "there", "none"));
        }
        _ => return Ok(()),
    };
    let shown = |there: bool| if there { "there" } else { "missing" };
    let found =
        format!("{} on queries, keys and values and {} on the output", shown(found.0), shown(found.1));
    Err(super::refuse("bias of attention", found, expected))
}
