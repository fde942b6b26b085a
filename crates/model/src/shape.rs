//! Models known by name and nothing but their configuration, for plans before anything is fetched.
//!
//! The numbers are those of the published `config.json` of each model.

use serde_json::{Value, json};

use crate::config::Config;
use crate::error::Result;
use crate::quant::Storage;

/// A published model's shape.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What is typed for it.
    pub name: &'static str,
    /// How most of its matrices are published.
    pub stored: Storage,
    json: fn() -> Value,
}

/// Every shape, smallest first within a family.
pub const ALL: &[Shape] = &[
    Shape { name: "smollm2-135m", stored: Storage::BF16, json: || llama([49_152, 576, 1536, 30, 9, 3]) },
    Shape { name: "gpt2", stored: Storage::BF16, json: || gpt2([768, 12, 12]) },
    Shape { name: "gpt2-medium", stored: Storage::BF16, json: || gpt2([1024, 24, 16]) },
    Shape { name: "qwen3-0.6b", stored: Storage::BF16, json: || qwen3([1024, 3072, 28, 16, 8], true) },
    Shape { name: "qwen3-1.7b", stored: Storage::BF16, json: || qwen3([2048, 6144, 28, 16, 8], true) },
    Shape { name: "qwen3-4b", stored: Storage::BF16, json: || qwen3([2560, 9728, 36, 32, 8], true) },
    Shape { name: "qwen3-8b", stored: Storage::BF16, json: || qwen3([4096, 12_288, 36, 32, 8], false) },
    Shape { name: "qwen3-14b", stored: Storage::BF16, json: || qwen3([5120, 17_408, 40, 40, 8], false) },
    Shape { name: "qwen3-32b", stored: Storage::BF16, json: || qwen3([5120, 25_600, 64, 64, 8], false) },
    Shape { name: "gpt-oss-20b", stored: Storage::MXFP4, json: || gpt_oss([24, 32]) },
];

/// The shape of this name.
pub fn find(name: &str) -> Option<&'static Shape> {
    ALL.iter().find(|shape| shape.name == name)
}

impl Shape {
    /// Its configuration.
    ///
    /// # Errors
    /// When the family is not one that can be built.
    pub fn config(&self) -> Result<Config> {
        Config::from_hf_json((self.json)())
    }
}

/// V, D, F, L, H, K of a Llama whose head is its embedding.
fn llama([vocabulary, width, inner, layers, heads, kv_heads]: [usize; 6]) -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "vocab_size": vocabulary, "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 100_000.0,
        "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
    })
}

/// D, F, L, H, K.
fn qwen3([width, inner, layers, heads, kv_heads]: [usize; 5], tied: bool) -> Value {
    json!({
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "hidden_act": "silu",
        "vocab_size": 151_936, "hidden_size": width, "intermediate_size": inner,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "head_dim": 128, "max_position_embeddings": 40_960, "rms_norm_eps": 1e-6, "rope_theta": 1_000_000.0,
        "attention_bias": false, "tie_word_embeddings": tied, "bos_token_id": 151_643, "eos_token_id": 151_645,
    })
}

/// L, X.
fn gpt_oss([layers, experts]: [usize; 2]) -> Value {
    json!({
        "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_act": "silu",
        "vocab_size": 201_088, "hidden_size": 2880, "intermediate_size": 2880, "num_hidden_layers": layers,
        "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64, "num_local_experts": experts,
        "num_experts_per_tok": 4, "experts_per_token": 4, "swiglu_limit": 7.0, "sliding_window": 128,
        "attention_bias": true, "rms_norm_eps": 1e-5, "rope_theta": 150_000.0, "max_position_embeddings": 131_072,
        "initial_context_length": 4096, "tie_word_embeddings": false, "eos_token_id": 200_002,
        "rope_scaling": {
            "rope_type": "yarn", "factor": 32.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": false,
            "original_max_position_embeddings": 4096,
        },
    })
}

/// D, L, H.
fn gpt2([width, layers, heads]: [usize; 3]) -> Value {
    json!({
        "architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "activation_function": "gelu_new",
        "vocab_size": 50_257, "n_embd": width, "n_layer": layers, "n_head": heads, "n_positions": 1024,
        "layer_norm_epsilon": 1e-5, "bos_token_id": 50_256, "eos_token_id": 50_256,
    })
}
