//! The loss of held-out sequences, without gradients.

use crate::error::Result;
use crate::step::packed;
use penname_engine::Device;
use penname_model::Scorer;
use penname_token::Sequence;
use penname_token::pack::pack_in_order;

/// The loss of one sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceLoss {
    /// Sum over its trained tokens, in nats.
    pub sum_nats: f64,
    /// Number of trained tokens.
    pub n_trained: usize,
}

/// The loss of every sequence, in order, as many to a run as fit.
///
/// # Errors
/// When a sequence is longer than the scorer allows.
pub fn losses(
    scorer: &mut Scorer,
    device: &mut dyn Device,
    sequences: &[Sequence],
) -> Result<Vec<SequenceLoss>> {
    let mut losses = vec![SequenceLoss { sum_nats: 0.0, n_trained: 0 }; sequences.len()];
    for pack in pack_in_order(sequences, scorer.budget())? {
        let rows = scorer.losses(device, packed(&pack))?;
        for (document, &source) in pack.documents.iter().zip(&pack.sources) {
            losses[source] = SequenceLoss {
                sum_nats: rows[document.clone()].iter().map(|loss| f64::from(*loss)).sum(),
                n_trained: sequences[source].n_trained,
            };
        }
    }
    Ok(losses)
}

/// Mean loss over all trained tokens, in nats; `None` when there are none.
pub fn mean_nats(losses: &[SequenceLoss]) -> Option<f64> {
    let n: usize = losses.iter().map(|loss| loss.n_trained).sum();
    (n > 0).then(|| losses.iter().map(|loss| loss.sum_nats).sum::<f64>() / n as f64)
}
