//! Two small Llamas against what `transformers` and PEFT make of them in f32, and the laws of a
//! step. `golden/llama/make.py` made the numbers and says how.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Extent, Keep, Precision, Role, Section, Session, derive, plan};
use penname_model::adapter::Trainable;
use penname_model::network::PairSlot;
use penname_model::peft::{AdapterConfig, Pair, load_adapter};
use penname_model::{
    Checkpoint, Config, Keeping, Method, Network, Packed, Parameters, Purpose, Setup, build,
};
use serde_json::Value;

/// A row whose target teaches nothing.
const IGNORE: u32 = u32::MAX;

/// A small Llama and what is expected of it.
pub(crate) struct Golden {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) config: Config,
    expected: Checkpoint,
    numbers: Value,
    pub(crate) documents: Vec<Vec<u32>>,
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden/llama").join(name)
}

pub(crate) fn golden(name: &str) -> Golden {
    let dir = folder(name);
    let checkpoint = Checkpoint::open(&dir).unwrap();
    let numbers: Value = serde_json::from_slice(&std::fs::read(dir.join("numbers.json")).unwrap()).unwrap();
    Golden {
        config: checkpoint.config().unwrap(),
        expected: Checkpoint::open(dir.join("expected.safetensors")).unwrap(),
        documents: serde_json::from_value(numbers["documents"].clone()).unwrap(),
        checkpoint,
        numbers,
    }
}

pub(crate) fn full() -> Method {
    Method::Full(Trainable::default())
}

pub(crate) fn lora() -> (Method, BTreeMap<String, Pair>) {
    let (config, pairs) = load_adapter(&folder("tied/adapter")).unwrap();
    (Method::LowRank(config), pairs)
}

pub(crate) fn cpu() -> Cpu {
    Cpu::with(NonZeroUsize::MIN, Isa::best())
}

pub(crate) fn network(config: &Config, method: Method, purpose: Purpose) -> Network {
    let capacity = Extent { tokens: 64, picked: 64 };
    build(config, &Setup { method, precision: Precision::F32, capacity, purpose }).unwrap()
}

/// Losses of every row in nats, and the gradients by name.
#[derive(Debug, PartialEq)]
struct Outcome {
    losses: Vec<f32>,
    gradients: BTreeMap<String, Vec<f32>>,
}

/// How a step is run.
struct Step<'a> {
    method: Method,
    pairs: &'a BTreeMap<String, Pair>,
    keep: Keep,
    /// Documents of each micro-batch.
    micro: &'a [Vec<Vec<u32>>],
}

/// Forward and backward of every micro-batch; losses are divided once by the targets of all.
fn run(golden: &Golden, step: &Step<'_>) -> Outcome {
    let device = &mut cpu();
    let mut net = network(&golden.config, step.method.clone(), Purpose::Loss);
    let mut parameters = Parameters::load(&golden.checkpoint, &net, Keeping::Stored, device).unwrap();
    parameters.add_pairs(&net, device, |slot: &PairSlot| step.pairs[&slot.module].clone()).unwrap();
    derive(&mut net.program, &[], &[]);
    plan::recompute(&mut net.program, step.keep);
    net.program.check().unwrap();
    let mut session = parameters.session(net.program.clone(), device).unwrap();
    let n_targets: usize = step.micro.iter().flatten().map(|ids| ids.len() - 1).sum();
    session.run(device, Section::Begin, Extent::default()).unwrap();
    let mut losses = Vec::new();
    for documents in step.micro {
        let extent = feed(&session, &net, device, documents, 1.0 / n_targets as f32);
        session.run(device, Section::Forward, extent).unwrap();
        session.run(device, Section::Backward, extent).unwrap();
        losses.extend(session.read(device, net.result, extent));
    }
    assert!(session.fallbacks.is_empty(), "{:?}", session.fallbacks);
    let gradients = net.program.trainable().into_iter().map(|(weight, gradient)| {
        let name = net.program.tensor(weight).name.clone();
        (name, session.read(device, gradient, Extent::default()))
    });
    Outcome { losses, gradients: gradients.collect() }
}

/// Writes documents side by side to the inputs of a network made for a loss.
fn feed(session: &Session, net: &Network, device: &mut Cpu, documents: &[Vec<u32>], scale: f32) -> Extent {
    let (mut positions, mut starts, mut targets) = (Vec::new(), Vec::new(), Vec::new());
    for ids in documents {
        let start = positions.len() as u32;
        positions.extend(0..ids.len() as u32);
        starts.extend(ids.iter().map(|_| start));
        targets.extend(ids[1..].iter().copied().chain([IGNORE]));
    }
    let tokens = documents.concat();
    let packed =
        Packed { tokens: &tokens, positions: &positions, starts: &starts, shared: 0, targets: &targets };
    packed.feed(net, session, device, scale);
    session.write_ids(device, net.inputs.dropout_seed, packed.extent(), &[0]);
    packed.extent()
}

/// The whole step in one micro-batch, everything kept.
fn at_once(golden: &Golden, method: Method, pairs: &BTreeMap<String, Pair>) -> Outcome {
    run(golden, &Step { method, pairs, keep: Keep::All, micro: std::slice::from_ref(&golden.documents) })
}

/// Asserts that no number is further off than `tolerance` of the largest.
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    let worst = found.iter().zip(expected).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(worst <= tolerance * largest, "{what}: {worst} off, the largest is {largest}");
}

/// Asserts that loss and gradients are the expected ones, and that there are no others.
fn assert_expected(golden: &Golden, outcome: &Outcome, prefix: &str, loss: &str) {
    let n_targets: usize = golden.documents.iter().map(|ids| ids.len() - 1).sum();
    let found = outcome.losses.iter().map(|x| f64::from(*x)).sum::<f64>() / n_targets as f64;
    let expected = golden.numbers[loss].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-5 * expected, "{loss}: {found}, expected {expected}");
    let names: Vec<&str> = golden.expected.names().filter_map(|name| name.strip_prefix(prefix)).collect();
    assert_eq!(outcome.gradients.keys().map(String::as_str).collect::<Vec<_>>(), names);
    for name in names {
        let mut expected = Vec::new();
        golden.expected.read_f32(&format!("{prefix}{name}"), &mut expected).unwrap();
        // Both sides sum in f32, in different orders; anything wrong is off by far more.
        assert_close(name, &outcome.gradients[name], &expected, 2e-5);
    }
}

#[test]
fn logits_are_those_of_transformers() {
    for name in ["tied", "untied"] {
        let golden = golden(name);
        let device = &mut cpu();
        let net = network(&golden.config, Method::Frozen, Purpose::Generate { cache_rows: 64 });
        let parameters = Parameters::load(&golden.checkpoint, &net, Keeping::Stored, device).unwrap();
        let mut session = parameters.session(net.program.clone(), device).unwrap();
        for (idx, ids) in golden.documents.iter().enumerate() {
            let rows: Vec<u32> = (0..ids.len() as u32).collect();
            let extent = Extent { tokens: ids.len(), picked: ids.len() };
            session.write_ids(device, net.inputs.tokens, extent, ids);
            session.write_ids(device, net.inputs.positions, extent, &rows);
            session.write_ids(device, net.inputs.first.unwrap(), extent, &vec![0; ids.len()]);
            session.write_ids(device, net.inputs.at.unwrap(), extent, &rows);
            session.write_ids(device, net.inputs.picked, extent, &rows);
            session.run(device, Section::Forward, extent).unwrap();
            let mut expected = Vec::new();
            golden.expected.read_f32(&format!("logits.{idx}"), &mut expected).unwrap();
            let found = session.read(device, net.result, extent);
            assert_close(&format!("{name} {idx}"), &found, &expected, 1e-5);
        }
    }
}

#[test]
fn full_training_has_the_gradients_of_transformers() {
    for name in ["tied", "untied"] {
        let golden = golden(name);
        assert_expected(&golden, &at_once(&golden, full(), &BTreeMap::new()), "full.", "loss");
    }
}

#[test]
fn a_low_rank_pair_has_the_gradients_of_peft() {
    let golden = golden("tied");
    let (method, pairs) = lora();
    assert_expected(&golden, &at_once(&golden, method, &pairs), "lora.", "lora_loss");
}

#[test]
fn packed_documents_and_micro_batches_change_nothing() {
    let golden = golden("tied");
    let one_by_one: Vec<Vec<Vec<u32>>> = golden.documents.iter().map(|ids| vec![ids.clone()]).collect();
    let (low_rank, pairs) = lora();
    for method in [full(), low_rank] {
        let together = at_once(&golden, method.clone(), &pairs);
        let apart = run(&golden, &Step { method, pairs: &pairs, keep: Keep::All, micro: &one_by_one });
        assert_close("losses", &apart.losses, &together.losses, 1e-6);
        for (name, gradient) in &together.gradients {
            assert_close(name, &apart.gradients[name], gradient, 1e-5);
        }
    }
}

#[test]
fn what_is_computed_again_is_the_same_to_the_last_bit() {
    let golden = golden("tied");
    let micro = std::slice::from_ref(&golden.documents);
    let (low_rank, pairs) = lora();
    for method in [full(), low_rank] {
        let kept = at_once(&golden, method.clone(), &pairs);
        for keep in Keep::ALL {
            let again = run(&golden, &Step { method: method.clone(), pairs: &pairs, keep, micro });
            assert_eq!(again, kept, "{keep:?}");
        }
    }
}

#[test]
fn only_what_is_trained_has_a_gradient() {
    let golden = golden("untied");
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
    let golden = golden("tied");
    let (method, mut pairs) = lora();
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
    let golden = golden("tied");
    let before = at_once(&golden, Method::Frozen, &BTreeMap::new()).losses;
    let mut changed = golden;
    let last = changed.documents[0].len() - 1;
    changed.documents[0][last] ^= 1;
    let after = at_once(&changed, Method::Frozen, &BTreeMap::new()).losses;
    let moved: Vec<usize> = (0..before.len()).filter(|&row| before[row] != after[row]).collect();
    assert_eq!(moved, [last - 1], "only the row whose target is another one");
}
