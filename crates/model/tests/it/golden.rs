//! Small models and what `transformers` and PEFT make of them in f32. `golden/<family>/make.py` made
//! the numbers and says how.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use penname_engine::backend::cpu::Cpu;
use penname_engine::backend::cpu::isa::Isa;
use penname_engine::{Extent, Keep, Precision, Section, Session, derive, plan};
use penname_model::adapter::Trainable;
use penname_model::merge::save_whole;
use penname_model::network::PairSlot;
use penname_model::peft::{Pair, load_adapter};
use penname_model::whole::Pairs;
use penname_model::{
    Architecture, Checkpoint, Config, Keeping, Method, Network, Packed, Parameters, Purpose, Setup, Storage,
    Whole, build,
};
use serde_json::Value;

/// A row whose target teaches nothing.
const IGNORE: u32 = u32::MAX;

/// A small model and what is expected of it.
pub(crate) struct Golden {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) config: Config,
    pub(crate) expected: Checkpoint,
    pub(crate) numbers: Value,
    pub(crate) documents: Vec<Vec<u32>>,
}

/// `family/name` among the golden files.
pub(crate) fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
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

impl Golden {
    /// An expected tensor, turned if it belongs to a parameter that is published as (in, out).
    fn expected(&self, tensor: &str, parameter: &str) -> Vec<f32> {
        let mut values = Vec::new();
        self.expected.read_f32(tensor, &mut values).unwrap();
        let architecture = Architecture::find(&self.config.model_type).unwrap();
        let shape = &self.expected.info(tensor).unwrap().shape;
        // gpt-oss has all matrices of its experts so, as one tensor.
        let fused = shape.len() == 3 && self.config.model_type == "gpt_oss";
        if !fused && !architecture.turns(parameter) {
            return values;
        }
        let n_out = shape[shape.len() - 1];
        let each = if fused { shape[1] * n_out } else { values.len() };
        let turn = |matrix: &[f32]| -> Vec<f32> {
            (0..n_out).flat_map(|n| matrix[n..].iter().step_by(n_out).copied().collect::<Vec<_>>()).collect()
        };
        values.chunks(each).flat_map(turn).collect()
    }
}

pub(crate) fn full() -> Method {
    Method::Full(Trainable::default())
}

pub(crate) fn lora(name: &str) -> (Method, BTreeMap<String, Pair>) {
    let (config, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
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
pub(crate) struct Outcome {
    pub(crate) losses: Vec<f32>,
    pub(crate) gradients: BTreeMap<String, Vec<f32>>,
}

/// How a step is run.
pub(crate) struct Step<'a> {
    pub(crate) method: Method,
    pub(crate) pairs: &'a BTreeMap<String, Pair>,
    pub(crate) keep: Keep,
    /// Documents of each micro-batch.
    pub(crate) micro: &'a [Vec<Vec<u32>>],
}

/// Forward and backward of every micro-batch; losses are divided once by the targets of all.
pub(crate) fn run(golden: &Golden, step: &Step<'_>) -> Outcome {
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
pub(crate) fn at_once(golden: &Golden, method: Method, pairs: &BTreeMap<String, Pair>) -> Outcome {
    run(golden, &Step { method, pairs, keep: Keep::All, micro: std::slice::from_ref(&golden.documents) })
}

/// Writes base and pairs as one model in a folder.
pub(crate) fn save_merged(golden: &Golden, pairs: Pairs<'_>, folder: &Path) {
    let whole = Whole::of(&golden.checkpoint, golden.config.clone(), Some(pairs)).unwrap();
    save_whole(&whole, Storage::F32, folder).unwrap();
}

/// Losses of every row under weights as they are.
pub(crate) fn losses(golden: &Golden) -> Vec<f32> {
    at_once(golden, Method::Frozen, &BTreeMap::new()).losses
}

/// Asserts that it does not matter which documents are packed together, or how many at a time.
pub(crate) fn assert_packing_changes_nothing(name: &str, methods: &[Method]) {
    let golden = golden(name);
    let one_by_one: Vec<Vec<Vec<u32>>> = golden.documents.iter().map(|ids| vec![ids.clone()]).collect();
    let (_, pairs) = lora(name);
    for method in methods {
        let together = at_once(&golden, method.clone(), &pairs);
        let apart = run(
            &golden,
            &Step { method: method.clone(), pairs: &pairs, keep: Keep::All, micro: &one_by_one },
        );
        assert_close("losses", &apart.losses, &together.losses, 1e-6);
        for (name, gradient) in &together.gradients {
            assert_close(name, &apart.gradients[name], gradient, 1e-5);
        }
    }
}

/// Asserts that what is computed again is the same to the last bit.
pub(crate) fn assert_recomputing_changes_nothing(name: &str, methods: &[Method]) {
    let golden = golden(name);
    let micro = std::slice::from_ref(&golden.documents);
    let (_, pairs) = lora(name);
    for method in methods {
        let kept = at_once(&golden, method.clone(), &pairs);
        for keep in Keep::ALL {
            let again = run(&golden, &Step { method: method.clone(), pairs: &pairs, keep, micro });
            assert_eq!(again, kept, "{keep:?}");
        }
    }
}

/// Asserts that no number is further off than `tolerance` of the largest.
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    let worst = found.iter().zip(expected).fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(worst <= tolerance * largest, "{what}: {worst} off, the largest is {largest}");
}

/// Asserts that loss and gradients are the expected ones, and that there are no others.
pub(crate) fn assert_expected(golden: &Golden, outcome: &Outcome, prefix: &str, loss: &str) {
    let n_targets: usize = golden.documents.iter().map(|ids| ids.len() - 1).sum();
    let found = outcome.losses.iter().map(|x| f64::from(*x)).sum::<f64>() / n_targets as f64;
    let expected = golden.numbers[loss].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-5 * expected, "{loss}: {found}, expected {expected}");
    let names: Vec<&str> = golden.expected.names().filter_map(|name| name.strip_prefix(prefix)).collect();
    assert_eq!(outcome.gradients.keys().map(String::as_str).collect::<Vec<_>>(), names);
    for name in names {
        let expected = golden.expected(&format!("{prefix}{name}"), name);
        // Both sides sum in f32, in different orders; anything wrong is off by far more.
        assert_close(name, &outcome.gradients[name], &expected, 2e-5);
    }
}

/// Asserts that full training has the loss and the gradients of `transformers`.
pub(crate) fn assert_full(name: &str) {
    let golden = golden(name);
    assert_expected(&golden, &at_once(&golden, full(), &BTreeMap::new()), "full.", "loss");
}

/// Asserts that training pairs has the loss and the gradients of PEFT.
pub(crate) fn assert_lora(name: &str) {
    let golden = golden(name);
    let (method, pairs) = lora(name);
    assert_expected(&golden, &at_once(&golden, method, &pairs), "lora.", "lora_loss");
}

/// Asserts that a model with its pairs merged computes what both beside each other do.
pub(crate) fn assert_merged(name: &str) {
    merged(name);
}

/// A model with its pairs merged, as it lies in a folder: it computes what both beside each other do.
pub(crate) fn merged(name: &str) -> (tempfile::TempDir, Golden) {
    let golden = golden(name);
    let (config, pairs) = load_adapter(&folder(name).join("adapter")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("merged");
    save_merged(&golden, (&config, &pairs), &out);
    let beside = at_once(&golden, Method::LowRank(config), &pairs).losses;
    let merged = Golden { checkpoint: Checkpoint::open(&out).unwrap(), ..golden };
    assert_eq!(merged.checkpoint.config().unwrap(), merged.config);
    assert_close("losses", &losses(&merged), &beside, 1e-5);
    (dir, merged)
}

/// Asserts that the logits of every row are those of `transformers`.
pub(crate) fn assert_logits(name: &str) {
    let golden = golden(name);
    assert_eq_logits(&golden, &logits(&golden, Method::Frozen, &BTreeMap::new()));
}

/// Asserts that these are the expected logits.
pub(crate) fn assert_eq_logits(golden: &Golden, found: &[Vec<f32>]) {
    for (idx, found) in found.iter().enumerate() {
        let mut expected = Vec::new();
        golden.expected.read_f32(&format!("logits.{idx}"), &mut expected).unwrap();
        assert_close(&format!("{} {idx}", golden.config.model_type), found, &expected, 1e-5);
    }
}

/// The logits of every row of every document, over a cache.
pub(crate) fn logits(golden: &Golden, method: Method, pairs: &BTreeMap<String, Pair>) -> Vec<Vec<f32>> {
    let device = &mut cpu();
    let net = network(&golden.config, method, Purpose::Generate { cache_rows: 64 });
    let mut parameters = Parameters::load(&golden.checkpoint, &net, Keeping::Stored, device).unwrap();
    parameters.add_frozen_pairs(&net, device, |slot| &pairs[&slot.module]).unwrap();
    let mut session = parameters.session(net.program.clone(), device).unwrap();
    let mut all = Vec::new();
    for ids in &golden.documents {
        let rows: Vec<u32> = (0..ids.len() as u32).collect();
        let extent = Extent { tokens: ids.len(), picked: ids.len() };
        session.write_ids(device, net.inputs.tokens, extent, ids);
        session.write_ids(device, net.inputs.positions, extent, &rows);
        session.write_ids(device, net.inputs.first.unwrap(), extent, &vec![0; ids.len()]);
        session.write_ids(device, net.inputs.at.unwrap(), extent, &rows);
        session.write_ids(device, net.inputs.picked, extent, &rows);
        session.run(device, Section::Forward, extent).unwrap();
        all.push(session.read(device, net.result, extent));
    }
    all
}
