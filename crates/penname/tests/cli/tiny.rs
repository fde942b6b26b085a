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

/// Writes a model that knows nothing into a folder as Hugging Face publishes them.
pub(crate) fn write_base(dir: &Path) {
    let config = config(true);
    write_model(dir, &config, &weights(&config));
}

/// Writes a model that knows which bytes of a text follow which, so that it passes for one that has
/// learned the language.
pub(crate) fn write_taught_base(dir: &Path, text: &str) {
    let config = config(false);
    let mut weights = weights(&config);
    for (name, shape, values) in &mut weights {
        match name.as_str() {
            "model.embed_tokens.weight" => values.clone_from(&classes(shape)),
            "lm_head.weight" => values.clone_from(&followers(shape, text)),
            _ if shape.len() == 2 => values.iter_mut().for_each(|value| *value *= 0.1),
            _ => {}
        }
    }
    write_model(dir, &config, &weights);
}

/// The class of a token: which of the embedding's places is one.
fn class(id: usize) -> usize {
    id % WIDTH
}

/// `[vocabulary, width]`: a one at each token's class.
fn classes(shape: &[usize]) -> Vec<f32> {
    (0..shape[0] * shape[1]).map(|i| f32::from(u8::from(class(i / WIDTH) == i % WIDTH))).collect()
}

/// `[vocabulary, width]`: how likely a token is after one of a class, by its logarithm.
fn followers(shape: &[usize], text: &str) -> Vec<f32> {
    const END: usize = 2;
    let ids: Vec<usize> = text.bytes().map(|byte| CONTROLS.len() + usize::from(byte)).collect();
    let mut counts = vec![0.01_f32; shape[0] * shape[1]];
    ids.windows(2).for_each(|pair| counts[pair[1] * WIDTH + class(pair[0])] += 1.0);
    (0..WIDTH).for_each(|class| counts[END * WIDTH + class] += 1.0);
    let sums: Vec<f32> = (0..WIDTH).map(|class| counts.iter().skip(class).step_by(WIDTH).sum()).collect();
    // The norm before the head makes a one out of `WIDTH` places the root of `WIDTH`.
    let scale = (WIDTH as f32).sqrt();
    counts.iter().enumerate().map(|(i, count)| (count / sums[i % WIDTH]).ln() / scale).collect()
}

type Weights = Vec<(String, Vec<usize>, Vec<f32>)>;

fn write_model(dir: &Path, config: &Config, weights: &Weights) {
    write::folder(dir).unwrap();
    let tokenizer = tokenizer();
    write::bytes(&dir.join("tokenizer.json"), tokenizer.to_json().unwrap().as_bytes()).unwrap();
    let beside = tokenizer.to_config_json(Some(builtin::source("chatml").unwrap())).unwrap();
    write::bytes(&dir.join("tokenizer_config.json"), beside.as_bytes()).unwrap();
    write::json(&dir.join("config.json"), &config.to_hf_json(Storage::F32)).unwrap();
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

fn config(tied: bool) -> Config {
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
        tied,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        experts: None,
        windows: Vec::new(),
        bos: vec![0],
        eos: vec![2],
    }
}

fn weights(config: &Config) -> Weights {
    let (d, q, kv, f) = (config.width, config.query_width(), config.kv_width(), config.feed_forward);
    let layer = |name: &str| format!("model.layers.0.{name}.weight");
    let head = (!config.tied).then(|| ("lm_head.weight".to_owned(), vec![config.vocab_size, d]));
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
    shapes.into_iter().chain(head).map(fill).collect()
}
