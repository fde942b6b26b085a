//! Small Qwen2 and Qwen3 models against what `transformers` and PEFT make of them in f32, in every
//! container.

use penname_engine::op::Op;
use penname_engine::{DType, Section, derive};
use penname_model::{Method, Purpose};

use crate::as_gguf::assert_same_there_and_back;
use crate::golden::{
    assert_full, assert_logits, assert_lora, assert_merged, assert_packing_changes_nothing,
    assert_recomputing_changes_nothing, full, golden, lora, network,
};

const ALL_SHAPES: [&str; 3] = ["qwen2/tied", "qwen3/tied", "qwen3/untied"];
const WITH_PAIRS: [&str; 2] = ["qwen2/tied", "qwen3/tied"];

/// Through the cache, as answers are written.
#[test]
fn logits_are_those_of_transformers() {
    ALL_SHAPES.into_iter().for_each(assert_logits);
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    ALL_SHAPES.into_iter().for_each(assert_full);
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    WITH_PAIRS.into_iter().for_each(assert_lora);
}

#[test]
fn packed_documents_and_micro_batches_change_nothing() {
    assert_packing_changes_nothing("qwen3/tied", &[full(), lora("qwen3/tied").0]);
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    assert_recomputing_changes_nothing("qwen3/tied", &[full(), lora("qwen3/tied").0]);
}

/// The gains of frozen heads have no gradient, and stay f32 whatever products are rounded to.
#[test]
fn head_norms_are_parameters_like_others() {
    let golden = golden("qwen3/tied");
    let count = |method: Method| {
        let mut program = network(&golden.config, method, Purpose::Loss).program;
        derive(&mut program, &[], &[]);
        let backward = program.steps().iter().filter(|step| step.section == Section::Backward);
        backward
            .filter_map(|step| match &step.op {
                Op::HeadNormBackward(op) => Some(op.dgammas.iter().flatten().count()),
                _ => None,
            })
            .sum::<usize>()
    };
    assert_eq!(count(full()), 2 * golden.config.n_layers);
    assert_eq!(count(lora("qwen3/tied").0), 0);
    let net = network(&golden.config, Method::Frozen, Purpose::Loss);
    let gains = net.parameters.iter().filter(|parameter| parameter.name.ends_with("_norm.weight"));
    assert!(gains.clone().count() == 4);
    assert!(gains.clone().all(|gain| net.program.tensor(gain.id).dtype == DType::F32));
}

#[test]
fn a_merged_model_computes_what_the_adapter_computes() {
    WITH_PAIRS.into_iter().for_each(assert_merged);
}

/// The same model under the names converters give it: rows as published, heads of their own width.
#[test]
fn a_gguf_file_is_the_same_model() {
    ALL_SHAPES.into_iter().map(golden).for_each(assert_same_there_and_back);
}
