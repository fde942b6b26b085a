//! Every family by every method, from weights that were drawn here and are a multiple of 64 wide, as blocks
//! of NF4 are: it runs, and what is trained learns. Whether the numbers are right is asked in `golden` and
//! `methods`, as far as there is somebody to ask.

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Extent, Keep, Precision};
use penname_ledger::{Seed, write};
use penname_model::network::PairSlot;
use penname_model::peft::Pair;
use penname_model::{
    Checkpoint, Config, Keeping, Network, Parameters, Purpose, Quantizer, Setup, build, fresh,
};
use penname_train::Settings;
use penname_train::settings::Way;
use penname_train::step::Trainer;

use crate::golden::{folder, numbers_of, packs};

/// A shape of each family, among the golden files.
const FAMILIES: [&str; 6] =
    ["llama/tied", "gpt2/tied", "qwen2/tied", "qwen3/tied", "qwen3_moe/renormalised", "gpt_oss/fused"];

/// Rows of a step: all documents at once.
const BUDGET: usize = 64;

/// The configuration of a golden, its matrices made 64 wide.
fn wide(name: &str) -> Config {
    let mut config = Checkpoint::open(folder(name)).unwrap().config().unwrap();
    (config.width, config.feed_forward) = (64, 64);
    (config.n_heads, config.n_kv_heads, config.head_width) = (2, 1, 64);
    if config.has_learned_positions() {
        (config.n_kv_heads, config.head_width) = (2, 32);
    }
    if let Some(experts) = &mut config.experts {
        experts.width = 64;
    }
    config
}

/// A pair that changes nothing yet.
fn pair(network: &Network, slot: &PairSlot) -> Pair {
    let [rank, n_in, n_out] = slot.shape(&network.program);
    let mut stream = Seed(2).stream(&slot.module);
    let a = (0..rank * n_in).map(|_| 0.1 * stream.normal() as f32).collect();
    Pair { rank, n_in, n_out, a, b: vec![0.0; n_out * rank], magnitude: None }
}

/// Losses before each of ten steps on the same documents.
fn losses(name: &str, config: &Config, settings: &Settings, keeping: Keeping) -> Vec<f64> {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().join("base");
    write::folder(&base).unwrap();
    fresh::write(config, Seed(1), &base).unwrap();
    let checkpoint = Checkpoint::open(&base).unwrap();
    let method = settings.method("base", config).unwrap();
    let capacity = Extent::tokens(BUDGET);
    let setup = Setup { method, precision: Precision::F32, capacity, purpose: Purpose::Loss };
    let network = build(config, &setup).unwrap();
    let device = &mut Cpu::new();
    let mut parameters = Parameters::load(&checkpoint, &network, keeping, device).unwrap();
    parameters.add_pairs(&network, device, |slot| pair(&network, slot)).unwrap();
    let mut trainer = Trainer::new(network, &parameters, settings, Keep::All, device).unwrap();
    let packs = packs(&numbers_of(name), BUDGET);
    (0..10).map(|step| trainer.step(device, &packs, step, 1e-2, Seed(1)).unwrap().loss_nats).collect()
}

#[test]
fn every_family_trains_by_every_method() {
    let attention = ["q_proj", "k_proj", "v_proj", "o_proj"].map(str::to_owned);
    let nf4 = Keeping::Quantized(Quantizer::Nf4);
    for name in FAMILIES {
        let config = wide(name);
        let lora = Settings { rank: 4, alpha: 8.0, ..Settings::default() };
        let targets = if config.experts.is_some() { attention.to_vec() } else { Vec::new() };
        for (way, settings, keeping) in [
            ("full", Settings { method: Way::Full, ..lora.clone() }, Keeping::Stored),
            ("lora", lora.clone(), Keeping::Stored),
            ("dora", Settings { dora: true, targets, ..lora.clone() }, Keeping::Stored),
            ("qlora", lora.clone(), nf4),
        ] {
            let losses = losses(name, &config, &settings, keeping);
            let even = (config.vocab_size as f64).ln();
            assert!((losses[0] - even).abs() < 0.1, "{name} {way}: a new model begins at {}", losses[0]);
            assert!(losses[9] < losses[0] - 0.02, "{name} {way}: {losses:?}");
        }
    }
}
