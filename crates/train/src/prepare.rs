//! From a task to the network it trains: setup, batches, fresh adapters, what is kept in memory.

use crate::batch::Batches;
use crate::checkpoint::Tensors;
use crate::error::{Error, Result};
use crate::fit::Task;
use crate::plan::{self, Ask};
use crate::settings::{Learn, Rounding, Settings};
use penname_engine::{Device, Extent, Keep, Precision};
use penname_ledger::Hash;
use penname_ledger::event::{Event, Witness};
use penname_ledger::seed::Seed;
use penname_model::network::PairSlot;
use penname_model::peft::Pair;
use penname_model::{Method, Network, Parameters, Purpose, Residence, Setup, build};
use penname_token::Sequence;

/// Hash of everything the result follows from.
pub(crate) fn fingerprint(task: &Task<'_>) -> Hash {
    let ids = |list: &[Sequence]| -> Vec<u8> {
        let bytes = |s: &Sequence| {
            let tokens = s
                .ids
                .iter()
                .zip(&s.mask)
                .flat_map(|(id, trained)| (id * 2 + u32::from(*trained)).to_le_bytes());
            tokens.chain([0xff; 4]).collect::<Vec<u8>>()
        };
        list.iter().flat_map(bytes).collect()
    };
    let settings = serde_json::to_vec(task.settings).unwrap_or_default();
    let parts =
        [ids(task.train), ids(task.held_out), settings, task.seed.0.to_le_bytes().to_vec(), task.base.into()];
    let hashes: Vec<u8> = parts.iter().flat_map(|part| Hash::of(part).as_bytes().to_vec()).collect();
    Hash::of(&hashes)
}

pub(crate) fn setup(task: &Task<'_>, method: Method) -> Setup {
    let precision = match task.settings.precision {
        Rounding::Bf16 => Precision::Bf16,
        Rounding::F32 => Precision::F32,
    };
    Setup { method, precision, capacity: Extent::tokens(task.settings.batch_tokens), purpose: Purpose::Loss }
}

/// The network that these settings train.
pub(crate) fn network(task: &Task<'_>, settings: &Settings) -> Result<Network> {
    let mut setup = setup(task, settings.method(task.base, task.config)?);
    if settings.neftune > 0.0 {
        setup.purpose = Purpose::NoisyLoss;
    }
    Ok(build(task.config, &setup)?)
}

/// The base as loaded. Full training holds what it changes in f32, so that is how the base is read too.
pub(crate) fn base_network(task: &Task<'_>) -> Result<Network> {
    let method = match task.settings.method(task.base, task.config)? {
        full @ Method::Full(_) => full,
        Method::LowRank(_) | Method::Frozen => Method::Frozen,
    };
    Ok(build(task.config, &setup(task, method))?)
}

/// The sequences in the order of training.
pub(crate) fn batches<'a>(task: &Task<'a>) -> Batches<'a> {
    let &Settings { batch_examples, batch_tokens, learn, .. } = task.settings;
    let batches = Batches::new(task.train, batch_examples, batch_tokens, task.seed);
    if learn == Learn::Text { batches.with_moving_cuts() } else { batches }
}

/// Refuses sequences that go on where a table of learned positions ends.
pub(crate) fn check_lengths(task: &Task<'_>) -> Result<()> {
    let context = task.config.context;
    let longest = task.train.iter().chain(task.held_out).map(|sequence| sequence.ids.len()).max();
    match longest {
        Some(found) if task.config.has_learned_positions() && found > context => {
            Err(Error::BeyondContext { found, context })
        }
        _ => Ok(()),
    }
}

/// A starts as Kaiming's uniform numbers, B at zero, and trained lengths as they are: the pair changes
/// nothing yet.
pub(crate) fn fresh_pair(network: &Network, slot: &PairSlot, seed: Seed) -> Pair {
    let [rank, n_in, n_out] = slot.shape(&network.program);
    let mut stream = seed.stream(&format!("train/adapter/{}", slot.module));
    let bound = 1.0 / (n_in as f32).sqrt();
    let a = (0..rank * n_in).map(|_| (2.0 * stream.unit_f32() - 1.0) * bound).collect();
    Pair { rank, n_in, n_out, a, b: vec![0.0; n_out * rank], magnitude: None }
}

pub(crate) fn pair(network: &Network, slot: &PairSlot, tensors: &Tensors) -> (String, Pair) {
    let values = |id| tensors.get(&network.program.tensor(id).name).cloned().unwrap_or_default();
    let magnitude = slot.magnitude.map(values);
    let pair = slot.pair(&network.program, values(slot.a), values(slot.b));
    (slot.module.clone(), Pair { magnitude, ..pair })
}

/// Keeps as much of the forward pass as memory allows, and says so. Asked before anything is loaded:
/// what does not fit is refused in a moment and not after minutes.
pub(crate) fn choose_keep(task: &Task<'_>, device: &dyn Device, witness: &dyn Witness) -> Result<Keep> {
    let Some(free) = device.probe().free_bytes else { return Ok(Keep::All) };
    let ask = Ask { config: task.config, settings: task.settings, stored: task.checkpoint.storage() };
    let need = plan::choose(&ask, free, device)?;
    let reason = format!("{} MiB in all, {} MiB are free", need.total() >> 20, free >> 20);
    let value = match need.keep {
        Keep::All => "everything the backward pass needs is kept".to_owned(),
        Keep::Products => "norms and gates are computed again".to_owned(),
        Keep::Blocks(n) => format!("of the first {n} blocks only the inputs are kept"),
        Keep::BlockInputs => "only the inputs of blocks are kept".to_owned(),
    };
    witness.see(&Event::choice("activations", value, reason));
    Ok(need.keep)
}

/// Loads the base to where the settings want it.
pub(crate) fn load(task: &Task<'_>, network: &Network, device: &mut dyn Device) -> Result<Parameters> {
    let (checkpoint, keeping) = (task.checkpoint, task.settings.base.into());
    Ok(match task.settings.residence {
        Residence::Memory => Parameters::load(checkpoint, network, keeping, device)?,
        Residence::Disk => Parameters::load_shelved(checkpoint, network, keeping, task.shelf, device)?,
    })
}

/// Says in what formats the frozen weights lie, and where.
pub(crate) fn kept(parameters: &Parameters) -> String {
    let formats = parameters.kept.iter().map(|(format, n)| format!("{n} in {format}"));
    format!("frozen weights: {}", formats.collect::<Vec<_>>().join(", "))
}
