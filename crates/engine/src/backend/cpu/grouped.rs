//! Linear layers of experts on the processor: one call of the GEMM for each expert that has rows.
//!
//! A frozen weight of experts is a buffer joined of one matrix for each, packed or coded like any
//! other; a trained one is plain rows below each other.

use super::buffer::Buffer;
use super::device::Cpu;
use super::elementwise::add_column_sums;
use super::gemm::{Epilogue, Operand, Segment};
use super::view::{Elem, Mat};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;
use std::ops::Range;

/// Which way a weight is read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// For products with Wᵀ.
    Forward,
    /// For products with W.
    Backward,
}

const ACCUMULATE: Epilogue<'static> = Epilogue { scale: 1.0, bias: None, add: None, accumulate: true };

impl Cpu {
    pub(super) fn grouped_linear(&self, bound: &Bound<'_>, op: &op::GroupedLinear) {
        let (x, y) = (self.mat(bound, op.x), self.mat_mut(bound, op.y));
        for (group, rows) in self.stretches(bound, op.bounds) {
            let (x, y) = (x.rows(rows.start, rows.len()), y.rows(rows.start, rows.len()));
            let operand = |weight| self.expert(bound, op.bounds, weight, group, Way::Forward);
            let mut segments = vec![Segment { a: x, b: operand(op.experts.weight) }];
            if let (Some(pair), Some(hidden)) = (&op.experts.low_rank, op.hidden) {
                let h = self.mat_mut(bound, hidden).rows(rows.start, rows.len());
                let scaled = Epilogue { scale: pair.scale, ..Epilogue::default() };
                self.product(bound, &[Segment { a: x, b: operand(pair.a) }], &scaled, h);
                let h = self.mat(bound, hidden).rows(rows.start, rows.len());
                segments.push(Segment { a: h, b: operand(pair.b) });
            }
            let bias = op.experts.bias.map(|bias| &self.floats(bound, bias)[group * y.cols..][..y.cols]);
            self.product(bound, &segments, &Epilogue { bias, ..Epilogue::default() }, y);
        }
    }

    pub(super) fn grouped_linear_backward(&self, bound: &Bound<'_>, op: &op::GroupedLinearBackward) {
        for (group, rows) in self.stretches(bound, op.bounds) {
            let part = |tensor: TensorId| self.mat(bound, tensor).rows(rows.start, rows.len());
            let operand = |weight| self.expert(bound, op.bounds, weight, group, Way::Backward);
            let dy = part(op.dy);
            let mut segments = vec![Segment { a: dy, b: operand(op.experts.weight) }];
            if let (Some(pair), Some(dhidden)) = (&op.experts.low_rank, op.dhidden) {
                let dh = self.mat_mut(bound, dhidden).rows(rows.start, rows.len());
                let scaled = Epilogue { scale: pair.scale, ..Epilogue::default() };
                self.product(bound, &[Segment { a: dy, b: operand(pair.b) }], &scaled, dh);
                segments.push(Segment { a: part(dhidden), b: operand(pair.a) });
            }
            self.expert_gradients(bound, op, group, &rows);
            if let Some(dx) = op.dx {
                let dx = self.mat_mut(bound, dx).rows(rows.start, rows.len());
                self.product(bound, &segments, &Epilogue::default(), dx);
            }
        }
    }

    /// Adds to the gradients of one expert what its rows give.
    fn expert_gradients(
        &self,
        bound: &Bound<'_>,
        op: &op::GroupedLinearBackward,
        group: usize,
        rows: &Range<usize>,
    ) {
        let part = |tensor: TensorId| self.mat(bound, tensor).rows(rows.start, rows.len());
        let dy = part(op.dy);
        let add = |sum: TensorId, a: Mat<'_>, b: Mat<'_>| {
            let sum = self.mat_mut(bound, sum).rows(group * a.rows, a.rows);
            self.product(bound, &[Segment { a, b: Operand::Columns(b) }], &ACCUMULATE, sum);
        };
        if let (Some(dweight), Some(x)) = (op.dweight, op.x) {
            add(dweight, self.transposed(dy).mat(), part(x));
        }
        if let Some(dbias) = op.dbias {
            let sums = &mut self.floats_mut(bound, dbias)[group * dy.cols..][..dy.cols];
            add_column_sums(&self.pool, self.isa, dy, sums);
        }
        let (Some((da, db)), Some(x)) = (op.dlow_rank, op.x) else { return };
        let (Some(hidden), Some(dhidden)) = (op.hidden, op.dhidden) else { return };
        add(da, self.transposed(part(dhidden)).mat(), part(x));
        add(db, self.transposed(dy).mat(), part(hidden));
    }

    /// The experts that have rows, and which.
    fn stretches<'a>(
        &'a self,
        bound: &Bound<'_>,
        bounds: TensorId,
    ) -> impl Iterator<Item = (usize, Range<usize>)> + use<'a> {
        let rows = |ends: &[u32]| ends[0] as usize..ends[1] as usize;
        let all = self.ids(bound, bounds).windows(2).map(rows).enumerate();
        all.filter(|(_, rows)| !rows.is_empty())
    }

    /// The matrix of one expert.
    fn expert(
        &self,
        bound: &Bound<'_>,
        bounds: TensorId,
        weight: TensorId,
        group: usize,
        way: Way,
    ) -> Operand<'_> {
        let cols = bound.program.cols(weight);
        let rows = bound.program.rows(weight) / (bound.program.cols(bounds) - 1);
        let plain = |mat| if way == Way::Forward { Operand::Rows(mat) } else { Operand::Columns(mat) };
        match self.buffer(bound.view(weight).buffer) {
            Buffer::Joined(parts) => match &parts[group] {
                Buffer::Packed(panels) if way == Way::Forward => Operand::Panels(panels.view()),
                Buffer::Packed(panels) => Operand::PanelsTransposed(panels.view()),
                Buffer::Plain(memory) => {
                    // SAFETY: a plain part is f32 of this shape, and nobody writes a frozen weight.
                    plain(unsafe {
                        Mat::from_raw(memory.at(0, rows * cols * 4), Elem::F32, rows, cols, cols)
                    })
                }
                Buffer::Int8(_) | Buffer::Joined(_) => {
                    unreachable!("experts are neither in bytes nor joined twice")
                }
            },
            Buffer::Plain(_) => plain(self.mat(bound, weight).rows(group * rows, rows)),
            Buffer::Packed(_) | Buffer::Int8(_) => {
                panic!("the weights of experts are joined of one for each")
            }
        }
    }
}
