//! A Llama model of a few thousand numbers, in every container.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::write;
use penname_model::weights::gguf::{Array, Kind, Metadata, Value};
use penname_model::weights::{Outgoing, write_safetensors, write_shards};
use penname_model::{Config, RopeScaling, Storage};

/// Two layers, two query heads of width 32 sharing one key head.
pub(crate) fn config() -> Config {
    Config {
        model_type: "llama".to_owned(),
        vocab_size: 40,
        width: 64,
        n_layers: 2,
        n_heads: 2,
        n_kv_heads: 1,
        head_width: 32,
        feed_forward: 96,
        context: 128,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        tied: true,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        experts: None,
        windows: Vec::new(),
        bos: vec![1],
        eos: vec![2],
    }
}

pub(crate) struct Weight {
    pub(crate) name: String,
    pub(crate) gguf: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

/// The weights under both names, rows as published. Each value is a small whole number, so that
/// every float format holds it exactly.
pub(crate) fn weights() -> Vec<Weight> {
    let mut shapes = vec![
        ("model.embed_tokens.weight".to_owned(), "token_embd.weight".to_owned(), vec![40, 64]),
        ("model.norm.weight".to_owned(), "output_norm.weight".to_owned(), vec![64]),
    ];
    for layer in 0..2 {
        for (published, gguf, shape) in [
            ("input_layernorm", "attn_norm", vec![64]),
            ("self_attn.q_proj", "attn_q", vec![64, 64]),
            ("self_attn.k_proj", "attn_k", vec![32, 64]),
            ("self_attn.v_proj", "attn_v", vec![32, 64]),
            ("self_attn.o_proj", "attn_output", vec![64, 64]),
            ("post_attention_layernorm", "ffn_norm", vec![64]),
            ("mlp.gate_proj", "ffn_gate", vec![96, 64]),
            ("mlp.up_proj", "ffn_up", vec![96, 64]),
            ("mlp.down_proj", "ffn_down", vec![64, 96]),
        ] {
            let name = format!("model.layers.{layer}.{published}.weight");
            shapes.push((name, format!("blk.{layer}.{gguf}.weight"), shape));
        }
    }
    let fill = |(seed, (name, gguf, shape)): (usize, (String, String, Vec<usize>))| {
        let values = (0..shape.iter().product()).map(|i| whole_number(seed, i)).collect();
        Weight { name, gguf, shape, values }
    };
    shapes.into_iter().enumerate().map(fill).collect()
}

fn whole_number(seed: usize, i: usize) -> f32 {
    ((i * 31 + i / 7 + seed * 17) % 101) as f32 - 50.0
}

/// The rows of each head as GGUF has them: those half a head apart brought side by side.
pub(crate) fn interleaved(values: &[f32], row_len: usize, head_width: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for head in values.chunks(head_width * row_len) {
        let (first, second) = head.split_at(head.len() / 2);
        for (a, b) in first.chunks(row_len).zip(second.chunks(row_len)) {
            out.extend(a);
            out.extend(b);
        }
    }
    out
}

pub(crate) fn metadata() -> Metadata {
    let config = config();
    let count = |n: usize| Value::U32(n as u32);
    let tokens: Vec<_> = (0..config.vocab_size).map(|id| format!("t{id}")).collect();
    let types = std::iter::repeat_n(1i32.to_le_bytes(), config.vocab_size).flatten().collect();
    let mut metadata = Metadata::default();
    for (key, value) in [
        ("general.architecture", Value::Text("llama".to_owned())),
        ("llama.block_count", count(config.n_layers)),
        ("llama.context_length", count(config.context)),
        ("llama.embedding_length", count(config.width)),
        ("llama.feed_forward_length", count(config.feed_forward)),
        ("llama.attention.head_count", count(config.n_heads)),
        ("llama.attention.head_count_kv", count(config.n_kv_heads)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.rope.dimension_count", count(config.head_width)),
        ("llama.rope.freq_base", Value::F32(10_000.0)),
        ("tokenizer.ggml.model", Value::Text("gpt2".to_owned())),
        ("tokenizer.ggml.tokens", Value::Array(Array::Texts(tokens))),
        ("tokenizer.ggml.token_type", Value::Array(Array::Numbers { kind: Kind::I32, bytes: types })),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ] {
        metadata.insert(key, value).unwrap();
    }
    metadata
}

/// Writes the model as GGUF, matrices stored as `dtype`.
pub(crate) fn write_gguf(path: &Path, metadata: &Metadata, dtype: Storage) {
    let weights: Vec<_> = weights().into_iter().map(stored_as_gguf).collect();
    let tensors: Vec<_> = weights
        .iter()
        .map(|Weight { gguf, shape, values, .. }| {
            let dtype = if shape.len() == 1 { Storage::F32 } else { dtype };
            Outgoing::from_values(gguf, shape.clone(), dtype, values)
        })
        .collect();
    penname_model::weights::gguf::write_gguf(path, metadata, &tensors).unwrap();
}

fn stored_as_gguf(weight: Weight) -> Weight {
    if weight.gguf.contains("attn_q") || weight.gguf.contains("attn_k") {
        let values = interleaved(&weight.values, weight.shape[1], config().head_width);
        return Weight { values, ..weight };
    }
    weight
}

pub(crate) fn outgoing(weights: &[Weight], dtype: Storage) -> Vec<Outgoing<'_>> {
    weights.iter().map(|w| Outgoing::from_values(&w.name, w.shape.clone(), dtype, &w.values)).collect()
}

/// Writes the model as a Hugging Face folder, in shards of so many bytes.
pub(crate) fn write_folder(dir: &Path, dtype: Storage, shard_bytes: usize) {
    write::folder(dir).unwrap();
    write::json(&dir.join("config.json"), &config().to_hf_json(dtype)).unwrap();
    write_shards(dir, outgoing(&weights(), dtype), &format_pt(), shard_bytes).unwrap();
}

pub(crate) fn write_single(path: &Path, weights: &[Weight]) {
    write_safetensors(path, outgoing(weights, Storage::F32), &format_pt()).unwrap();
}

pub(crate) fn format_pt() -> BTreeMap<String, String> {
    BTreeMap::from([("format".to_owned(), "pt".to_owned()), ("by".to_owned(), "a test".to_owned())])
}
