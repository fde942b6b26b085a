//! One set of weights, used with and without its adapter.

use std::collections::BTreeMap;

use crate::tiny::{ROOM, Tensors, assert_close, device, ids, linears, load, noise, tensors};
use expect_test::{Expect, expect};
use penname_engine::backend::cpu::Cpu;
use penname_infer::{Adapter, Decoder, Model, Weights};
use penname_model::Packed;
use penname_model::peft::{AdapterConfig, Pair};

const RANK: usize = 3;

/// Pairs on every linear of the blocks, scaled by two.
pub(crate) fn adapter(size_of_b: f32) -> Adapter {
    let targets = penname_model::adapter::ALL_LINEARS.map(str::to_owned);
    let config = AdapterConfig { dropout: 0.5, ..AdapterConfig::new(RANK, 6.0, targets) };
    let pair = |(seed, (module, n_out, n_in)): (usize, (String, usize, usize))| {
        let mut noise = noise(seed as u64 + 100);
        let a = noise.by_ref().take(RANK * n_in).map(|x| 0.2 * x).collect();
        let b = noise.take(n_out * RANK).map(|x| size_of_b * x).collect();
        (module, Pair { rank: RANK, n_in, n_out, a, b, magnitude: None })
    };
    (config, linears().into_iter().enumerate().map(pair).collect())
}

/// W + 2·B·A for every weight that has a pair.
fn merged(tensors: &Tensors, pairs: &BTreeMap<String, Pair>) -> Tensors {
    let mut merged = tensors.clone();
    for (module, pair) in pairs {
        let (_, weight) = merged.get_mut(&format!("{module}.weight")).unwrap();
        for (row, weight) in weight.chunks_mut(pair.n_in).enumerate() {
            for (column, weight) in weight.iter_mut().enumerate() {
                let product: f32 =
                    (0..RANK).map(|r| pair.b[row * RANK + r] * pair.a[r * pair.n_in + column]).sum();
                *weight += 2.0 * product;
            }
        }
    }
    merged
}

fn logits(model: &Model<'_>, device: &mut Cpu) -> Vec<f32> {
    let mut decoder = Decoder::new(model, ROOM, device).unwrap();
    decoder.logits(device, 0, &ids(1, 20)).unwrap().row(0).to_vec()
}

fn losses(model: &Model<'_>, device: &mut Cpu) -> Vec<f32> {
    let mut scorer = model.scorer(32, device).unwrap();
    let tokens = ids(1, 20);
    let targets = ids(2, 20);
    let positions: Vec<u32> = (0..20).collect();
    let packed =
        Packed { tokens: &tokens, positions: &positions, starts: &[0; 20], shared: 0, targets: &targets };
    scorer.losses(device, packed).unwrap()
}

#[test]
fn an_adapter_computes_what_merged_weights_compute() {
    let mut device = device();
    let adapter = adapter(0.3);
    let weights = load(&tensors(), Some(&adapter), &mut device).unwrap();
    let plain = load(&tensors(), None, &mut device).unwrap();
    let merged = load(&merged(&tensors(), &adapter.1), None, &mut device).unwrap();

    // The base beside an adapter is the base, to the bit.
    assert_eq!(logits(&weights.base(), &mut device), logits(&plain.base(), &mut device));
    assert_eq!(logits(&plain.tuned(), &mut device), logits(&plain.base(), &mut device));
    let tuned = logits(&weights.tuned(), &mut device);
    assert_ne!(tuned, logits(&weights.base(), &mut device));
    // Two small products instead of one large: f32 rounds them in another order.
    assert_close(&tuned, &logits(&merged.base(), &mut device), 1e-4);
    // Dropout is left out, or this would be far off.
    assert_close(&losses(&weights.tuned(), &mut device), &losses(&merged.base(), &mut device), 1e-4);
}

/// The same pairs, with rows made longer and shorter than they are.
fn stretched() -> Adapter {
    let (config, mut pairs) = adapter(0.3);
    for pair in pairs.values_mut() {
        pair.magnitude = Some(noise(9).take(pair.n_out).map(|x| 1.0 + 0.5 * x).collect());
    }
    (AdapterConfig { use_dora: true, ..config }, pairs)
}

/// Over a cache the factors are known, in a scorer they are found anew: both are the merged model.
#[test]
fn trained_lengths_compute_what_merged_weights_compute() {
    let mut device = device();
    let (config, pairs) = stretched();
    let mut merged = tensors();
    for (module, pair) in &pairs {
        let (_, weight) = merged.get_mut(&format!("{module}.weight")).unwrap();
        penname_model::merge::merge(weight, pair, config.scale_for(module) as f32);
    }
    let weights = load(&tensors(), Some(&(config, pairs)), &mut device).unwrap();
    let merged = load(&merged, None, &mut device).unwrap();
    let tuned = logits(&weights.tuned(), &mut device);
    assert_ne!(tuned, logits(&weights.base(), &mut device));
    assert_close(&tuned, &logits(&merged.base(), &mut device), 1e-4);
    assert_close(&losses(&weights.tuned(), &mut device), &losses(&merged.base(), &mut device), 1e-4);
}

#[test]
fn an_adapter_that_was_never_trained_changes_nothing() {
    let mut device = device();
    let weights = load(&tensors(), Some(&adapter(0.0)), &mut device).unwrap();
    assert_eq!(logits(&weights.tuned(), &mut device), logits(&weights.base(), &mut device));
}

#[test]
fn adapters_follow_each_other_and_each_decoder_keeps_its_own() {
    let mut device = device();
    let mut weights = load(&tensors(), Some(&adapter(0.3)), &mut device).unwrap();
    let first = logits(&weights.tuned(), &mut device);
    let mut kept = Decoder::new(&weights.tuned(), ROOM, &mut device).unwrap();
    weights.adapt(&adapter(0.1), &mut device).unwrap();
    assert_ne!(logits(&weights.tuned(), &mut device), first);
    assert_eq!(kept.logits(&mut device, 0, &ids(1, 20)).unwrap().row(0), first);
}

#[test]
fn adapters_of_other_models_are_refused() {
    let check = |change: fn(&mut BTreeMap<String, Pair>), expected: Expect| {
        let mut adapter = adapter(0.1);
        change(&mut adapter.1);
        let found: Result<Weights, _> = load(&tensors(), Some(&adapter), &mut device());
        expected.assert_eq(&found.unwrap_err().to_string());
    };
    check(
        |pairs| drop(pairs.remove("model.layers.0.self_attn.q_proj")),
        expect![
            "the adapter has no low-rank pair for `model.layers.0.self_attn.q_proj`, which its configuration targets"
        ],
    );
    check(
        |pairs| {
            let pair = pairs["model.layers.1.mlp.up_proj"].clone();
            pairs.insert("model.layers.2.mlp.up_proj".to_owned(), pair);
        },
        expect![
            "the adapter has a low-rank pair for `model.layers.2.mlp.up_proj`, a module the model does not have"
        ],
    );
    check(
        |pairs| {
            let pair = pairs["model.layers.1.mlp.up_proj"].clone();
            pairs.insert("model.layers.1.mlp.down_proj".to_owned(), pair);
        },
        expect![
            "the low-rank pair for `model.layers.1.mlp.down_proj` is [3, 48, 72] (rank, in, out), expected [3, 72, 48]"
        ],
    );
    check(
        |pairs| pairs.values_mut().for_each(|pair| pair.b.truncate(5)),
        expect!["B of the low-rank pair for `model.layers.0.self_attn.q_proj` has 5 numbers, expected 144"],
    );
}
