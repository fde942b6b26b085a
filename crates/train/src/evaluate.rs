//! The loss of held-out sequences, without gradients.

use crate::error::Result;
use crate::step::packed;
use penname_engine::{Device, Section, Session};
use penname_model::{Network, Parameters};
use penname_token::Sequence;
use penname_token::pack::{Pack, pack_in_order};

/// The loss of one sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceLoss {
    /// Sum over its trained tokens, in nats.
    pub sum_nats: f64,
    /// Number of trained tokens.
    pub n_trained: usize,
}

/// A network that scores sequences.
#[derive(Debug)]
pub struct Scorer {
    session: Session,
    network: Network,
    budget: usize,
}

impl Scorer {
    /// Plans `network`, forward only.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn new(network: Network, parameters: &Parameters, device: &mut dyn Device) -> Result<Self> {
        let budget = network.program.capacity().tokens;
        let session = parameters.session(network.program.clone(), device)?;
        Ok(Self { session, network, budget })
    }

    /// The loss of every sequence, in order.
    ///
    /// # Errors
    /// When a sequence is longer than the network allows.
    pub fn losses(&mut self, device: &mut dyn Device, sequences: &[Sequence]) -> Result<Vec<SequenceLoss>> {
        let mut losses = vec![SequenceLoss { sum_nats: 0.0, n_trained: 0 }; sequences.len()];
        for pack in pack_in_order(sequences, self.budget)? {
            let rows = self.rows(device, &pack)?;
            for (document, &source) in pack.documents.iter().zip(&pack.sources) {
                losses[source] = SequenceLoss {
                    sum_nats: rows[document.clone()].iter().map(|loss| f64::from(*loss)).sum(),
                    n_trained: sequences[source].n_trained,
                };
            }
        }
        Ok(losses)
    }

    /// The loss of every row of a micro-batch, in nats; zero without a target.
    ///
    /// # Errors
    /// When there are more rows than the network allows.
    pub fn rows(&mut self, device: &mut dyn Device, pack: &Pack) -> Result<Vec<f32>> {
        let packed = packed(pack);
        packed.feed(&self.network, &self.session, device, 1.0);
        self.session.run(device, Section::Forward, packed.extent())?;
        Ok(packed.losses(&self.network, &self.session, device))
    }

    /// Gives the memory back.
    pub fn release(self, device: &mut dyn Device) {
        self.session.release(device);
    }
}

/// Mean loss over all trained tokens, in nats; `None` when there are none.
pub fn mean_nats(losses: &[SequenceLoss]) -> Option<f64> {
    let n: usize = losses.iter().map(|loss| loss.n_trained).sum();
    (n > 0).then(|| losses.iter().map(|loss| loss.sum_nats).sum::<f64>() / n as f64)
}
