//! The end of a model: which rows go on, and what is made of them.

use super::Network;
use penname_engine::op::{CrossEntropy, GatherRows, Linear, Projection};
use penname_engine::program::Tensor;
use penname_engine::{DType, Role, Rows, Section, TensorId};

/// Rows whose logits exist at one time in the loss: 128 rows of a vocabulary of
/// 49 152 are 25 MB, and enough for the products to run at full speed.
const LOSS_ROWS: usize = 128;

impl Network {
    /// The rows whose result is wanted: those with loss, or those whose logits are.
    ///
    /// Once a row's keys and values are made, nothing else reads the row, so in the last block all
    /// that follows attention is computed for these rows only. Rows picked already stay.
    pub(crate) fn pick(&mut self, x: TensorId) -> TensorId {
        let Tensor { name, rows, cols, dtype, .. } = self.program.tensor(x).clone();
        if rows == Rows::Picked {
            return x;
        }
        let y = self.program.activation(format!("{name} picked"), Rows::Picked, cols, dtype);
        self.program.push(Section::Forward, GatherRows { x, rows: self.inputs.picked, y });
        y
    }

    /// The projection of picked rows on the vocabulary: a loss, or logits.
    pub(crate) fn head(&mut self, x: TensorId, weight: &str, vocabulary: usize) {
        let width = self.program.cols(x);
        let weight = self.parameter(weight, &[vocabulary, width]);
        self.result = match (self.inputs.targets, self.inputs.gradient_scale) {
            (Some(targets), Some(gradient_scale)) => self.loss(x, weight, targets, gradient_scale),
            _ => self.logits(x, weight),
        };
        self.program.set_role(self.result, Role::Output);
    }

    fn loss(
        &mut self,
        x: TensorId,
        weight: TensorId,
        targets: TensorId,
        gradient_scale: TensorId,
    ) -> TensorId {
        let losses = self.program.activation("losses", Rows::Picked, 1, DType::F32);
        // Each chunk reads and writes the whole gradient of a trained head: then fewer, larger ones,
        // up to the size of that gradient.
        let is_trained = self.program.tensor(weight).role == Role::Weight { trainable: true };
        let most = if is_trained { LOSS_ROWS.max(self.program.cols(weight)) } else { LOSS_ROWS };
        let rows = most.min(self.setup.capacity.tokens.max(1));
        let chunk =
            self.program.activation("logits", Rows::Fixed(rows), self.program.rows(weight), DType::F32);
        let op = CrossEntropy { x, weight, targets, gradient_scale, losses, chunk, dx: None, dweight: None };
        self.program.push(Section::Forward, op);
        losses
    }

    fn logits(&mut self, x: TensorId, weight: TensorId) -> TensorId {
        let y = self.program.activation("logits", Rows::Picked, self.program.rows(weight), DType::F32);
        let parts = vec![Projection::plain(weight)];
        self.program.push(Section::Forward, Linear { x, parts, hidden: None, add: None, y });
        y
    }
}
