//! What training starts from, what it is watched on, and the claims about its data.

use crate::error::Result;
use crate::evaluate::{self, SequenceLoss, mean_nats};
use crate::fit::Task;
use crate::gate::{self, Gate};
use crate::prepare::base_network;
use crate::settings::{Learn, Origin};
use penname_engine::Device;
use penname_ledger::event::{Event, Witness};
use penname_model::{Parameters, Scorer};
use penname_token::Sequence;
use penname_token::pack::Pack;

/// Fewest held-out sequences that are watched, if there are as many.
const FEWEST: usize = 8;

/// Tokens trained for each token watched. Measuring costs less than half of training, so a quarter
/// of the tokens is about a tenth of the time.
const SHARE: usize = 4;

/// Losses of the base model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// Of each sequence of the first batch, in a run of its own.
    pub(crate) sample: Vec<SequenceLoss>,
    /// Mean over the tokens of the sequences watched, in nats.
    pub(crate) nats: f64,
}

impl Start {
    /// Measures the base. Low-rank pairs do not touch it; full training does, from its first step on.
    pub(crate) fn measure(
        task: &Task<'_>,
        parameters: &Parameters,
        (sample, watched): (&[Sequence], &[Sequence]),
        device: &mut dyn Device,
    ) -> Result<Self> {
        let mut base = Scorer::new(base_network(task)?, parameters, device)?;
        let nats = mean_nats(&evaluate::losses(&mut base, device, watched)?).unwrap_or(f64::NAN);
        let mut losses = Vec::with_capacity(sample.len());
        for sequence in sample {
            losses.extend(evaluate::losses(&mut base, device, std::slice::from_ref(sequence))?);
        }
        base.release(device);
        Ok(Self { sample: losses, nats })
    }
}

/// Says what the sequences of a batch begin with alike, if they do.
pub(crate) fn announce_shared(packs: &[Pack], witness: &dyn Witness) {
    let Some(pack) = packs.iter().filter(|pack| pack.shared > 0).max_by_key(|pack| pack.documents.len())
    else {
        return;
    };
    let value = format!("a prefix of {} tokens is computed once", pack.shared);
    let reason = format!("{} examples of the first batch begin with it", pack.documents.len());
    witness.see(&Event::choice("shared rows", value, reason));
}

/// The sequences of a batch.
pub(crate) fn sequences(packs: &[Pack], train: &[Sequence]) -> Vec<Sequence> {
    packs.iter().flat_map(|pack| &pack.sources).map(|&source| train[source].clone()).collect()
}

/// Held-out sequences, spread evenly, so many that watching them costs little beside training.
pub(crate) fn watched(task: &Task<'_>, witness: &dyn Witness) -> Vec<Sequence> {
    let mean = |list: &[Sequence]| list.iter().map(Sequence::len).sum::<usize>() / list.len().max(1);
    let examples = usize::try_from(task.settings.evaluate_every).unwrap_or(usize::MAX);
    let trained = examples.saturating_mul(task.settings.batch_examples).saturating_mul(mean(task.train));
    let (all, n) = (task.held_out.len(), trained / SHARE / mean(task.held_out).max(1));
    let n = n.max(FEWEST).min(all);
    if n < all {
        let reason = "measuring takes about a tenth of the time; the report measures all";
        witness.see(&Event::choice("watched", format!("{n} of {all} held-out examples"), reason));
    }
    (0..n).map(|i| task.held_out[i * all / n].clone()).collect()
}

/// The claims about the model that training starts from; `first_nats` is the loss of the first step.
pub(crate) fn gates(task: &Task<'_>, base: &Start, first_nats: f64) -> [Gate; 2] {
    let start = match task.settings.from {
        Origin::Base => gate::base_beats_frequencies(base.nats, &[task.train, task.held_out]),
        Origin::Small => gate::base_is_near_chance(base.nats, task.config.vocab_size),
        Origin::Scratch => gate::start_is_even(base.nats, task.config.vocab_size),
    };
    let alone = mean_nats(&base.sample).unwrap_or(f64::NAN);
    [start, gate::start_is_the_base(first_nats, alone)]
}

/// The claim about what a model that started from nothing has come to.
pub(crate) fn last_gate(task: &Task<'_>, best_nats: Option<f64>) -> Option<Gate> {
    let best_nats = best_nats.unwrap_or(f64::NAN);
    (task.settings.from == Origin::Scratch)
        .then(|| gate::more_than_frequencies(best_nats, &[task.train, task.held_out]))
}

/// The claims about data that need no model.
pub(crate) fn data_gates(task: &Task<'_>, witness: &dyn Witness) -> Result<Vec<Gate>> {
    let list = [
        gate::enough(task.train, task.held_out, task.settings.steps),
        gate::trained_tokens(task.train),
        gate::trained_tokens(task.held_out),
        match task.settings.learn {
            Learn::Answers => gate::end_is_learned(task.train, task.end_ids),
            Learn::Text => gate::texts_end(task.train, task.end_ids),
        },
        gate::held_out_is_unseen(task.train, task.held_out),
    ];
    list.into_iter().map(|gate| gate.pass(witness)).collect()
}
