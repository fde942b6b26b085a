//! A Llama model of random numbers, small enough to be read in a millisecond.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use penname_engine::Precision;
use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_infer::{Adapter, Decoder, Loading, Room, Weights};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Checkpoint, Config, Keeping, Packed, RopeScaling, Scorer, Storage};

pub(crate) const VOCABULARY: usize = 61;

pub(crate) const ROOM: Room = Room { slots: 3, context: 48, chunk: 64 };

/// Two layers, four query heads that share two key heads.
pub(crate) fn config() -> Config {
    Config {
        model_type: "llama".to_owned(),
        vocab_size: VOCABULARY,
        width: 48,
        n_layers: 2,
        n_heads: 4,
        n_kv_heads: 2,
        head_width: 12,
        feed_forward: 72,
        context: 64,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::None,
        tied: false,
        qkv_bias: false,
        output_bias: false,
        mlp_bias: false,
        experts: None,
        windows: Vec::new(),
        bos: vec![1],
        eos: vec![2],
    }
}

/// Numbers in [-1, 1) that are the same on every machine.
pub(crate) fn noise(seed: u64) -> impl Iterator<Item = f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    })
}

/// Token ids that are the same on every machine.
pub(crate) fn ids(seed: u64, n: usize) -> Vec<u32> {
    noise(seed).skip(8).take(n).map(|x| ((x + 1.0) * 0.5 * VOCABULARY as f32) as u32).collect()
}

/// The modules of the model with their outputs and inputs.
pub(crate) fn linears() -> Vec<(String, usize, usize)> {
    let list = [
        ("self_attn.q_proj", 48, 48),
        ("self_attn.k_proj", 24, 48),
        ("self_attn.v_proj", 24, 48),
        ("self_attn.o_proj", 48, 48),
        ("mlp.gate_proj", 72, 48),
        ("mlp.up_proj", 72, 48),
        ("mlp.down_proj", 48, 72),
    ];
    let of_layer = |layer| list.map(|(name, n, k)| (format!("model.layers.{layer}.{name}"), n, k));
    (0..2).flat_map(of_layer).collect()
}

/// Every tensor by name, with its shape and values.
pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

pub(crate) fn tensors() -> Tensors {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("model.embed_tokens.weight".to_owned(), vec![VOCABULARY, 48]),
        ("lm_head.weight".to_owned(), vec![VOCABULARY, 48]),
        ("model.norm.weight".to_owned(), vec![48]),
    ];
    shapes.extend(linears().into_iter().map(|(module, n, k)| (format!("{module}.weight"), vec![n, k])));
    for layer in 0..2 {
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            shapes.push((format!("model.layers.{layer}.{norm}.weight"), vec![48]));
        }
    }
    let fill = |(seed, (name, shape)): (usize, (String, Vec<usize>))| {
        let offset = if shape.len() == 1 { 1.0 } else { 0.0 };
        let n = shape.iter().product();
        let values = noise(seed as u64 + 1).take(n).map(|x| offset + 0.25 * x).collect();
        (name, (shape, values))
    };
    shapes.into_iter().enumerate().map(fill).collect()
}

#[expect(clippy::disallowed_methods, reason = "a test lays out its own input")]
fn write(dir: &Path, tensors: &Tensors, config: &Config) {
    let outgoing = tensors
        .iter()
        .map(|(name, (shape, values))| Outgoing::from_values(name, shape.clone(), Storage::F32, values));
    write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new()).unwrap();
    let config = config.to_hf_json(Storage::F32).to_string();
    std::fs::write(dir.join("config.json"), config).unwrap();
}

/// Two threads whatever the machine has.
pub(crate) fn device() -> Cpu {
    Cpu::with(NonZeroUsize::new(2).unwrap(), Isa::best())
}

/// Loads these tensors as a checkpoint.
pub(crate) fn load(
    tensors: &Tensors,
    adapter: Option<&Adapter>,
    device: &mut Cpu,
) -> penname_infer::Result<Weights> {
    load_as(tensors, &config(), adapter, Precision::F32, device)
}

/// As [`load`], in a context and with a rounding of one's own.
pub(crate) fn load_as(
    tensors: &Tensors,
    config: &Config,
    adapter: Option<&Adapter>,
    precision: Precision,
    device: &mut Cpu,
) -> penname_infer::Result<Weights> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), tensors, config);
    let checkpoint = Checkpoint::open(dir.path()).unwrap();
    let loading = Loading { precision, keeping: Keeping::Stored };
    Weights::load(&checkpoint, adapter, loading, device)
}

/// The tiny model on a device of its own.
pub(crate) fn weights() -> (Cpu, Weights) {
    let mut device = device();
    let weights = load(&tensors(), None, &mut device).unwrap();
    (device, weights)
}

pub(crate) fn decoder(room: Room) -> (Cpu, Decoder) {
    let (mut device, weights) = weights();
    let decoder = Decoder::new(&weights.base(), room, &mut device).unwrap();
    (device, decoder)
}

pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
    logits.iter().map(|logit| (f64::from(*logit) - sum.ln()) as f32).collect()
}

/// The logarithms of the probabilities of every id after every prefix, by the network without cache.
pub(crate) fn uncached(scorer: &mut Scorer, device: &mut Cpu, tokens: &[u32]) -> Vec<Vec<f32>> {
    let positions: Vec<u32> = (0..tokens.len() as u32).collect();
    let starts = vec![0; tokens.len()];
    let mut rows = vec![Vec::new(); tokens.len()];
    for id in 0..VOCABULARY as u32 {
        let targets = vec![id; tokens.len()];
        let packed = Packed { tokens, positions: &positions, starts: &starts, shared: 0, targets: &targets };
        let losses = scorer.losses(device, packed).unwrap();
        rows.iter_mut().zip(losses).for_each(|(row, loss)| row.push(-loss));
    }
    rows
}

#[track_caller]
pub(crate) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    let far = found.iter().zip(expected).position(|(a, b)| (a - b).abs() > tolerance || a.is_nan());
    if let Some(at) = far {
        panic!("{} instead of {} at {at}", found[at], expected[at]);
    }
}
