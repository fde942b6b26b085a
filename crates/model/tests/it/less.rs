//! Work that is left out leaves no trace: rows without loss, what documents begin with alike, and
//! what lies below the lowest pair.

use std::collections::BTreeMap;

use penname_engine::op::Op;
use penname_engine::{Keep, Section, derive, plan};
use penname_model::network::PairSlot;
use penname_model::peft::{AdapterConfig, Pair};
use penname_model::{Keeping, Method, Packed, Parameters, Purpose};

use crate::golden::{Golden, assert_close, cpu, full, golden, lora, network};

/// A row whose target teaches nothing.
const IGNORE: u32 = u32::MAX;

/// Documents side by side.
#[derive(Debug, Clone, Default)]
struct Rows {
    tokens: Vec<u32>,
    positions: Vec<u32>,
    starts: Vec<u32>,
    shared: usize,
    targets: Vec<u32>,
}

impl Rows {
    /// Every token is the target of the row before it.
    fn new(documents: &[Vec<u32>]) -> Self {
        let mut rows = Self::default();
        for ids in documents {
            let start = rows.tokens.len() as u32;
            rows.tokens.extend(ids);
            rows.positions.extend(0..ids.len() as u32);
            rows.starts.extend(ids.iter().map(|_| start));
            rows.targets.extend(ids[1..].iter().copied().chain([IGNORE]));
        }
        rows
    }

    /// Every document with `prefix` before it and no target inside, laid down once or for each.
    fn prefixed(prefix: &[u32], documents: &[Vec<u32>], once: bool) -> Self {
        let n = prefix.len();
        let begun: Vec<Vec<u32>> = documents.iter().map(|ids| [prefix, ids].concat()).collect();
        let mut rows = Self { shared: if once { n } else { 0 }, ..Self::default() };
        for (idx, document) in begun.iter().enumerate() {
            let whole = Self::new(std::slice::from_ref(document)).only(|row| row >= n);
            // Once: the second and later documents leave out what the first began with.
            let cut = if once { n } else { 0 };
            for piece in [0..cut, cut..document.len()].into_iter().skip(usize::from(once && idx > 0)) {
                let start = rows.tokens.len() as u32;
                rows.starts.extend(piece.clone().map(|_| start));
                rows.tokens.extend(&whole.tokens[piece.clone()]);
                rows.positions.extend(&whole.positions[piece.clone()]);
                rows.targets.extend(&whole.targets[piece]);
            }
        }
        rows
    }

    /// The same rows with the targets of those that are `wanted`.
    fn only(&self, wanted: impl Fn(usize) -> bool) -> Self {
        let targets =
            self.targets.iter().enumerate().map(|(row, &t)| if wanted(row) { t } else { IGNORE }).collect();
        Self { targets, ..self.clone() }
    }

    fn packed(&self) -> Packed<'_> {
        let Self { tokens, positions, starts, shared, targets } = self;
        Packed { tokens, positions, starts, shared: *shared, targets }
    }
}

/// The loss of every row, and the gradients by name.
type Outcome = (Vec<f32>, BTreeMap<String, Vec<f32>>);

/// One micro-batch, forward and backward.
fn run(golden: &Golden, method: &Method, pairs: &BTreeMap<String, Pair>, keep: Keep, rows: &Rows) -> Outcome {
    let device = &mut cpu();
    let mut net = network(&golden.config, method.clone(), Purpose::Loss);
    let mut parameters = Parameters::load(&golden.checkpoint, &net, Keeping::Stored, device).unwrap();
    parameters.add_pairs(&net, device, |slot: &PairSlot| pairs[&slot.module].clone()).unwrap();
    derive(&mut net.program, &[], &[]);
    plan::recompute(&mut net.program, keep);
    net.program.check().unwrap();
    let mut session = parameters.session(net.program.clone(), device).unwrap();
    let packed = rows.packed();
    let extent = packed.extent();
    packed.feed(&net, &session, device, 0.125);
    session.write_ids(device, net.inputs.dropout_seed, extent, &[0]);
    for section in [Section::Begin, Section::Forward, Section::Backward] {
        session.run(device, section, extent).unwrap();
    }
    let losses = packed.losses(&net, &session, device);
    let gradients = net.program.trainable().into_iter().map(|(weight, gradient)| {
        (net.program.tensor(weight).name.clone(), session.read(device, gradient, extent))
    });
    (losses, gradients.collect())
}

/// Rows without loss are left out after the last attention. What is left out of one half is computed
/// in the other: losses are the same to the last bit, and the gradients of the halves sum to the whole.
#[test]
fn rows_without_loss_change_no_loss_and_no_gradient() {
    let golden = golden("llama/tied");
    let all = Rows::new(&golden.documents);
    let (low_rank, pairs) = lora("llama/tied");
    for (method, keep) in [(&full(), Keep::All), (&low_rank, Keep::All), (&low_rank, Keep::BlockInputs)] {
        let (losses, whole) = run(&golden, method, &pairs, keep, &all);
        let wanted = |row: usize| row % 3 == 1 || (4..9).contains(&row);
        let (some, first) = run(&golden, method, &pairs, keep, &all.only(wanted));
        let (others, second) = run(&golden, method, &pairs, keep, &all.only(|row| !wanted(row)));
        for (row, loss) in losses.iter().enumerate() {
            let expected = if wanted(row) { (*loss, 0.0) } else { (0.0, *loss) };
            assert_eq!((some[row], others[row]), expected, "row {row}");
        }
        for (name, whole) in &whole {
            let sum: Vec<f32> = first[name].iter().zip(&second[name]).map(|(a, b)| a + b).collect();
            assert_close(name, &sum, whole, 1e-5);
        }
    }
}

fn check_prefix(name: &str, method: &Method, pairs: &BTreeMap<String, Pair>) {
    let golden = golden(name);
    let (prefix, documents) = (&golden.documents[0][..9], &golden.documents[..3]);
    let each = Rows::prefixed(prefix, documents, false);
    let once = Rows::prefixed(prefix, documents, true);
    assert_eq!(once.tokens.len() + 2 * prefix.len(), each.tokens.len());
    for keep in [Keep::All, Keep::BlockInputs] {
        let (expected, whole) = run(&golden, method, pairs, keep, &each);
        let (found, shared) = run(&golden, method, pairs, keep, &once);
        let of_targets = |losses: &[f32]| losses.iter().copied().filter(|x| *x != 0.0).collect::<Vec<_>>();
        assert_close(name, &of_targets(&found), &of_targets(&expected), 1e-5);
        for (name, gradient) in &whole {
            assert_close(name, &shared[name], gradient, 1e-5);
        }
    }
}

/// What all documents begin with is computed once, and all of them add to its gradient.
#[test]
fn a_prefix_computed_once_changes_no_loss_and_no_gradient() {
    let (low_rank, pairs) = lora("llama/tied");
    check_prefix("llama/tied", &low_rank, &pairs);
    check_prefix("llama/tied", &full(), &pairs);
    // Where a window of five tokens slides over prefix and documents, and through experts.
    check_prefix("gpt_oss/fused", &full(), &pairs);
    let (experts, of_experts) = lora("gpt_oss/mxfp4");
    check_prefix("gpt_oss/mxfp4", &experts, &of_experts);
    check_prefix("qwen3_moe/plain", &full(), &pairs);
    // Were the prefix not seen, the losses would be others.
    let golden = golden("llama/tied");
    let once = Rows::prefixed(&golden.documents[0][..9], &golden.documents[..3], true);
    let blind = Rows { shared: 0, ..once.clone() };
    let [seen, unseen] = [&once, &blind].map(|rows| run(&golden, &low_rank, &pairs, Keep::All, rows).0);
    assert!(seen.iter().zip(&unseen).any(|(a, b)| (a - b).abs() > 1e-3));
}

#[test]
fn a_batch_without_any_loss_has_none_and_no_gradient() {
    let golden = golden("llama/tied");
    let (method, pairs) = lora("llama/tied");
    let rows = Rows::new(&golden.documents).only(|_| false);
    let (losses, gradients) = run(&golden, &method, &pairs, Keep::All, &rows);
    assert!(losses.iter().chain(gradients.values().flatten()).all(|x| *x == 0.0));
}

/// With pairs in the upper layer alone, the backward pass ends there.
#[test]
fn nothing_is_computed_below_the_lowest_pair() {
    let golden = golden("llama/tied");
    let lowest = |targets: &[&str]| {
        let targets: Vec<String> = targets.iter().map(|&target| target.to_owned()).collect();
        let method = Method::LowRank(AdapterConfig::new(4, 8.0, targets));
        let mut program = network(&golden.config, method, Purpose::Loss).program;
        derive(&mut program, &[], &[]);
        let backward: Vec<_> =
            program.steps().iter().filter(|step| step.section == Section::Backward).collect();
        let last = backward.last().unwrap();
        let dx = match &last.op {
            Op::LinearBackward(op) => op.dx.is_some(),
            _ => true,
        };
        (backward.iter().filter_map(|step| step.block).min(), last.op.name(), dx)
    };
    assert_eq!(lowest(&["model.layers.1.mlp.down_proj"]), (Some(1), "linear_backward", false));
    assert_eq!(lowest(&["model.layers.1.self_attn.v_proj"]), (Some(1), "linear_backward", false));
    assert_eq!(lowest(&["model.layers.0.mlp.up_proj"]), (Some(0), "linear_backward", false));
    assert_eq!(lowest(&["q_proj", "down_proj"]), (Some(0), "linear_backward", false));
}
