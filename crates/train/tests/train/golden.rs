//! Twenty steps of small models of every family against torch's AdamW, for full training and for
//! PEFT's LoRA. `golden/<family>/make.py` made the numbers and says how.

use std::path::PathBuf;

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Extent, Keep, Precision};
use penname_ledger::seed::Seed;
use penname_model::adapter::Trainable;
use penname_model::peft::load_adapter;
use penname_model::{Checkpoint, Keeping, Method, Parameters, Purpose, Setup, build};
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_in_order};
use penname_train::Settings;
use penname_train::step::Trainer;
use serde_json::Value;

/// Share by which a loss may be off. The losses fall a hundredfold, and rounding in another order
/// grows from step to step; a wrong moment, clip or decay is off by far more at once.
const TOLERANCE: f64 = 3e-3;

pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
}

fn sequence(ids: Vec<u32>) -> Sequence {
    let mask = (0..ids.len()).map(|at| at > 0).collect();
    Sequence { n_trained: ids.len() - 1, mask, ids, ..Sequence::default() }
}

/// All documents in packs of at most `budget` rows.
pub(crate) fn packs(numbers: &Value, budget: usize) -> Vec<Pack> {
    let documents: Vec<Vec<u32>> = serde_json::from_value(numbers["documents"].clone()).unwrap();
    let sequences: Vec<Sequence> = documents.into_iter().map(sequence).collect();
    let packs = pack_in_order(&sequences, budget).unwrap();
    packs.into_iter().filter(|pack| pack.n_trained > 0).collect()
}

/// Documents and losses beside a checkpoint.
pub(crate) fn numbers_of(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder(name).join("numbers.json")).unwrap()).unwrap()
}

/// Trains on the same documents for as many steps as there are expected losses.
fn check(name: &str, method: Method, budget: usize, n_packs: usize, expected: &str) {
    let numbers = numbers_of(name);
    let packs = packs(&numbers, budget);
    assert_eq!(packs.len(), n_packs);

    let device = &mut Cpu::new();
    let checkpoint = Checkpoint::open(folder(name)).unwrap();
    let setup =
        Setup { method, precision: Precision::F32, capacity: Extent::tokens(budget), purpose: Purpose::Loss };
    let network = build(&checkpoint.config().unwrap(), &setup).unwrap();
    let mut parameters = Parameters::load(&checkpoint, &network, Keeping::Stored, device).unwrap();
    if !network.pairs.is_empty() {
        let (_, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
        parameters.add_pairs(&network, device, |slot| pairs[&slot.module].clone()).unwrap();
    }
    let settings = Settings { clip: 1.0, weight_decay: 0.0, ..Settings::default() };
    let mut trainer = Trainer::new(network, &parameters, &settings, Keep::All, device).unwrap();

    let rate = numbers["learning_rate"].as_f64().unwrap();
    let expected: Vec<f64> = serde_json::from_value(numbers[expected].clone()).unwrap();
    assert_eq!(expected.len(), 20);
    for (step, expected) in (0..).zip(expected) {
        let report = trainer.step(device, &packs, step, rate, Seed(1)).unwrap();
        let off = (report.loss_nats / expected - 1.0).abs();
        assert!(off < TOLERANCE, "step {step}: loss {}, expected {expected}", report.loss_nats);
    }
}

fn lora(name: &str) -> Method {
    Method::LowRank(load_adapter(&folder(name).join("adapter")).unwrap().0)
}

#[test]
fn full_training_follows_torch() {
    check("llama/tied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("llama/untied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("gpt2/tied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("qwen2/tied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("qwen3/tied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("qwen3/untied", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("qwen3_moe/renormalised", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("qwen3_moe/plain", Method::Full(Trainable::default()), 64, 1, "full_losses");
    check("gpt_oss/fused", Method::Full(Trainable::default()), 64, 1, "full_losses");
}

#[test]
fn low_rank_training_follows_peft() {
    check("llama/tied", lora("llama/tied"), 64, 1, "lora_losses");
    check("gpt2/tied", lora("gpt2/tied"), 64, 1, "lora_losses");
    check("qwen2/tied", lora("qwen2/tied"), 64, 1, "lora_losses");
    check("qwen3/tied", lora("qwen3/tied"), 64, 1, "lora_losses");
    check("qwen3_moe/renormalised", lora("qwen3_moe/renormalised"), 64, 1, "lora_losses");
    check("gpt_oss/mxfp4", lora("gpt_oss/mxfp4"), 64, 1, "lora_losses");
}

#[test]
fn micro_batches_follow_as_well() {
    check("llama/tied", Method::Full(Trainable::default()), 20, 3, "full_losses");
    check("llama/tied", lora("llama/tied"), 20, 3, "lora_losses");
}
