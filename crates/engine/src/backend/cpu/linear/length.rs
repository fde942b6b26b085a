//! Rows of trained length: which factors columns get, and where their gradients go.

use super::super::buffer::Buffer;
use super::super::device::Cpu;
use super::super::gemm::{Epilogue, Operand, Segment};
use super::super::magnitude::{row_norms, stretch, stretch_backward};
use super::super::view::{Mat, MatMut};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;

impl Cpu {
    /// n of every row of W + s B A, from products as thin as the rank.
    pub(in super::super) fn row_norm(&self, bound: &Bound<'_>, op: &op::RowNorm) {
        let (a, b) = (self.unpacked(bound, op.a), self.unpacked(bound, op.b));
        let (rank, n) = (bound.program.rows(op.a), bound.program.rows(op.weight));
        let a = Mat::f32(&a, rank, bound.program.cols(op.a));
        let product = |b: Operand<'_>, cols: usize| {
            let mut out = vec![0.0; rank * cols];
            let c = MatMut::f32(&mut out, rank, cols);
            self.product(bound, &[Segment { a, b }], &Epilogue::default(), c);
            out
        };
        let along = product(self.forward_operand(bound, op.weight), n);
        let own = product(Operand::Rows(a), rank);
        let known = [self.floats(bound, op.squares), &b];
        row_norms(&self.pool, known, [&along, &own], op.scale, self.floats_mut(bound, op.norm));
    }

    /// The numbers of half a pair; those of a pair that is only used lie packed.
    fn unpacked(&self, bound: &Bound<'_>, id: TensorId) -> Vec<f32> {
        let Buffer::Packed(panels) = self.buffer(bound.view(id).buffer) else {
            return self.floats(bound, id).to_vec();
        };
        let cols = bound.program.cols(id);
        let mut values = vec![0.0; bound.program.rows(id) * cols];
        values.chunks_mut(cols).enumerate().for_each(|(row, out)| panels.row(row, out));
        values
    }

    pub(in super::super) fn magnitude(&self, bound: &Bound<'_>, op: &op::Magnitude) {
        let factor = self.factors(bound, &op.parts);
        let zero_or = |part: &op::Stretch| self.vector_or(bound, part.bias, 0.0, part.outputs);
        let bias: Vec<f32> = op.parts.iter().flat_map(zero_or).collect();
        let (x, add) = (self.mat(bound, op.x), op.add.map(|add| self.mat(bound, add)));
        stretch(&self.pool, self.isa, x, [&factor, &bias], add, self.mat_mut(bound, op.y));
    }

    pub(in super::super) fn magnitude_backward(&self, bound: &Bound<'_>, op: &op::MagnitudeBackward) {
        let factor = self.factors(bound, &op.parts);
        let (dy, x) = (self.mat(bound, op.dy), self.mat(bound, op.x));
        let mut unused = Vec::new();
        let dx = op.dx.map(|dx| self.mat_mut(bound, dx)).unwrap_or_else(|| {
            unused.resize(x.rows * x.cols, 0.0);
            MatMut::f32(&mut unused, x.rows, x.cols)
        });
        let (mut products, mut sums) = (vec![0.0; x.cols], vec![0.0; x.cols]);
        stretch_backward(&self.pool, self.isa, [dy, x], &factor, dx, [&mut products, &mut sums]);
        let mut at = 0;
        for (part, [dmagnitude, dbias]) in op.parts.iter().zip(&op.gradients) {
            let columns = at..at + part.outputs;
            at = columns.end;
            if let Some(id) = *dmagnitude {
                let norm = self.vector_or(bound, part.norm, 1.0, part.outputs);
                let to = self.floats_mut(bound, id).iter_mut();
                to.zip(&products[columns.clone()]).zip(norm).for_each(|((to, sum), norm)| *to += sum / norm);
            }
            if let Some(id) = *dbias {
                let to = self.floats_mut(bound, id).iter_mut();
                to.zip(&sums[columns]).for_each(|(to, sum)| *to += sum);
            }
        }
    }

    /// m / n of every column.
    fn factors(&self, bound: &Bound<'_>, parts: &[op::Stretch]) -> Vec<f32> {
        let of = |part: &op::Stretch| {
            let magnitude = self.vector_or(bound, part.magnitude, 1.0, part.outputs);
            let norm = self.vector_or(bound, part.norm, 1.0, part.outputs);
            magnitude.into_iter().zip(norm).map(|(magnitude, norm)| magnitude / norm).collect::<Vec<_>>()
        };
        parts.iter().flat_map(of).collect()
    }

    fn vector_or(&self, bound: &Bound<'_>, id: Option<TensorId>, otherwise: f32, n: usize) -> Vec<f32> {
        id.map_or_else(|| vec![otherwise; n], |id| self.floats(bound, id).to_vec())
    }
}
