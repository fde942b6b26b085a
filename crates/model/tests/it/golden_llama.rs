//! Two small Llamas against what `transformers` and PEFT make of them in f32, and the laws of a step.

use std::collections::BTreeMap;

use penname_engine::{Role, derive};
use penname_model::adapter::Trainable;
use penname_model::peft::AdapterConfig;
use penname_model::{Method, Purpose};

use crate::golden::{
    assert_full, assert_logits, assert_lora, assert_packing_changes_nothing,
    assert_recomputing_changes_nothing, at_once, full, golden, lora, network,
};

#[test]
fn logits_are_those_of_transformers() {
    assert_logits("llama/tied");
    assert_logits("llama/untied");
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    ["llama/tied", "llama/untied"].into_iter().for_each(assert_full);
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    assert_lora("llama/tied");
}

#[test]
fn packed_documents_and_micro_batches_change_nothing() {
    assert_packing_changes_nothing("llama/tied", &[full(), lora("llama/tied").0]);
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    assert_recomputing_changes_nothing("llama/tied", &[full(), lora("llama/tied").0]);
}

#[test]
fn only_what_is_trained_has_a_gradient() {
    let golden = golden("llama/untied");
    let count = |method: Method| {
        let mut program = network(&golden.config, method, Purpose::Loss).program;
        derive(&mut program, &[], &[]);
        program.iter().filter(|(_, tensor)| tensor.role == Role::Gradient).count()
    };
    let only = |pattern: &str| Method::Full(Trainable { patterns: vec![pattern.to_owned()] });
    let pairs = |target: &str| Method::LowRank(AdapterConfig::new(4, 8.0, [target.to_owned()]));
    assert_eq!(count(Method::Frozen), 0);
    assert_eq!(count(full()), 2 * 9 + 3);
    assert_eq!(count(only("*.mlp.*")), 2 * 3);
    assert_eq!(count(only("lm_head.weight")), 1);
    assert_eq!(count(pairs("q_proj")), 2 * 2);
    assert_eq!(count(pairs("model.layers.1.mlp.down_proj")), 2);
}

#[test]
fn a_pair_whose_second_half_is_zero_changes_nothing() {
    let golden = golden("llama/tied");
    let (method, mut pairs) = lora("llama/tied");
    pairs.values_mut().for_each(|pair| pair.b.fill(0.0));
    let base = at_once(&golden, Method::Frozen, &BTreeMap::new());
    let adapted = at_once(&golden, method, &pairs);
    assert_eq!(adapted.losses, base.losses);
    let (halves, others): (Vec<_>, Vec<_>) =
        adapted.gradients.iter().partition(|(name, _)| name.ends_with("lora_A"));
    assert!(halves.iter().all(|(_, gradient)| gradient.iter().all(|x| *x == 0.0)), "dA is made of B");
    assert!(others.iter().all(|(_, gradient)| gradient.iter().any(|x| *x != 0.0)), "dB is not");
}

#[test]
fn a_token_does_not_move_what_came_before_it() {
    let golden = golden("llama/tied");
    let before = at_once(&golden, Method::Frozen, &BTreeMap::new()).losses;
    let mut changed = golden;
    let last = changed.documents[0].len() - 1;
    changed.documents[0][last] ^= 1;
    let after = at_once(&changed, Method::Frozen, &BTreeMap::new()).losses;
    let moved: Vec<usize> = (0..before.len()).filter(|&row| before[row] != after[row]).collect();
    assert_eq!(moved, [last - 1], "only the row whose target is another one");
}
