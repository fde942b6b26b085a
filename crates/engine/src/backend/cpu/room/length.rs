//! What rows of trained length take.

use super::{Elem, Room, Shape};
use crate::backend::Scratch;
use crate::op;

/// Rows whose share of the sums is added up by one task.
const SHARE_ROWS: usize = 64;

impl Room<'_> {
    /// Both halves of the pair as numbers, and the products of A with W and with itself.
    pub(super) fn row_norm(&self, op: &op::RowNorm) -> Scratch {
        let (a, n) = (self.shape(op.a), self.program.rows(op.weight));
        let a = Shape { elem: Elem::F32, ..a };
        let numbers = a.rows * (a.cols + n) + a.rows * (n + a.rows);
        let copied = self.product(&[a], n).max(self.product(&[a], a.rows));
        Scratch { kept: self.kept(copied), passing: 4 * numbers }
    }

    /// A factor and a bias for every column, on their way from three vectors.
    pub(super) fn magnitude(&self, op: &op::Magnitude) -> Scratch {
        Scratch { kept: 0, passing: 4 * (4 + 2 * self.cpu.pool.threads()) * self.program.cols(op.x) }
    }

    pub(super) fn magnitude_backward(&self, op: &op::MagnitudeBackward) -> Scratch {
        let x = self.shape(op.x);
        let unused = if op.dx.is_none() { x.rows * x.cols } else { 0 };
        let shares = x.rows.div_ceil(SHARE_ROWS) * 2 * x.cols;
        let vectors = (5 + 2 * self.cpu.pool.threads()) * x.cols;
        Scratch { kept: 0, passing: 4 * (unused + shares + vectors) }
    }
}
