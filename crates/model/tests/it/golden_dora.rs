//! DoRA beside the linears of small models, against what PEFT makes of it in f32.
//! `golden/methods/make.py` made the numbers and says how.

use std::collections::BTreeMap;

use penname_engine::Keep;
use penname_model::peft::{AdapterConfig, Pair, load_adapter, save_adapter};
use penname_model::{Checkpoint, Method};
use serde_json::{Value, json};

use crate::golden::{
    Golden, Step, assert_close, assert_eq_logits, assert_expected, at_once, folder, golden, logits, run,
    save_merged,
};

/// Families, and which of their models.
const FAMILIES: [(&str, &str); 5] = [
    ("llama", "tied"),
    ("gpt2", "tied"),
    ("qwen3", "tied"),
    ("qwen3_moe", "renormalised"),
    ("gpt_oss", "fused"),
];

/// A model of the family, with what is expected of it and its adapter.
fn open((family, shape): (&str, &str)) -> (Golden, AdapterConfig, BTreeMap<String, Pair>) {
    let dir = folder(&format!("methods/{family}-dora"));
    let (config, pairs) = load_adapter(&dir.join("adapter")).unwrap();
    let all: Value = serde_json::from_slice(&std::fs::read(folder("methods/numbers.json")).unwrap()).unwrap();
    let golden = Golden {
        expected: Checkpoint::open(dir.join("expected.safetensors")).unwrap(),
        numbers: json!({ "loss": all["dora"][family][0] }),
        ..golden(&format!("{family}/{shape}"))
    };
    (golden, config, pairs)
}

#[test]
fn losses_and_gradients_are_those_of_peft() {
    for family in FAMILIES {
        let (golden, config, pairs) = open(family);
        assert!(config.use_dora);
        let outcome = at_once(&golden, Method::LowRank(config), &pairs);
        assert_expected(&golden, &outcome, "dora.", "loss");
    }
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    let (golden, config, pairs) = open(("qwen3", "tied"));
    let micro = std::slice::from_ref(&golden.documents);
    let method = Method::LowRank(config);
    let kept = at_once(&golden, method.clone(), &pairs);
    for keep in Keep::ALL {
        let again = run(&golden, &Step { method: method.clone(), pairs: &pairs, keep, micro });
        assert_eq!(again, kept, "{keep:?}");
    }
}

/// Beside the base over a cache, and merged into it: both are what PEFT merged.
#[test]
fn used_and_merged_it_computes_what_peft_merged() {
    for family in FAMILIES {
        let (golden, config, pairs) = open(family);
        assert_eq_logits(&golden, &logits(&golden, Method::LowRank(config.clone()), &pairs));
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("merged");
        save_merged(&golden, (&config, &pairs), &out);
        let merged = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..golden };
        assert_eq_logits(&merged, &logits(&merged, Method::Frozen, &BTreeMap::new()));
    }
}

/// Lengths that nobody said are those the weights have: without them a fresh pair changes nothing.
#[test]
fn a_fresh_pair_of_unsaid_length_changes_nothing() {
    let (golden, config, mut pairs) = open(("llama", "tied"));
    for pair in pairs.values_mut() {
        pair.b.fill(0.0);
        pair.magnitude = None;
    }
    let base = at_once(&golden, Method::Frozen, &BTreeMap::new());
    let fresh = at_once(&golden, Method::LowRank(config), &pairs);
    assert_close("losses", &fresh.losses, &base.losses, 1e-6);
}

#[test]
fn an_adapter_goes_out_as_it_came_in() {
    let (_, config, mut pairs) = open(("qwen3", "tied"));
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("again");
    save_adapter(&out, &config, &pairs).unwrap();
    assert_eq!(load_adapter(&out).unwrap(), (config.clone(), pairs.clone()));

    // Lengths and the word for them belong together.
    let plain = AdapterConfig { use_dora: false, ..config.clone() };
    assert!(save_adapter(&out, &plain, &pairs).unwrap_err().to_string().contains("lora_magnitude_vector"));
    pairs.values_mut().for_each(|pair| pair.magnitude = None);
    assert!(save_adapter(&out, &config, &pairs).unwrap_err().to_string().contains("lora_magnitude_vector"));
}
