//! Documents side by side: what a network made for a loss reads, and the losses it gives back.
//!
//! ```text
//! rows       p p p │ a a a a │ b b b │ …       p: what all documents begin with, once
//! positions  0 1 2 │ 3 4 5 6 │ 3 4 5 │
//! starts     0 0 0 │ 3 3 3 3 │ 7 7 7 │         shared 3
//! ```

use crate::network::Network;
use penname_engine::op::IGNORE;
use penname_engine::{Device, Extent, Session};

/// Documents side by side in the rows of one run.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// The token read at each row, (M).
    pub tokens: &'a [u32],
    /// Its position in its document, (M).
    pub positions: &'a [u32],
    /// The row at which its document begins, behind what is shared, (M).
    pub starts: &'a [u32],
    /// Rows at the beginning that all documents share: every row behind them sees them too.
    pub shared: usize,
    /// The token to be predicted, or [`u32::MAX`] for none, (M).
    pub targets: &'a [u32],
}

impl Packed<'_> {
    /// Rows in use: all of them, and those with a target.
    pub fn extent(&self) -> Extent {
        Extent { tokens: self.tokens.len(), picked: self.picked().count() }
    }

    /// Rows with a target, in order.
    fn picked(&self) -> impl Iterator<Item = u32> {
        (0..).zip(self.targets).filter(|(_, target)| **target != IGNORE).map(|(row, _)| row)
    }

    /// Writes the rows to the inputs of a network made for a loss.
    ///
    /// `gradient_scale` multiplies the gradient: one over the trained tokens of the whole step.
    pub fn feed(&self, network: &Network, session: &Session, device: &mut dyn Device, gradient_scale: f32) {
        let (extent, inputs) = (self.extent(), network.inputs);
        let picked: Vec<u32> = self.picked().collect();
        let targets: Vec<u32> = picked.iter().map(|row| self.targets[*row as usize]).collect();
        let mut write = |input, ids: &[u32]| session.write_ids(device, input, extent, ids);
        write(inputs.tokens, self.tokens);
        write(inputs.positions, self.positions);
        write(inputs.picked, &picked);
        inputs.starts.into_iter().for_each(|input| write(input, self.starts));
        inputs.shared.into_iter().for_each(|input| write(input, &[self.shared as u32]));
        inputs.targets.into_iter().for_each(|input| write(input, &targets));
        if let Some(input) = inputs.gradient_scale {
            session.write(device, input, extent, &[gradient_scale]);
        }
    }

    /// The loss of every row after a run, in nats; zero without a target.
    pub fn losses(&self, network: &Network, session: &Session, device: &mut dyn Device) -> Vec<f32> {
        let mut losses = vec![0.0; self.tokens.len()];
        let found = session.read(device, network.result, self.extent());
        self.picked().zip(found).for_each(|(row, loss)| losses[row as usize] = loss);
        losses
    }
}
