//! Small mixtures of experts, Qwen3-MoE and gpt-oss, against what `transformers` and PEFT make of them in
//! f32, and the laws of a step.

use std::collections::BTreeMap;

use penname_engine::{Extent, Precision, Role, Section, derive};
use penname_model::peft::AdapterConfig;
use penname_model::{Keeping, Method, Packed, Parameters, Purpose, Quantizer, Scorer, Setup, build};

use crate::as_gguf::assert_same_from_a_file;
use crate::golden::{
    Golden, Outcome, assert_close, assert_expected, assert_full, assert_logits,
    assert_packing_changes_nothing, assert_recomputing_changes_nothing, at_once, cpu, golden, lora, network,
};

pub(crate) const QWEN: [&str; 2] = ["qwen3_moe/renormalised", "qwen3_moe/plain"];
pub(crate) const WITH_PAIRS: [&str; 2] = ["qwen3_moe/renormalised", "gpt_oss/mxfp4"];
pub(crate) const TRAINED: [&str; 3] = [QWEN[0], QWEN[1], "gpt_oss/fused"];

/// The gradients of experts' pairs under the names and in the layout PEFT gives them.
fn as_peft(golden: &Golden, outcome: Outcome) -> Outcome {
    let experts = golden.config.experts.as_ref().unwrap().count;
    let rename = |(name, gradient): (String, Vec<f32>)| {
        let Some((module, half)) = name.split_once(".experts.") else { return (name, gradient) };
        let name = half.replace("gate_up_proj.", "base_layer.").replace("down_proj.", "");
        let turned = if half.ends_with("lora_B") { experts_innermost(&gradient, experts) } else { gradient };
        (format!("{module}.experts.{name}"), turned)
    };
    Outcome { gradients: outcome.gradients.into_iter().map(rename).collect(), ..outcome }
}

/// (X·N, R) as (N, R·X), for the rank of four that the goldens have.
fn experts_innermost(b: &[f32], experts: usize) -> Vec<f32> {
    let (rank, mut out) = (4, vec![0.0; b.len()]);
    let n_out = b.len() / rank / experts;
    for (at, value) in b.iter().enumerate() {
        let (expert, n, r) = (at / (n_out * rank), at / rank % n_out, at % rank);
        out[(n * rank + r) * experts + expert] = *value;
    }
    out
}

#[test]
fn logits_are_those_of_transformers() {
    TRAINED.into_iter().chain(["gpt_oss/mxfp4"]).for_each(assert_logits);
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    TRAINED.into_iter().for_each(assert_full);
}

/// Pairs beside attention and beside every expert.
#[test]
fn low_rank_pairs_have_the_gradients_of_peft() {
    for name in WITH_PAIRS {
        let golden = golden(name);
        let (method, pairs) = lora(name);
        let outcome = as_peft(&golden, at_once(&golden, method, &pairs));
        assert_expected(&golden, &outcome, "lora.", "lora_loss");
    }
}

#[test]
fn packed_documents_and_micro_batches_change_nothing() {
    WITH_PAIRS.into_iter().for_each(|name| assert_packing_changes_nothing(name, &[lora(name).0]));
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    WITH_PAIRS.into_iter().for_each(|name| assert_recomputing_changes_nothing(name, &[lora(name).0]));
}

#[test]
fn a_token_does_not_move_what_came_before_it() {
    for name in WITH_PAIRS {
        let golden = golden(name);
        let before = at_once(&golden, Method::Frozen, &BTreeMap::new()).losses;
        let mut changed = golden;
        let last = changed.documents[0].len() - 1;
        changed.documents[0][last] ^= 1;
        let after = at_once(&changed, Method::Frozen, &BTreeMap::new()).losses;
        // Other rows may share an expert with another one, and then be summed in another order.
        let moved: Vec<usize> =
            (0..before.len()).filter(|&row| (before[row] - after[row]).abs() > 1e-5).collect();
        assert_eq!(moved, [last - 1], "only the row whose target is another one");
    }
}

/// One token at a time through the cache: windows slide, experts get a row or none.
#[test]
fn decoding_with_a_cache_equals_doing_without() {
    for name in TRAINED.into_iter().chain(["gpt_oss/mxfp4"]) {
        let golden = golden(name);
        let device = &mut cpu();
        let net = network(&golden.config, Method::Frozen, Purpose::Generate { cache_rows: 64 });
        let parameters = Parameters::load(&golden.checkpoint, &net, Keeping::Stored, device).unwrap();
        let mut session = parameters.session(net.program.clone(), device).unwrap();
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        let extent = Extent { tokens: 1, picked: 1 };
        for (position, id) in (0..).zip(&golden.documents[0]) {
            // The sequence does not begin with the cache.
            for (input, value) in [
                (Some(net.inputs.tokens), *id),
                (Some(net.inputs.positions), position),
                (net.inputs.first, 7),
                (net.inputs.at, 7 + position),
                (Some(net.inputs.picked), 0),
            ] {
                session.write_ids(device, input.unwrap(), extent, &[value]);
            }
            session.run(device, Section::Forward, extent).unwrap();
            found.extend(session.read(device, net.result, extent));
        }
        golden.expected.read_f32("logits.0", &mut expected).unwrap();
        assert_close(name, &found, &expected, 1e-5);
    }
}

#[test]
fn experts_are_adapted_by_choice_only() {
    let golden = golden("gpt_oss/fused");
    let count = |method: Method| {
        let mut program = network(&golden.config, method, Purpose::Loss).program;
        derive(&mut program, &[], &[]);
        program.iter().filter(|(_, tensor)| tensor.role == Role::Gradient).count()
    };
    let attention = ["q_proj", "k_proj", "v_proj", "o_proj", "down_proj"].map(str::to_owned);
    let mut config = AdapterConfig::new(4, 8.0, attention);
    assert_eq!(count(Method::LowRank(config.clone())), 2 * 4 * 2);
    config.target_parameters = ["mlp.experts.down_proj".to_owned()].into();
    assert_eq!(count(Method::LowRank(config)), 2 * 4 * 2 + 2 * 2);
}

/// Blocks decoded on the way into a product give what decoding them first gives.
#[test]
fn a_base_of_blocks_computes_what_the_decoded_one_does() {
    let golden = golden("gpt_oss/mxfp4");
    let (method, pairs) = lora("gpt_oss/mxfp4");
    for precision in [Precision::F32, Precision::Bf16] {
        let losses = |keeping: Keeping| {
            let device = &mut cpu();
            let capacity = Extent { tokens: 64, picked: 64 };
            let setup = Setup { method: method.clone(), precision, capacity, purpose: Purpose::Loss };
            let net = build(&golden.config, &setup).unwrap();
            let mut parameters = Parameters::load(&golden.checkpoint, &net, keeping, device).unwrap();
            parameters.add_frozen_pairs(&net, device, |slot| &pairs[&slot.module]).unwrap();
            let ids = &golden.documents[0];
            let positions: Vec<u32> = (0..ids.len() as u32).collect();
            let (starts, targets) = (vec![0; ids.len()], ids.clone());
            let packed =
                Packed { tokens: ids, positions: &positions, starts: &starts, shared: 0, targets: &targets };
            let mut session = parameters.session(net.program.clone(), device).unwrap();
            packed.feed(&net, &session, device, 1.0);
            session.run(device, Section::Forward, packed.extent()).unwrap();
            packed.losses(&net, &session, device)
        };
        assert_eq!(losses(Keeping::Stored), losses(Keeping::Rounded), "{precision:?}");
    }
}

#[test]
fn a_quantized_base_of_experts_is_near_the_one_it_was_made_of() {
    for name in ["gpt_oss/fused", QWEN[0]] {
        let golden = golden(name);
        let device = &mut cpu();
        let net = network(&golden.config, Method::Frozen, Purpose::Loss);
        let keeping = Keeping::Quantized(Quantizer::Q8_0);
        let parameters = Parameters::load(&golden.checkpoint, &net, keeping, device).unwrap();
        let mut scorer = Scorer::new(net, &parameters, device).unwrap();
        let ids = &golden.documents[0];
        let positions: Vec<u32> = (0..ids.len() as u32).collect();
        let targets: Vec<u32> = ids[1..].iter().copied().chain([u32::MAX]).collect();
        let starts = vec![0; ids.len()];
        let packed =
            Packed { tokens: ids, positions: &positions, starts: &starts, shared: 0, targets: &targets };
        let found = scorer.losses(device, packed).unwrap();
        let expected = at_once(&golden, Method::Frozen, &BTreeMap::new()).losses;
        assert_close(name, &found[..ids.len() - 1], &expected[..ids.len() - 1], 0.05);
    }
}

/// Under the names and in the layout that converters give them.
#[test]
fn a_gguf_file_is_the_same_model() {
    for name in ["qwen3_moe/renormalised", "gpt_oss/fused"] {
        let mut golden = golden(name);
        // Programs that run these files clamp as gpt-oss was published.
        let clamp = golden.config.experts.as_mut().and_then(|experts| experts.clamp.as_mut());
        clamp.into_iter().for_each(|clamp| clamp.limit = 7.0);
        let dir = tempfile::tempdir().unwrap();
        assert_same_from_a_file(golden, &dir.path().join("tiny.gguf"));
    }
}
