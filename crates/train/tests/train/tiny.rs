//! A model small enough to train in a test, and a language small enough for it to learn.
//!
//! The language: a prompt `[1, x]` is answered `x+1, x+2, x+3` and the end. The
//! dialect, which a run learns, closes every answer with the same word instead.

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Extent, Keep, Precision};
use penname_ledger::seed::Seed;
use penname_model::adapter::Trainable;
use penname_model::weights::{Outgoing, write_safetensors};
use penname_model::{Checkpoint, Config, Keeping, Method, Parameters, Purpose, Setup, Storage, build};
use penname_token::Sequence;
use penname_token::pack::pack_in_order;
use penname_train::settings::{Rounding, Shape};
use penname_train::step::Trainer;
use penname_train::{Settings, checkpoint};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

/// The token that ends an answer.
pub(crate) const END: u32 = 2;
const VOCABULARY: u32 = 48;

/// A processor with two threads.
pub(crate) fn device() -> Cpu {
    Cpu::with(NonZeroUsize::new(2).unwrap(), penname_engine::backend::cpu::isa::Isa::best())
}

/// How an answer closes.
#[derive(Debug, Clone, Copy)]
enum Tongue {
    Language,
    Dialect,
}

/// What is asked with `x`, answered in a tongue.
fn sequence(x: u32, tongue: Tongue) -> Sequence {
    let word = |i: u32| 3 + (x + i) % (VOCABULARY - 3);
    let last = match tongue {
        Tongue::Language => word(3),
        Tongue::Dialect => 11,
    };
    let ids = vec![1, word(0), word(1), word(2), last, END];
    let mask = vec![false, false, true, true, true, true];
    Sequence {
        example: format!("{x} {tongue:?}"),
        document: format!("doc {x}"),
        ids,
        mask,
        n_trained: 4,
        ..Sequence::default()
    }
}

/// Sequences of a dialect the base was not taught: train and held out.
pub(crate) fn dialect() -> (Vec<Sequence>, Vec<Sequence>) {
    let all: Vec<Sequence> = (0..45).map(|x| sequence(x, Tongue::Dialect)).collect();
    (
        all.iter().filter(|s| s.ids[1] % 4 != 0).cloned().collect(),
        all.iter().filter(|s| s.ids[1] % 4 == 0).cloned().collect(),
    )
}

fn config() -> Config {
    Config::from_hf_json(serde_json::json!({
        "model_type": "llama", "vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "intermediate_size": 48,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": true, "bos_token_id": 1, "eos_token_id": 2,
    }))
    .unwrap()
}

fn setup(method: Method) -> Setup {
    Setup { method, precision: Precision::F32, capacity: Extent::tokens(128), purpose: Purpose::Loss }
}

/// Settings under which the tiny model learns in seconds.
pub(crate) fn settings() -> Settings {
    Settings {
        rank: 4,
        alpha: 8.0,
        learning_rate: 1e-2,
        steps: 24,
        batch_examples: 6,
        batch_tokens: 128,
        evaluate_every: 4,
        patience: 0,
        checkpoint_every: 5,
        dropout: 0.1,
        precision: Rounding::F32,
        ..Settings::default()
    }
}

/// Writes random weights, teaches them the language, and opens the result.
pub(crate) fn base(folder: &Path) -> Checkpoint {
    let random = folder.join("random");
    penname_ledger::write::folder(&random).unwrap();
    write_random(&random);
    let checkpoint = Checkpoint::open(&random).unwrap();
    let mut device = device();
    let network = build(&config(), &setup(Method::Full(Trainable::default()))).unwrap();
    let parameters = Parameters::load(&checkpoint, &network, Keeping::Stored, &mut device).unwrap();
    let settings = Settings { schedule: Shape::Constant, ..settings() };
    let mut trainer = Trainer::new(network, &parameters, &settings, Keep::All, &mut device).unwrap();
    let lessons: Vec<Sequence> = (0..45).map(|x| sequence(x, Tongue::Language)).collect();
    for step in 0..60 {
        let from = (step as usize * 9) % 45;
        let packs = pack_in_order(&lessons[from..from + 9], 128).unwrap();
        trainer.step(&mut device, &packs, step, 1e-2, Seed(1)).unwrap();
    }
    let trained = checkpoint::weights(&trainer, &mut device);
    let taught = folder.join("taught");
    penname_model::merge::save_trained(&checkpoint, &config(), &trained, &taught).unwrap();
    Checkpoint::open(&taught).unwrap()
}

fn write_random(folder: &Path) {
    let network = build(&config(), &setup(Method::Frozen)).unwrap();
    let mut stream = Seed(3).stream("tiny");
    let mut tensors = Vec::new();
    for parameter in &network.parameters {
        let n: usize = parameter.shape.iter().product();
        let gain = parameter.shape.len() == 1;
        let values =
            (0..n).map(|_| if gain { 1.0 } else { 0.15 * stream.normal() as f32 }).collect::<Vec<f32>>();
        tensors.push((parameter.name.clone(), parameter.shape.clone(), values));
    }
    let outgoing = tensors
        .iter()
        .map(|(name, shape, v)| Outgoing::from_values(name.clone(), shape.clone(), Storage::F32, v));
    write_safetensors(&folder.join("model.safetensors"), outgoing.collect(), &BTreeMap::new()).unwrap();
    penname_ledger::write::json(&folder.join("config.json"), &config().to_hf_json(Storage::F32)).unwrap();
}
