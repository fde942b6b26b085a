//! A base on disk computes what the base in memory does, and what is damaged is made again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use penname_engine::{Extent, Precision, Section, derive};
use penname_ledger::Hash;
use penname_model::network::PairSlot;
use penname_model::peft::Pair;
use penname_model::{Checkpoint, Keeping, Method, Packed, Parameters, Purpose, Quantizer, Shelf};

use crate::golden::{cpu, folder, lora, network};

/// Losses and gradients of pairs beside a base in memory, or on a shelf.
fn outcome(base: &Path, keeping: Keeping, shelf: Option<&Shelf>) -> (Vec<f32>, Vec<Vec<f32>>) {
    let checkpoint = Checkpoint::open(base).unwrap();
    let config = checkpoint.config().unwrap();
    let (method, pairs): (Method, BTreeMap<String, Pair>) = lora(&base.display().to_string());
    let device = &mut cpu();
    let mut net = network(&config, method, Purpose::Loss);
    let mut parameters = match shelf {
        Some(shelf) => Parameters::load_shelved(&checkpoint, &net, keeping, shelf, device).unwrap(),
        None => Parameters::load(&checkpoint, &net, keeping, device).unwrap(),
    };
    parameters.add_pairs(&net, device, |slot: &PairSlot| pairs[&slot.module].clone()).unwrap();
    derive(&mut net.program, &[], &[]);
    let mut session = parameters.session(net.program.clone(), device).unwrap();
    let tokens: Vec<u32> = (0..20).map(|at| 3 + at * 7 % 50).collect();
    let (positions, starts): (Vec<u32>, Vec<u32>) = ((0..20).collect(), vec![0; 20]);
    let targets: Vec<u32> = tokens[1..].iter().copied().chain([u32::MAX]).collect();
    let packed =
        Packed { tokens: &tokens, positions: &positions, starts: &starts, shared: 0, targets: &targets };
    packed.feed(&net, &session, device, 0.05);
    session.write_ids(device, net.inputs.dropout_seed, packed.extent(), &[0]);
    session.run(device, Section::Begin, Extent::default()).unwrap();
    session.run(device, Section::Forward, packed.extent()).unwrap();
    session.run(device, Section::Backward, packed.extent()).unwrap();
    let losses = session.read(device, net.result, packed.extent());
    let gradients = net.program.trainable().into_iter();
    let gradients = gradients.map(|(_, gradient)| session.read(device, gradient, Extent::default()));
    (losses, gradients.collect())
}

/// Every way a weight may lie: rows, coded, turned over, of experts, in MXFP4 as published.
const BASES: [(&str, Keeping); 8] = [
    ("llama/tied", Keeping::Stored),
    ("gpt2/tied", Keeping::Rounded),
    ("qwen3_moe/renormalised", Keeping::Stored),
    ("gpt_oss/mxfp4", Keeping::Stored),
    ("gpt_oss/mxfp4", Keeping::Rounded),
    ("methods/qwen3_moe-wide", Keeping::Quantized(Quantizer::Nf4)),
    ("methods/gpt_oss-wide", Keeping::Quantized(Quantizer::Q8_0)),
    ("methods/llama-wide", Keeping::Quantized(Quantizer::Q4_0)),
];

#[test]
fn it_computes_what_memory_does_to_the_last_bit() {
    let dir = tempfile::tempdir().unwrap();
    for (name, keeping) in BASES {
        let base = folder(name);
        let memory = outcome(&base, keeping, None);
        let shelf = Shelf::new(dir.path().join("packed"), Hash::of(name.as_bytes()));
        // Made, and found.
        for time in ["first", "second"] {
            assert!(outcome(&base, keeping, Some(&shelf)) == memory, "{name} {keeping}, the {time} time");
        }
    }
    let n_packed = fs::read_dir(dir.path().join("packed")).unwrap().count();
    assert_eq!(n_packed, BASES.len(), "one folder for each base and way to keep it");
}

#[expect(clippy::disallowed_methods, reason = "a disk that loses things")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_is_made_again() {
    let (dir, base) = (tempfile::tempdir().unwrap(), folder("llama/tied"));
    let shelf = Shelf::new(dir.path(), Hash::of(b"tied"));
    let memory = outcome(&base, Keeping::Stored, None);
    let loaded = || assert!(outcome(&base, Keeping::Stored, Some(&shelf)) == memory);
    loaded();
    let entry: PathBuf = fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let [panels, index] = ["panels.bin", "index.json"].map(|name| entry.join(name));
    let whole = [fs::read(&panels).unwrap(), fs::read(&index).unwrap()];
    let text = String::from_utf8(whole[1].clone()).unwrap();
    let check = |path: &Path, bytes: &[u8]| {
        put(path, bytes);
        loaded();
        assert!([fs::read(&panels).unwrap(), fs::read(&index).unwrap()] == whole);
    };
    check(&panels, &whole[0][..whole[0].len() / 2]);
    check(&panels, &[]);
    check(&index, b"{");
    check(&index, br#"{"matrices":{}}"#);
    check(&index, text.replacen("\"rows\": 32", "\"rows\": 33", 1).as_bytes());
    check(&index, text.replacen("\"bytes\": ", "\"bytes\": 1844674407370955161", 1).as_bytes());
    check(&index, text.replacen("\"bytes\": ", "\"bytes\": 9", 1).as_bytes());
}

#[test]
fn another_base_has_another_place() {
    let device = cpu();
    let place = |base: &[u8], precision, keeping| {
        Shelf::new("shelf", Hash::of(base)).place(precision, keeping, &device).unwrap()
    };
    let own = place(b"one", Precision::Bf16, Keeping::Stored);
    assert_eq!(own, place(b"one", Precision::Bf16, Keeping::Stored));
    assert_ne!(own, place(b"other", Precision::Bf16, Keeping::Stored));
    assert_ne!(own, place(b"one", Precision::F32, Keeping::Stored));
    assert_ne!(own, place(b"one", Precision::Bf16, Keeping::Rounded));
}
