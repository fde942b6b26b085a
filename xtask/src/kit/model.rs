//! The base as the checks use it: all logits of given ids, and a few steps of training.

use std::collections::BTreeMap;
use std::path::Path;

use penname_engine::backend::cpu::Cpu;
use penname_engine::{Extent, Keep, Precision, Section};
use penname_ledger::Seed;
use penname_model::peft::{AdapterConfig, Pair};
use penname_model::{Checkpoint, Keeping, Method, Network, Parameters, Purpose, Setup, build};
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_in_order};
use penname_train::Settings;
use penname_train::step::Trainer;

use crate::{Result, pair};

/// An adapter's settings and its pairs by module.
pub(super) type Adapter = (AdapterConfig, BTreeMap<String, Pair>);

/// A network with its weights, nothing planned yet.
struct Loaded {
    device: Cpu,
    network: Network,
    parameters: Parameters,
}

fn load(base: &Path, adapter: Option<&Adapter>, n_rows: usize, purpose: Purpose) -> Result<Loaded> {
    let checkpoint = Checkpoint::open(base)?;
    let method = adapter.map_or(Method::Frozen, |(config, _)| Method::LowRank(config.clone()));
    let capacity = Extent { tokens: n_rows, picked: n_rows };
    let setup = Setup { method, precision: Precision::F32, capacity, purpose };
    let network = build(&checkpoint.config()?, &setup)?;
    let mut device = Cpu::new();
    let mut parameters = Parameters::load(&checkpoint, &network, Keeping::Stored, &mut device)?;
    if let Some((_, pairs)) = adapter {
        if let Some(slot) = network.pairs.iter().find(|slot| !pairs.contains_key(&slot.module)) {
            return Err(format!("the adapter has no pair for `{}`", slot.module).into());
        }
        parameters.add_pairs(&network, &mut device, |slot| pairs[&slot.module].clone())?;
    }
    Ok(Loaded { device, network, parameters })
}

/// The logits of every row of every document, (T, V) each.
pub(super) fn logits(
    base: &Path,
    adapter: Option<&Adapter>,
    documents: &[Vec<u32>],
) -> Result<Vec<Vec<f32>>> {
    let longest = documents.iter().map(Vec::len).max().unwrap_or(1);
    let purpose = Purpose::Generate { cache_rows: longest };
    let Loaded { mut device, network, parameters } = load(base, adapter, longest, purpose)?;
    let mut session = parameters.session(network.program.clone(), &mut device)?;
    let mut all = Vec::new();
    for ids in documents {
        let extent = Extent { tokens: ids.len(), picked: ids.len() };
        let rows: Vec<u32> = (0..).take(ids.len()).collect();
        let first = vec![0; ids.len()];
        session.write_ids(&mut device, network.inputs.tokens, extent, ids);
        session.write_ids(&mut device, network.inputs.positions, extent, &rows);
        let cached = [
            (network.inputs.first, &first),
            (network.inputs.at, &rows),
            (Some(network.inputs.picked), &rows),
        ];
        for (input, ids) in cached {
            input.into_iter().for_each(|input| session.write_ids(&mut device, input, extent, ids));
        }
        session.run(&mut device, Section::Forward, extent)?;
        all.push(session.read(&mut device, network.result, extent));
    }
    Ok(all)
}

/// Losses before each of `n_steps` steps on the same documents.
pub(super) fn losses(
    base: &Path,
    adapter: &Adapter,
    documents: &[Vec<u32>],
    rate: f64,
    n_steps: u64,
) -> Result<Vec<f64>> {
    let packs = packs(documents)?;
    let n_rows = packs.iter().map(Pack::len).max().unwrap_or(1);
    let Loaded { mut device, network, parameters } = load(base, Some(adapter), n_rows, Purpose::Loss)?;
    let settings = Settings { clip: 1.0, weight_decay: 0.0, ..Settings::default() };
    let mut trainer = Trainer::new(network, &parameters, &settings, Keep::All, &mut device)?;
    let step = |step| Ok(trainer.step(&mut device, &packs, step, rate, Seed(1))?.loss_nats);
    (0..n_steps).map(step).collect()
}

fn packs(documents: &[Vec<u32>]) -> Result<Vec<Pack>> {
    let sequence = |ids: &Vec<u32>| {
        let mask: Vec<bool> = (0..ids.len()).map(|at| at > 0).collect();
        Sequence { n_trained: ids.len().saturating_sub(1), mask, ids: ids.clone(), ..Sequence::default() }
    };
    let sequences: Vec<Sequence> = documents.iter().map(sequence).collect();
    Ok(pack_in_order(&sequences, documents.iter().map(Vec::len).sum())?)
}

/// A new adapter for the base, its B uniform within `±b`.
pub(super) fn adapter(base: &Path, config: &AdapterConfig, b: f32) -> Result<Adapter> {
    let checkpoint = Checkpoint::open(base)?;
    let capacity = Extent { tokens: 1, picked: 1 };
    let method = Method::LowRank(config.clone());
    let setup = Setup { method, precision: Precision::F32, capacity, purpose: Purpose::Loss };
    let network = build(&checkpoint.config()?, &setup)?;
    let pairs =
        network.pairs.iter().map(|slot| (slot.module.clone(), pair::draw(&network, slot, Seed(1), b)));
    Ok((config.clone(), pairs.collect()))
}
