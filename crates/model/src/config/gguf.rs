//! The configuration inside GGUF metadata.

mod experts;

use super::{Config, RopeScaling, gpt_oss, refuse};
use crate::error::{Error, Result};
use crate::quant::Storage;
use crate::weights::gguf::{GgufTensor, Metadata, architecture};

const EMBEDDING: &str = "token_embd.weight";
const HEAD: &str = "output.weight";
const ROPE_FREQS: &str = "rope_freqs.weight";

/// Keys, after the architecture's name, that are read below.
const READ: &[&str] = &[
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "attention.value_length",
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scale_linear",
    "rope.scaling.factor",
    "rope.scaling.type",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "vocab_size",
];

/// Keys of architectures with experts that are read below.
const OF_EXPERTS: &[&str] =
    &["attention.sliding_window", "expert_count", "expert_feed_forward_length", "expert_used_count"];

/// Keys that change nothing, or only where another asks for YaRN.
const HARMLESS: &[&str] =
    &["rope.scaling.finetuned", "rope.scaling.original_context_length", "tensor_data_layout"];

/// Keys that change something unless they are zero or false.
const ZERO: &[&str] =
    &["attention.sliding_window", "expert_count", "expert_used_count", "use_parallel_residual"];

/// The keys of one architecture.
struct Keys<'m> {
    metadata: &'m Metadata,
    prefix: &'static str,
    has_experts: bool,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    fn count(&self, name: &str) -> Result<Option<usize>> {
        self.metadata.count(&self.key(name))
    }

    fn real(&self, name: &str) -> Result<Option<f64>> {
        self.metadata.real(&self.key(name))
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::FieldMissing { field: self.key(name) })
    }

    fn required_count(&self, name: &str) -> Result<usize> {
        self.required(name, self.count(name)?)
    }

    /// Refuses a key that is there with another value than the rest of the file implies.
    fn agrees(&self, name: &str, expected: usize) -> Result<()> {
        match self.count(name)? {
            Some(found) if found != expected => Err(refuse(&self.key(name), found, &expected.to_string())),
            _ => Ok(()),
        }
    }

    /// Refuses keys of this architecture that nobody has heard of.
    fn check_known(&self) -> Result<()> {
        for (key, value) in self.metadata.iter() {
            let Some(name) = key.strip_prefix(self.prefix).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let of_experts = self.has_experts && OF_EXPERTS.contains(&name);
            if of_experts || READ.contains(&name) || HARMLESS.contains(&name) {
                continue;
            }
            if !ZERO.contains(&name) {
                return Err(Error::FieldUnknown { field: key.to_owned() });
            }
            let is_zero = value.to_integer() == Some(0) || self.metadata.flag(key).ok() == Some(Some(false));
            if !is_zero {
                return Err(refuse(key, value.describe(), "0"));
            }
        }
        Ok(())
    }
}

pub(super) fn read(metadata: &Metadata, tensors: &[GgufTensor], file: &[u8]) -> Result<Config> {
    let architecture = architecture(metadata)?;
    let keys = Keys { metadata, prefix: architecture.name, has_experts: architecture.has_experts };
    keys.check_known()?;
    let width = keys.required_count("embedding_length")?;
    let n_heads = keys.required_count("attention.head_count")?;
    let head_width = read_head_width(&keys, width, n_heads)?;
    let rope_theta = keys.real("rope.freq_base")?.unwrap_or(10_000.0);
    let norm_eps = architecture.norm_eps;
    // The width of a part that gpt-oss has only inside experts.
    let has_ordinary = keys.count("feed_forward_length")?.is_some();
    let feed_forward = if has_ordinary { "feed_forward_length" } else { "expert_feed_forward_length" };
    let is_gpt_oss = architecture.model_type == gpt_oss::MODEL_TYPE;
    let has = |suffix: &str| tensors.iter().any(|tensor| tensor.name.ends_with(suffix));
    Ok(Config {
        model_type: architecture.model_type.to_owned(),
        vocab_size: read_vocab_size(&keys, tensors)?,
        width,
        n_layers: keys.required_count("block_count")?,
        n_heads,
        n_kv_heads: keys.count("attention.head_count_kv")?.unwrap_or(n_heads),
        head_width,
        feed_forward: keys.required_count(feed_forward)?,
        context: keys.required_count("context_length")?,
        norm_eps: keys.required(norm_eps, keys.real(norm_eps)?)?,
        rope_theta,
        rope_scaling: read_scaling(&keys, tensors, file, rope_theta, head_width)?,
        tied: !tensors.iter().any(|tensor| tensor.name == HEAD),
        qkv_bias: has(".attn_q.bias") || has(".attn_qkv.bias"),
        output_bias: has(".attn_output.bias"),
        mlp_bias: has(".ffn_up.bias") || has(".ffn_up_exps.bias"),
        experts: architecture.has_experts.then(|| experts::read(&keys, tensors, is_gpt_oss)).transpose()?,
        windows: if is_gpt_oss { experts::windows(&keys)? } else { Vec::new() },
        bos: special(metadata, &["bos_token_id"])?,
        eos: special(metadata, &["eos_token_id", "eot_token_id"])?,
    })
}

fn read_head_width(keys: &Keys<'_>, width: usize, n_heads: usize) -> Result<usize> {
    let head_width = match keys.count("attention.key_length")? {
        Some(head_width) => head_width,
        None if n_heads > 0 && width.is_multiple_of(n_heads) => width / n_heads,
        None => {
            let expected = format!("a divisor of the width {width}");
            return Err(refuse(&keys.key("attention.head_count"), n_heads, &expected));
        }
    };
    keys.agrees("attention.value_length", head_width)?;
    keys.agrees("rope.dimension_count", head_width)?;
    Ok(head_width)
}

/// The vocabulary is as large as the embedding. The tokenizer may leave the last rows unnamed.
fn read_vocab_size(keys: &Keys<'_>, tensors: &[GgufTensor]) -> Result<usize> {
    let embedding = tensors.iter().find(|tensor| tensor.name == EMBEDDING);
    let embedding = embedding.ok_or_else(|| Error::TensorUnknown { tensor: EMBEDDING.to_owned() })?;
    let vocab_size = embedding.info.n_rows();
    keys.agrees("vocab_size", vocab_size)?;
    let tokens = "tokenizer.ggml.tokens";
    match keys.metadata.texts(tokens)?.map(<[String]>::len) {
        Some(n_tokens) if n_tokens > vocab_size => {
            Err(refuse(tokens, format!("a list of {n_tokens}"), &format!("at most {vocab_size}")))
        }
        _ => Ok(vocab_size),
    }
}

/// Scaling by a rule is in the metadata; scaling by a table is a tensor.
fn read_scaling(
    keys: &Keys<'_>,
    tensors: &[GgufTensor],
    file: &[u8],
    theta: f64,
    head_width: usize,
) -> Result<RopeScaling> {
    let kind_key = keys.key("rope.scaling.type");
    let factor = keys.real("rope.scaling.factor")?.or(keys.real("rope.scale_linear")?);
    let rule = match (keys.metadata.text(&kind_key)?, factor) {
        (None | Some("none"), None) => RopeScaling::None,
        (None | Some("linear"), Some(factor)) => RopeScaling::Linear { factor },
        (Some("linear" | "yarn"), None) => {
            return Err(Error::FieldMissing { field: keys.key("rope.scaling.factor") });
        }
        (Some("yarn"), Some(factor)) => yarn(keys, factor)?,
        (Some(other), _) => return Err(refuse(&kind_key, format!("{other:?}"), "none, linear or yarn")),
    };
    let Some(table) = tensors.iter().find(|tensor| tensor.name == ROPE_FREQS) else { return Ok(rule) };
    let divisors = read_divisors(table, file)?;
    match (rule, RopeScaling::from_divisors(&divisors, theta, head_width)?) {
        (rule, RopeScaling::None) => Ok(rule),
        (RopeScaling::None, by_table) => Ok(by_table),
        _ => Err(refuse(&kind_key, "\"linear\"", "none, as rope_freqs.weight scales already")),
    }
}

/// YaRN; as gpt-oss was trained with it, places are not made whole.
fn yarn(keys: &Keys<'_>, factor: f64) -> Result<RopeScaling> {
    let context = "rope.scaling.original_context_length";
    let original_context =
        keys.count(context)?.ok_or_else(|| Error::FieldMissing { field: keys.key(context) })?;
    Ok(RopeScaling::Yarn {
        factor,
        beta_fast: keys.real("rope.scaling.yarn_beta_fast")?.unwrap_or(32.0),
        beta_slow: keys.real("rope.scaling.yarn_beta_slow")?.unwrap_or(1.0),
        original_context,
        truncate: keys.prefix != "gpt-oss",
        attention_factor: None,
    })
}

fn read_divisors(table: &GgufTensor, file: &[u8]) -> Result<Vec<f32>> {
    if table.info.dtype != Storage::F32 {
        return Err(Error::StorageUnsupported {
            tensor: table.name.clone(),
            found: table.info.dtype.to_string(),
            expected: "F32".to_owned(),
        });
    }
    let mut divisors = vec![0.0; table.info.n_values()];
    table.info.dtype.format().decode(&file[table.bytes.clone()], &mut divisors);
    Ok(divisors)
}

fn special(metadata: &Metadata, names: &[&str]) -> Result<Vec<u32>> {
    let mut ids = Vec::new();
    for name in names {
        let id = metadata.id(&format!("tokenizer.ggml.{name}"))?;
        ids.extend(id.filter(|id| !ids.contains(id)));
    }
    Ok(ids)
}
