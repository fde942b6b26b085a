//! Linear layers on the processor: every product is one call of the GEMM,
//! with the low-rank pair as another segment of the same sum.

use super::device::Cpu;
use super::gemm::{Epilogue, Operand, Segment, gemm, transpose};
use super::random;
use super::view::{Elem, Mat, MatMut};
use crate::backend::Bound;
use crate::op;
use crate::program::TensorId;
use half::bf16;

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

    pub(super) fn linear(&self, bound: &Bound<'_>, op: &op::Linear) {
        let x = self.mat(bound, op.x);
        let y = self.mat_mut(bound, op.y);
        let mut at = 0;
        for part in &op.parts {
            let base = Segment { a: x, b: self.forward_operand(bound, part.weight) };
            let outputs = base.b.n();
            let epilogue = Epilogue {
                bias: part.bias.map(|bias| self.floats(bound, bias)),
                add: op.add.map(|add| self.mat(bound, add).columns(at, outputs)),
                ..Epilogue::default()
            };
            let y = y.columns(at, outputs);
            match &part.low_rank {
                Some(pair) => {
                    self.hidden(bound, x, pair);
                    let b = Operand::Rows(self.mat(bound, pair.b));
                    let low = Segment { a: self.mat(bound, pair.hidden), b };
                    self.product(bound, &[base, low], &epilogue, y);
                }
                None => self.product(bound, &[base], &epilogue, y),
            }
            at += outputs;
        }
    }

    /// h = s · drop(x) Aᵀ.
    fn hidden(&self, bound: &Bound<'_>, x: Mat<'_>, pair: &op::LowRank) {
        let mut room = Vec::new();
        let x = self.dropped(bound, x, pair, &mut room);
        let segment = Segment { a: x, b: Operand::Rows(self.mat(bound, pair.a)) };
        let epilogue = Epilogue { scale: pair.scale, ..Epilogue::default() };
        self.product(bound, &[segment], &epilogue, self.mat_mut(bound, pair.hidden));
    }

    /// `x` as the low-rank path sees it; `room` holds it if dropout changes it.
    fn dropped<'a>(
        &'a self,
        bound: &Bound<'_>,
        x: Mat<'a>,
        pair: &op::LowRank,
        room: &'a mut Vec<f32>,
    ) -> Mat<'a> {
        let Some(spec) = &pair.dropout else { return x };
        room.resize(x.rows * x.cols, 0.0);
        random::dropout(&self.pool, self.isa, self.mask(bound, spec), x, MatMut::f32(room, x.rows, x.cols));
        Mat::f32(room, x.rows, x.cols)
    }

    fn mask(&self, bound: &Bound<'_>, spec: &op::Dropout) -> random::Dropout {
        let seed = self.ids(bound, spec.seed)[0].into();
        random::Dropout { seed, stream: spec.stream.into(), rate: spec.rate }
    }

    pub(super) fn linear_backward(&self, bound: &Bound<'_>, op: &op::LinearBackward) {
        let dy = self.mat(bound, op.dy);
        let columns = self.part_columns(bound, op, dy);
        for (part, dy) in op.parts.iter().zip(&columns) {
            if let (Some(pair), Some(dhidden)) = (&part.part.low_rank, part.dhidden) {
                let segment = Segment { a: *dy, b: Operand::Columns(self.mat(bound, pair.b)) };
                let epilogue = Epilogue { scale: pair.scale, ..Epilogue::default() };
                self.product(bound, &[segment], &epilogue, self.mat_mut(bound, dhidden));
            }
        }
        // The gradients of the weights come first: `dx` may take over the memory of `dy`'s neighbours.
        for (part, dy) in op.parts.iter().zip(&columns) {
            self.part_gradients(bound, op.x, part, *dy);
        }
        if let Some(dx) = op.dx {
            self.input_gradient(bound, op, &columns, dx);
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
    fn input_gradient(&self, bound: &Bound<'_>, op: &op::LinearBackward, columns: &[Mat<'_>], dx: TensorId) {
        let mut segments = Vec::with_capacity(2 * op.parts.len());
        for (part, dy) in op.parts.iter().zip(columns) {
            segments.push(Segment { a: *dy, b: self.backward_operand(bound, part.part.weight) });
        }
        for part in &op.parts {
            if let (Some(op::LowRank { a, dropout: None, .. }), Some(dhidden)) =
                (&part.part.low_rank, part.dhidden)
            {
                segments
                    .push(Segment { a: self.mat(bound, dhidden), b: Operand::Columns(self.mat(bound, *a)) });
            }
        }
        let add = op.add.map(|add| self.mat(bound, add));
        let dx = self.mat_mut(bound, dx);
        self.product(bound, &segments, &Epilogue { add, ..Epilogue::default() }, dx);
        for part in &op.parts {
            if let (Some(pair), Some(dhidden)) = (&part.part.low_rank, part.dhidden) {
                self.add_dropped_gradient(bound, pair, dhidden, dx);
            }
        }
    }

    /// Adds (dh A) ∘ Δ where dropout keeps it out of the common sum.
    fn add_dropped_gradient(&self, bound: &Bound<'_>, pair: &op::LowRank, dhidden: TensorId, dx: MatMut<'_>) {
        let Some(spec) = &pair.dropout else { return };
        let mut through = vec![0.0; dx.rows * dx.cols];
        let room = MatMut::f32(&mut through, dx.rows, dx.cols);
        let segment = Segment { a: self.mat(bound, dhidden), b: Operand::Columns(self.mat(bound, pair.a)) };
        self.product(bound, &[segment], &Epilogue::default(), room);
        // SAFETY: both kernels read a number before they write it, in the same task.
        let (masked, sum) = unsafe { (room.as_mat(), dx.as_mat()) };
        random::dropout(&self.pool, self.isa, self.mask(bound, spec), masked, room);
        super::elementwise::add(&self.pool, self.isa, sum, masked, dx);
    }

    /// dA, dB, dW and db of one projection, added to what earlier micro-batches left.
    fn part_gradients(
        &self,
        bound: &Bound<'_>,
        x: Option<TensorId>,
        part: &op::ProjectionBackward,
        dy: Mat<'_>,
    ) {
        let accumulate = Epilogue { accumulate: true, ..Epilogue::default() };
        if let (Some(pair), Some(dhidden), Some((da, db)), Some(x)) =
            (&part.part.low_rank, part.dhidden, part.dlow_rank, x)
        {
            let mut room = Vec::new();
            let x = self.dropped(bound, self.mat(bound, x), pair, &mut room);
            let dh = self.transposed(self.mat(bound, dhidden));
            let segment = Segment { a: dh.mat(), b: Operand::Columns(x) };
            self.product(bound, &[segment], &accumulate, self.mat_mut(bound, da));
            let h = self.transposed(self.mat(bound, pair.hidden));
            self.add_transposed(bound, Segment { a: h.mat(), b: Operand::Columns(dy) }, db);
        }
        if let (Some(dweight), Some(x)) = (part.dweight, x) {
            let dy = self.transposed(dy);
            let segment = Segment { a: dy.mat(), b: Operand::Columns(self.mat(bound, x)) };
            self.product(bound, &[segment], &accumulate, self.mat_mut(bound, dweight));
        }
        if let Some(dbias) = part.dbias {
            add_column_sums(dy, self.floats_mut(bound, dbias));
        }
    }

    /// Adds the transpose of a thin product: dB is tall, and the product of a wide matrix is faster.
    fn add_transposed(&self, bound: &Bound<'_>, segment: Segment<'_>, to: TensorId) {
        let (rows, cols) = (segment.a.rows, segment.b.n());
        let mut thin = vec![0.0; rows * cols];
        self.product(bound, &[segment], &Epilogue::default(), MatMut::f32(&mut thin, rows, cols));
        let to = self.floats_mut(bound, to);
        for (n, to) in to.chunks_mut(rows).enumerate() {
            to.iter_mut().enumerate().for_each(|(r, to)| *to += thin[r * cols + n]);
        }
    }

    pub(super) fn transposed(&self, mat: Mat<'_>) -> Transposed {
        let (rows, cols) = (mat.cols, mat.rows);
        match mat.elem {
            Elem::F32 => {
                let mut data = vec![0.0; rows * cols];
                transpose(&self.pool, mat, MatMut::f32(&mut data, rows, cols));
                Transposed { rows, cols, data: Numbers::F32(data) }
            }
            Elem::Bf16 => {
                let mut data = vec![bf16::ZERO; rows * cols];
                transpose(&self.pool, mat, MatMut::bf16(&mut data, rows, cols));
                Transposed { rows, cols, data: Numbers::Bf16(data) }
            }
        }
    }
}

/// A matrix turned over.
pub(super) struct Transposed {
    rows: usize,
    cols: usize,
    data: Numbers,
}

enum Numbers {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl Transposed {
    pub(super) fn mat(&self) -> Mat<'_> {
        match &self.data {
            Numbers::F32(data) => Mat::f32(data, self.rows, self.cols),
            Numbers::Bf16(data) => Mat::bf16(data, self.rows, self.cols),
        }
    }
}

fn add_column_sums(x: Mat<'_>, sums: &mut [f32]) {
    for row in 0..x.rows {
        sums.iter_mut().enumerate().for_each(|(col, sum)| *sum += x.get(row, col));
    }
}
