//! A base model small enough to be made for a test: bytes for tokens, one layer, random weights.

use std::collections::BTreeMap;
use std::path::Path;

use penname_ledger::{Seed, write};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Config, RopeScaling, Storage};
use penname_token::template::builtin;
use penname_token::{GgufVocab, Tokenizer};

const WIDTH: usize = 16;
const HIDDEN: usize = 32;
const CONTROLS: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

/// Writes the model into a folder as Hugging Face publishes them.
pub(crate) fn write_base(dir: &Path) {
    write::folder(dir).unwrap();
    let (tokenizer, config) = (tokenizer(), config());
    write::bytes(&dir.join("tokenizer.json"), tokenizer.to_json().unwrap().as_bytes()).unwrap();
    let beside = tokenizer.to_config_json(Some(builtin::source("chatml").unwrap())).unwrap();
    write::bytes(&dir.join("tokenizer_config.json"), beside.as_bytes()).unwrap();
    write::json(&dir.join("config.json"), &config.to_hf_json(Storage::F32)).unwrap();
    let weights = weights(&config);
    let outgoing = weights.iter().map(|(name, shape, values)| {
        Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, values)
    });
    write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new()).unwrap();
}

/// Every byte a token, spelled as byte-level vocabularies spell them, and three control tokens.
fn tokenizer() -> Tokenizer {
    let mut shifted = 256;
    let mut spell = |byte: u8| {
        let stands_for_itself = matches!(byte, 33..=126 | 161..=172 | 174..=255);
        let code = if stands_for_itself { u32::from(byte) } else { shifted };
        shifted += u32::from(!stands_for_itself);
        char::from_u32(code).unwrap().to_string()
    };
    let bytes = (0..=255).map(&mut spell);
    let tokens: Vec<String> = CONTROLS.iter().map(|text| (*text).to_owned()).chain(bytes).collect();
    let token_types = (0..tokens.len()).map(|id| if id < CONTROLS.len() { 3 } else { 1 }).collect();
    let vocab = GgufVocab {
        model: "gpt2".to_owned(),
        pre: Some("gpt-2".to_owned()),
        tokens,
        token_types,
        bos: Some(0),
        eos: Some(2),
        ..GgufVocab::default()
    };
    Tokenizer::from_gguf(&vocab).unwrap()
}

fn config() -> Config {
    Config {
        model_type: "llama".to_owned(),
        vocab_size: 256 + CONTROLS.len(),
        width: WIDTH,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        head_width: 8,
        feed_forward: HIDDEN,
        context: 2048,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        tied: true,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        bos: vec![0],
        eos: vec![2],
    }
}

fn weights(config: &Config) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let (d, q, kv, f) = (config.width, config.query_width(), config.kv_width(), config.feed_forward);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let shapes = [
        ("model.embed_tokens.weight".to_owned(), vec![config.vocab_size, d]),
        (layer("input_layernorm"), vec![d]),
        (layer("self_attn.q_proj"), vec![q, d]),
        (layer("self_attn.k_proj"), vec![kv, d]),
        (layer("self_attn.v_proj"), vec![kv, d]),
        (layer("self_attn.o_proj"), vec![d, q]),
        (layer("post_attention_layernorm"), vec![d]),
        (layer("mlp.gate_proj"), vec![f, d]),
        (layer("mlp.up_proj"), vec![f, d]),
        (layer("mlp.down_proj"), vec![d, f]),
        ("model.norm.weight".to_owned(), vec![d]),
    ];
    let fill = |(name, shape): (String, Vec<usize>)| {
        let mut stream = Seed(1).stream(&name);
        let n: usize = shape.iter().product();
        let value = |_| if shape.len() == 1 { 1.0 } else { 0.2 * stream.normal() as f32 };
        let values = (0..n).map(value).collect();
        (name, shape, values)
    };
    shapes.into_iter().map(fill).collect()
}
