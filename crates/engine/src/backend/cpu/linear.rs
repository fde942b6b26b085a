//! Linear layers on the processor: every product is one call of the GEMM,
//! with the low-rank pair as another segment of the same sum.

mod length;
mod low_rank;

use super::device::Cpu;
use super::elementwise;
use super::gemm::scratch::Held;
use super::gemm::{Epilogue, Operand, Product, Segment, gemm, gemms, transpose};
use super::view::{Elem, Mat, MatMut};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;
use low_rank::Pair;

impl Cpu {
    /// `c = epilogue(Σ segments)` at the precision of the program.
    pub(super) fn product(
        &self,
        bound: &Bound<'_>,
        segments: &[Segment<'_>],
        epilogue: &Epilogue<'_>,
        c: MatMut<'_>,
    ) {
        gemm(&self.pool, self.isa, bound.program.compute(), segments, epilogue, c);
    }

    /// As [`Cpu::product`] for several that do not wait for each other.
    pub(super) fn products(&self, bound: &Bound<'_>, products: &[Product<'_>]) {
        gemms(&self.pool, self.isa, bound.program.compute(), products);
    }

    /// Adds a product to a gradient.
    pub(super) fn add_product(&self, bound: &Bound<'_>, segment: Segment<'_>, gradient: TensorId) {
        let (sum, accumulate) = self.sum_mut(bound, gradient);
        self.product(bound, &[segment], &Epilogue { accumulate, ..Epilogue::default() }, sum);
    }

    pub(super) fn linear(&self, bound: &Bound<'_>, op: &op::Linear) {
        let x = self.mat(bound, op.x);
        let y = self.mat_mut(bound, op.y);
        let pairs = low_rank::pairs(bound, &op.parts);
        if let Some(hidden) = op.hidden {
            self.hidden(bound, x, &pairs, self.mat_mut(bound, hidden));
        }
        let hidden = op.hidden.map(|hidden| self.mat(bound, hidden));
        let segments: Vec<Vec<Segment<'_>>> = op
            .parts
            .iter()
            .zip(&pairs)
            .map(|(part, pair)| {
                let base = Segment { a: x, b: self.forward_operand(bound, part.weight) };
                let low = pair.as_ref().zip(hidden).map(|(pair, hidden)| Segment {
                    a: pair.columns(hidden),
                    b: self.forward_operand(bound, pair.spec.b),
                });
                std::iter::once(base).chain(low).collect()
            })
            .collect();
        let mut at = 0;
        let mut products = Vec::with_capacity(segments.len());
        for (part, segments) in op.parts.iter().zip(&segments) {
            let outputs = segments[0].b.n();
            let epilogue = Epilogue {
                bias: part.bias.map(|bias| self.floats(bound, bias)),
                add: op.add.map(|add| self.mat(bound, add).columns(at, outputs)),
                ..Epilogue::default()
            };
            products.push(Product { segments, epilogue, c: y.columns(at, outputs) });
            at += outputs;
        }
        self.products(bound, &products);
    }

    pub(super) fn linear_backward(&self, bound: &Bound<'_>, op: &op::LinearBackward) {
        let dy = self.mat(bound, op.dy);
        let columns = self.part_columns(bound, op, dy);
        let pairs = low_rank::pairs(bound, op.parts.iter().map(|part| &part.part));
        if let Some(dhidden) = op.dhidden {
            self.hidden_gradient(bound, &columns, &pairs, self.mat_mut(bound, dhidden));
        }
        // The gradients of the weights come first: `dx` may take over the memory of `dy`'s neighbours.
        self.low_rank_gradients(bound, op, &columns, &pairs);
        for (part, dy) in op.parts.iter().zip(&columns) {
            self.part_gradients(bound, op.x, part, *dy);
        }
        if let Some(dx) = op.dx {
            self.input_gradient(bound, op, &columns, &pairs, dx);
        }
    }

    /// The columns of `dy` that belong to each projection.
    fn part_columns<'a>(&self, bound: &Bound<'_>, op: &op::LinearBackward, dy: Mat<'a>) -> Vec<Mat<'a>> {
        let mut at = 0;
        let next = |part: &op::ProjectionBackward| {
            let outputs = bound.program.rows(part.part.weight);
            at += outputs;
            dy.columns(at - outputs, outputs)
        };
        op.parts.iter().map(next).collect()
    }

    /// dx = Σ dy W + (dh A) ∘ Δ, all projections in one sum.
    fn input_gradient(
        &self,
        bound: &Bound<'_>,
        op: &op::LinearBackward,
        columns: &[Mat<'_>],
        pairs: &[Option<Pair<'_>>],
        dx: TensorId,
    ) {
        let base = op.parts.iter().zip(columns);
        let base =
            base.map(|(part, dy)| Segment { a: *dy, b: self.backward_operand(bound, part.part.weight) });
        let dhidden = op.dhidden.map(|dhidden| self.mat(bound, dhidden));
        let low = |pair: &Pair<'_>, dhidden| Segment {
            a: pair.columns(dhidden),
            b: Operand::Columns(self.mat(bound, pair.spec.a)),
        };
        let trained = || pairs.iter().flatten().filter_map(|pair| Some((pair, dhidden?)));
        let undropped = trained().filter(|(pair, _)| pair.spec.dropout.is_none());
        let segments: Vec<_> = base.chain(undropped.map(|(pair, dhidden)| low(pair, dhidden))).collect();
        let add = op.add.map(|add| self.mat(bound, add));
        let dx = self.mat_mut(bound, dx);
        self.product(bound, &segments, &Epilogue { add, ..Epilogue::default() }, dx);
        for (pair, dhidden) in trained() {
            self.add_dropped_gradient(bound, pair.spec, low(pair, dhidden), dx);
        }
    }

    /// dW and db of one projection, added to what earlier micro-batches left.
    fn part_gradients(
        &self,
        bound: &Bound<'_>,
        x: Option<TensorId>,
        part: &op::ProjectionBackward,
        dy: Mat<'_>,
    ) {
        if let (Some(dweight), Some(x)) = (part.dweight, x) {
            let dy = self.transposed(dy);
            let segment = Segment { a: dy.mat(), b: Operand::Columns(self.mat(bound, x)) };
            self.add_product(bound, segment, dweight);
        }
        if let Some(dbias) = part.dbias {
            elementwise::add_column_sums(&self.pool, self.isa, dy, self.floats_mut(bound, dbias));
        }
    }

    pub(super) fn transposed(&self, mat: Mat<'_>) -> Transposed {
        let (rows, cols, elem) = (mat.cols, mat.rows, mat.elem);
        let mut room = Held::new((rows * cols * elem.bytes()).div_ceil(4));
        // SAFETY: the room was measured for it.
        let to = unsafe { MatMut::from_raw(room.as_mut_ptr().cast(), elem, rows, cols, cols) };
        transpose(&self.pool, self.isa, mat, to);
        Transposed { rows, cols, elem, room }
    }
}

/// A matrix turned over.
pub(super) struct Transposed {
    rows: usize,
    cols: usize,
    elem: Elem,
    room: Held,
}

impl Transposed {
    pub(super) fn mat(&self) -> Mat<'_> {
        let Self { rows, cols, elem, .. } = *self;
        // SAFETY: written when it was made, and only read since.
        unsafe { Mat::from_raw(self.room.as_ptr().cast(), elem, rows, cols, cols) }
    }
}
