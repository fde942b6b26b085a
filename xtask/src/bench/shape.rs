//! Models known by their shape alone: random weights of the right size, written once.
//!
//! The folder is what Hugging Face's readers expect, so every peer times the very same weights.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use penname_engine::{Extent, Precision};
use penname_ledger::{Seed, Stream, write};
use penname_model::weights::{Outgoing, TensorInfo, Values, write_safetensors};
use penname_model::{Config, Method, Purpose, Setup, Storage, build};
use serde_json::{Value, json};

use crate::{Result, root};

/// Half the width of the uniform distribution that weights come from.
const SPREAD: f32 = 0.035;

/// A model whose weights do not matter.
#[derive(Debug)]
pub(super) struct Shape {
    /// What is typed for it.
    pub(super) name: &'static str,
    config: fn() -> Value,
}

/// Every shape.
pub(super) const ALL: &[Shape] = &[
    Shape { name: "smollm2-135m", config: || llama([49152, 576, 1536, 30, 9, 3, 64]) },
    // Qwen3-0.6B without the norms inside its attention.
    Shape { name: "qwen3-0.6b", config: || llama([151_936, 1024, 3072, 28, 16, 8, 128]) },
    Shape { name: "llama-7m", config: || llama([4096, 288, 768, 6, 6, 6, 48]) },
    Shape { name: "gpt2-124m", config: gpt2 },
    Shape { name: "qwen3-moe-17m", config: qwen3_moe },
    Shape { name: "gpt-oss-130m", config: gpt_oss },
];

/// V, D, F, L, H, K and E of a Llama whose head is its embedding.
fn llama([vocabulary, width, inner, layers, heads, kv_heads, head_width]: [usize; 7]) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "head_dim": head_width, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
        "rope_theta": 100_000.0, "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
        "torch_dtype": "float32",
    })
}

fn gpt2() -> Value {
    json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": 50257, "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "n_ctx": 1024,
        "layer_norm_epsilon": 1e-5, "attn_pdrop": 0.0, "embd_pdrop": 0.0, "resid_pdrop": 0.0,
        "tie_word_embeddings": true, "bos_token_id": 50256, "eos_token_id": 50256, "torch_dtype": "float32",
    })
}

/// Eight experts, of which a token goes to two.
fn qwen3_moe() -> Value {
    json!({
        "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "hidden_act": "silu",
        "vocab_size": 4096, "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "num_experts": 8,
        "num_experts_per_tok": 2, "moe_intermediate_size": 384, "norm_topk_prob": true,
        "decoder_sparse_step": 1, "mlp_only_layers": [], "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0, "attention_bias": false,
        "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
    })
}

/// Sixteen experts, of which a token goes to four.
fn gpt_oss() -> Value {
    json!({
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_act": "silu",
        "vocab_size": 16_384, "hidden_size": 512, "intermediate_size": 512, "num_hidden_layers": 8,
        "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "num_local_experts": 16,
        "num_experts_per_tok": 4, "attention_bias": true, "sliding_window": 128,
        "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 150_000.0,
        "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
    })
}

/// The model that `text` names: a path, or a shape, whose folder is made if it is not there.
pub(super) fn resolve(text: &Path) -> Result<PathBuf> {
    match text.to_str().and_then(find) {
        Some(shape) => shape.folder(None),
        None => Ok(text.to_path_buf()),
    }
}

/// The shape of this name.
pub(super) fn find(name: &str) -> Option<&'static Shape> {
    ALL.iter().find(|shape| shape.name == name)
}

impl Shape {
    /// What a reader of checkpoints is told, with another number of layers if one is given.
    fn config(&self, n_layers: Option<usize>) -> Value {
        let mut config = (self.config)();
        for field in ["num_hidden_layers", "n_layer"] {
            if let (Some(n_layers), Some(known)) = (n_layers, config.get_mut(field)) {
                *known = json!(n_layers);
            }
        }
        config
    }

    /// The folder with random weights of this shape, made if it is not there.
    pub(super) fn folder(&self, n_layers: Option<usize>) -> Result<PathBuf> {
        let layers = n_layers.map_or(String::new(), |n| format!("-{n}"));
        let folder = root().join("bench/work").join(format!("shape-{}{layers}", self.name));
        if !folder.join("config.json").exists() {
            write::folder(&folder)?;
            let config = self.config(n_layers);
            weights(&config, &folder.join("model.safetensors"))?;
            write::bytes(&folder.join("config.json"), config.to_string().as_bytes())?;
        }
        Ok(folder)
    }
}

fn weights(config: &Value, path: &Path) -> Result<()> {
    let setup = Setup {
        method: Method::Frozen,
        precision: Precision::F32,
        capacity: Extent::tokens(1),
        purpose: Purpose::Loss,
    };
    let network = build(&Config::from_hf_json(config.clone())?, &setup)?;
    let tensors = network.parameters.iter().map(|parameter| {
        let mut info = TensorInfo { shape: parameter.shape.clone(), dtype: Storage::F32 };
        if parameter.turned {
            info.shape.reverse();
        }
        if parameter.fused.is_some_and(|fused| fused.turned) && info.shape.len() == 3 {
            info.shape.swap(1, 2);
        }
        let stream = RefCell::new(Seed(1).stream(&parameter.name));
        let (gain, bias) = (is_gain(&parameter.name), parameter.name.ends_with("bias"));
        let fill = move |_: std::ops::Range<usize>, out: &mut [f32]| match (gain, bias) {
            (true, _) => out.fill(1.0),
            (_, true) => out.fill(0.0),
            _ => out.fill_with(|| draw(&mut stream.borrow_mut())),
        };
        Outgoing { name: parameter.name.clone(), info, values: Values::Rows(Box::new(fill)) }
    });
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(write_safetensors(path, tensors.collect(), &metadata)?)
}

/// Whether a weight multiplies what was normalised, by the names architectures give it.
fn is_gain(name: &str) -> bool {
    let mut parts = name.rsplit('.');
    let (kind, owner) = (parts.next(), parts.next().unwrap_or_default());
    kind == Some("weight") && (owner.contains("norm") || owner.starts_with("ln_"))
}

fn draw(stream: &mut Stream) -> f32 {
    (2.0 * stream.unit_f32() - 1.0) * SPREAD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_a_path_and_every_name_is_found() {
        assert_eq!(resolve(Path::new("some/folder")).unwrap(), Path::new("some/folder"));
        assert!(ALL.iter().all(|shape| find(shape.name).is_some_and(|found| found.name == shape.name)));
    }

    #[test]
    fn layers_can_be_fewer() {
        for shape in ALL {
            let config = shape.config(Some(1));
            let n_layers = config.get("num_hidden_layers").or_else(|| config.get("n_layer"));
            assert_eq!(n_layers, Some(&json!(1)), "{}", shape.name);
        }
    }

    #[test]
    fn gains_are_told_from_matrices() {
        for gain in ["model.norm.weight", "model.layers.3.input_layernorm.weight", "transformer.ln_f.weight"]
        {
            assert!(is_gain(gain), "{gain}");
        }
        for other in ["transformer.h.0.ln_1.bias", "model.embed_tokens.weight"] {
            assert!(!is_gain(other), "{other}");
        }
    }
}
