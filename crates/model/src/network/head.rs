//! The end of a model: which rows go on, and what is made of them.

use super::Network;
use penname_engine::op::{CrossEntropy, GatherRows, Linear, Projection};
use penname_engine::program::Tensor;
use penname_engine::{DType, Role, Rows, Section, TensorId};

/// Memory for a column of what exists of the logits at one time, in the loss: 256 rows in bf16, 128 in
/// f32. With a vocabulary of 49 152 that is 25 MB, and enough rows for the products to run at full speed.
const LOSS_BYTES: usize = 512;

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
        let dtype = self.setup.precision.dtype();
        let few = LOSS_BYTES / dtype.bytes();
        let most = if is_trained { few.max(self.program.cols(weight)) } else { few };
        // One row more than are used: a device may want to lay them apart.
        let rows = most.min(self.setup.capacity.tokens.max(1)) + 1;
        let chunk = self.program.activation("logits", Rows::Fixed(rows), self.program.rows(weight), dtype);
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
