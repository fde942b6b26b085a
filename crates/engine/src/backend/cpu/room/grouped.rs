//! What the linears of experts take.
//!
//! A token goes to an expert once or not at all, so an expert has as many rows as there are tokens at
//! most. That is what is said; where rows are spread evenly, less is taken.

use super::{Room, Shape};
use crate::backend::Scratch;
use crate::op;
use crate::program::{Rows, TensorId};

impl Room<'_> {
    /// A matrix of sorted rows, as much of it as one expert may have.
    fn of_one(&self, id: TensorId) -> Shape {
        let shape = self.shape(id);
        let per_token = match self.program.tensor(id).rows {
            Rows::PerToken(n) | Rows::PerPicked(n) => n.max(1),
            Rows::Fixed(_) | Rows::Tokens | Rows::Picked => 1,
        };
        Shape { rows: shape.rows / per_token, ..shape }
    }

    pub(super) fn grouped(&self, op: &op::GroupedLinear) -> Scratch {
        let (x, n) = (self.of_one(op.x), self.program.cols(op.y));
        let hidden = op.hidden.map(|hidden| self.of_one(hidden));
        let left: Vec<Shape> = [x].into_iter().chain(hidden).collect();
        let low = hidden.map_or(0, |hidden| self.product(&[x], hidden.cols));
        Scratch { kept: self.kept(low.max(self.product(&left, n))), passing: 0 }
    }

    pub(super) fn grouped_backward(&self, op: &op::GroupedLinearBackward) -> Scratch {
        let (dy, width) = (self.of_one(op.dy), self.program.cols(op.experts.weight));
        let dhidden = op.dhidden.map(|dhidden| self.of_one(dhidden));
        let mut copied = dhidden.map_or(0, |dhidden| self.product(&[dy], dhidden.cols));
        if op.dx.is_some() {
            let left: Vec<Shape> = [dy].into_iter().chain(dhidden).collect();
            copied = copied.max(self.product(&left, width));
        }
        // Each is turned over, multiplied, and done with before the next.
        let mut turned = Vec::new();
        if op.dweight.is_some() {
            turned.push((dy.turned(), width));
        }
        if let (Some(_), Some(dhidden)) = (op.dlow_rank, dhidden) {
            turned.extend([(dhidden.turned(), width), (dy.turned(), dhidden.cols)]);
        }
        let turned_bytes = turned.iter().map(|(left, _)| left.bytes()).max().unwrap_or(0);
        let products = turned.iter().map(|(left, n)| self.product(&[*left], *n));
        let copied = products.max().unwrap_or(0).max(copied);
        Scratch { kept: self.kept(copied) + turned_bytes, passing: 0 }
    }
}
