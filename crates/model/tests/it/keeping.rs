//! A base that stays quantized is worth exactly what decoding it first would give.

use std::collections::BTreeMap;
use std::path::Path;

use crate::golden::cpu;
use penname_engine::{DType, Extent, Precision, Section, derive};
use penname_model::adapter::{ALL_LINEARS, Trainable};
use penname_model::peft::{AdapterConfig, Pair};
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{
    Checkpoint, Config, Error, Keeping, Method, Network, Packed, Parameters, Purpose, Quantizer, RopeScaling,
    Setup, Storage, build,
};

const VOCABULARY: usize = 70;

/// One layer whose linears have whole chunks of 64 numbers, but for the last of them.
fn config() -> Config {
    Config {
        model_type: "llama".to_owned(),
        vocab_size: VOCABULARY,
        width: 64,
        n_layers: 1,
        n_heads: 4,
        n_kv_heads: 2,
        head_width: 16,
        feed_forward: 96,
        context: 64,
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

fn noise(seed: usize, n: usize) -> Vec<f32> {
    let mut state = seed as u64 * 2 + 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn network(method: Method) -> Network {
    let (precision, purpose) = (Precision::Bf16, Purpose::Loss);
    let capacity = Extent { tokens: 40, picked: 40 };
    build(&config(), &Setup { method, precision, capacity, purpose }).unwrap()
}

fn pairs() -> Method {
    let all = ALL_LINEARS.iter().map(|name| (*name).to_owned());
    Method::LowRank(AdapterConfig::new(4, 8.0, all))
}

/// Writes the model; `change` may put other values in place of those of a linear.
fn checkpoint(dir: &Path, change: impl Fn(&mut Vec<f32>)) -> Checkpoint {
    let tensors: Vec<_> = network(Method::Frozen)
        .parameters
        .iter()
        .enumerate()
        .map(|(seed, parameter)| {
            let shape = parameter.shape.clone();
            let mut values = noise(seed, shape.iter().product());
            if parameter.name.ends_with("_proj.weight") {
                change(&mut values);
            }
            (parameter.name.clone(), shape, values)
        })
        .collect();
    let outgoing = tensors
        .iter()
        .map(|(name, shape, values)| Outgoing::from_values(name, shape.clone(), Storage::F32, values));
    write_safetensors(&dir.join("model.safetensors"), outgoing.collect(), &BTreeMap::new()).unwrap();
    write_config(dir);
    Checkpoint::open(dir).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a test lays out its own input")]
fn write_config(dir: &Path) {
    std::fs::write(dir.join("config.json"), config().to_hf_json(Storage::F32).to_string()).unwrap();
}

/// Bits of losses and of the gradients of low-rank pairs, and the formats weights lie in.
fn step(checkpoint: &Checkpoint, keeping: Keeping) -> (Vec<u32>, BTreeMap<String, usize>) {
    let device = &mut cpu();
    let mut net = network(pairs());
    let mut parameters = Parameters::load(checkpoint, &net, keeping, device).unwrap();
    let program = net.program.clone();
    parameters
        .add_pairs(&net, device, |slot| {
            let (rank, n_in, n_out) = (program.rows(slot.a), program.cols(slot.a), program.rows(slot.b));
            Pair { rank, n_in, n_out, a: noise(7, rank * n_in), b: noise(8, n_out * rank), magnitude: None }
        })
        .unwrap();
    derive(&mut net.program, &[], &[]);
    let mut session = parameters.session(net.program.clone(), device).unwrap();
    let tokens: Vec<u32> = (0..40).map(|at| at * 31 % VOCABULARY as u32).collect();
    let positions: Vec<u32> = (0..40).collect();
    let packed =
        Packed { tokens: &tokens, positions: &positions, starts: &[0; 40], targets: &tokens, shared: 0 };
    packed.feed(&net, &session, device, 1.0 / 40.0);
    for section in [Section::Begin, Section::Forward, Section::Backward] {
        session.run(device, section, packed.extent()).unwrap();
    }
    let mut numbers = packed.losses(&net, &session, device);
    for (_, gradient) in net.program.trainable() {
        numbers.extend(session.read(device, gradient, Extent::default()));
    }
    (numbers.iter().map(|x| x.to_bits()).collect(), parameters.kept)
}

#[test]
fn quantized_on_loading_or_before_is_the_same() {
    for (quantizer, storage) in [(Quantizer::Q8_0, Storage::Q8_0), (Quantizer::Q4_0, Storage::Q4_0)] {
        let [plain, decoded] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let through = |values: &mut Vec<f32>| {
            let mut bytes = Vec::new();
            assert!(storage.format().encode(values, &mut bytes));
            storage.format().decode(&bytes, values);
        };
        let (found, kept) = step(&checkpoint(plain.path(), |_| {}), Keeping::Quantized(quantizer));
        let (expected, rounded) = step(&checkpoint(decoded.path(), through), Keeping::Rounded);
        assert!(found == expected, "{storage}");
        assert_eq!(kept.get(storage.format().name), Some(&7), "{kept:?}");
        assert_eq!(rounded.keys().collect::<Vec<_>>(), ["bf16", "f32"]);
    }
}

#[test]
fn what_has_no_whole_chunks_is_rounded_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (_, kept) = step(&checkpoint(dir.path(), |_| {}), Keeping::Quantized(Quantizer::Nf4));
    // The last linear has rows of 96; beside it the embedding, and three norms.
    assert_eq!(kept, BTreeMap::from([("NF4".into(), 6), ("bf16".into(), 2), ("f32".into(), 3)]));
}

/// A head gives logits here and a loss there; it is the same head.
#[test]
fn a_model_is_used_with_the_weights_it_was_trained_beside() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = checkpoint(dir.path(), |_| {});
    let kept = |purpose| {
        let (precision, method) = (Precision::Bf16, Method::Frozen);
        let capacity = Extent { tokens: 4, picked: 4 };
        let net = build(&config(), &Setup { method, precision, capacity, purpose }).unwrap();
        let keeping = Keeping::Quantized(Quantizer::Nf4);
        Parameters::load(&checkpoint, &net, keeping, &mut cpu()).unwrap().kept
    };
    assert_eq!(kept(Purpose::Generate { cache_rows: 4 }), kept(Purpose::Loss));
}

#[test]
fn a_quantized_weight_is_not_trained() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = checkpoint(dir.path(), |_| {});
    let net = network(Method::Full(Trainable::default()));
    let keeping = Keeping::Quantized(Quantizer::Nf4);
    let found = Parameters::load(&checkpoint, &net, keeping, &mut cpu());
    assert!(matches!(found, Err(Error::QuantizedTrainable { format, .. }) if format == "NF4"));
    assert!(Parameters::load(&checkpoint, &net, Keeping::Stored, &mut cpu()).is_ok());
    assert_eq!(net.program.tensor(net.parameters[0].id).dtype, DType::F32);
}

/// Both sides of a product are rounded, by at most a 254th of the largest number of a row.
#[test]
fn a_base_in_bytes_gives_nearly_the_same_gradients() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = checkpoint(dir.path(), |_| {});
    let (found, kept) = step(&checkpoint, Keeping::Int8);
    let (expected, _) = step(&checkpoint, Keeping::Rounded);
    assert_eq!(kept, BTreeMap::from([("int8".into(), 7), ("bf16".into(), 1), ("f32".into(), 3)]));
    let wide = |bits: &[u32]| bits.iter().map(|x| f64::from(f32::from_bits(*x))).collect::<Vec<_>>();
    let (found, expected) = (wide(&found), wide(&expected));
    let norm = |numbers: &[f64]| numbers.iter().map(|x| x * x).sum::<f64>().sqrt();
    let apart: Vec<f64> = found.iter().zip(&expected).map(|(x, y)| x - y).collect();
    let relative = norm(&apart) / norm(&expected);
    // These weights are far larger than those of a model, and attention magnifies what is rounded.
    assert!((1e-6..0.08).contains(&relative), "{relative}");
}

#[test]
fn weights_in_bytes_are_not_trained() {
    let dir = tempfile::tempdir().unwrap();
    let net = network(Method::Full(Trainable::default()));
    let found = Parameters::load(&checkpoint(dir.path(), |_| {}), &net, Keeping::Int8, &mut cpu());
    assert!(matches!(found, Err(Error::QuantizedTrainable { format, .. }) if format == "int8"));
}
