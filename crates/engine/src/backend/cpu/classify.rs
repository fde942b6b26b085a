//! The vocabulary projection and its cross entropy, some rows at a time.

use super::device::Cpu;
use super::elementwise;
use super::embed;
use super::gemm::{Epilogue, Operand, Segment};
use super::loss::{LogitGrad, cross_entropy};
use super::view::{Elem, Mat, MatMut};
use crate::backend::Bound;
use crate::op::{self, IGNORE};
use crate::program::Precision;

impl Cpu {
    pub(super) fn cross_entropy(&self, bound: &Bound<'_>, op: &op::CrossEntropy) {
        let targets = self.ids(bound, op.targets);
        let rows: Vec<u32> =
            (0..).zip(targets).filter(|(_, target)| **target != IGNORE).map(|(row, _)| row).collect();
        self.floats_mut(bound, op.losses).fill(0.0);
        if let Some(dx) = op.dx {
            elementwise::fill(&self.pool, self.isa, 0.0, self.mat_mut(bound, dx));
        }
        let chunk = self.mat_mut(bound, op.chunk);
        rows.chunks(chunk.rows)
            .for_each(|rows| self.classify_rows(bound, op, rows, chunk.rows(0, rows.len())));
    }

    /// Loss and gradients of the rows given, whose logits fit into `logits`.
    fn classify_rows(&self, bound: &Bound<'_>, op: &op::CrossEntropy, rows: &[u32], logits: MatMut<'_>) {
        let mut gathered = Vec::new();
        let x = self.pick(self.mat(bound, op.x), rows, &mut gathered);
        let forward = Segment { a: x, b: self.forward_operand(bound, op.weight) };
        self.product(bound, &[forward], &Epilogue::default(), logits);

        let targets = self.ids(bound, op.targets);
        let targets: Vec<u32> = rows.iter().map(|&row| targets[row as usize]).collect();
        let mut losses = vec![0.0; rows.len()];
        // SAFETY: the kernel reads a row of logits before it writes the gradient over it.
        let read = unsafe { logits.as_mat() };
        let wants_gradient = op.dx.is_some() || op.dweight.is_some();
        let dlogits = self.gradient_over(bound, logits);
        let scale = self.floats(bound, op.gradient_scale)[0];
        let gradient = wants_gradient.then_some(LogitGrad { scale, dlogits });
        cross_entropy(&self.pool, self.isa, read, &targets, &mut losses, gradient);
        let all_losses = self.floats_mut(bound, op.losses);
        rows.iter().zip(&losses).for_each(|(&row, &loss)| all_losses[row as usize] = loss);

        // SAFETY: written above, only read from here on.
        let dlogits = unsafe { dlogits.as_mat() };
        if let Some(dx) = op.dx {
            let segment = Segment { a: dlogits, b: self.backward_operand(bound, op.weight) };
            self.place(bound, &[segment], rows, self.mat_mut(bound, dx));
        }
        if let Some(dweight) = op.dweight {
            let dlogits = self.transposed(dlogits);
            let segment = Segment { a: dlogits.mat(), b: Operand::Columns(x) };
            let accumulate = Epilogue { accumulate: true, ..Epilogue::default() };
            self.product(bound, &[segment], &accumulate, self.mat_mut(bound, dweight));
        }
    }

    /// Room for the gradient in the memory of the logits: bf16 in the first half of each row if products round anyway.
    fn gradient_over<'a>(&self, bound: &Bound<'_>, logits: MatMut<'a>) -> MatMut<'a> {
        match bound.program.compute() {
            Precision::F32 => logits,
            Precision::Bf16 => {
                let (rows, cols, stride) = (logits.rows, logits.cols, 2 * logits.stride);
                // SAFETY: the same bytes as the logits, half as wide.
                unsafe { MatMut::from_raw(logits.row_ptr(0), Elem::Bf16, rows, cols, stride) }
            }
        }
    }

    /// The rows of `x` wanted: in place if they lie together, else copied into `room`.
    fn pick<'a>(&self, x: Mat<'a>, rows: &[u32], room: &'a mut Vec<u32>) -> Mat<'a> {
        if let Some(first) = run_of(rows) {
            return x.rows(first, rows.len());
        }
        room.resize(rows.len() * x.cols, 0);
        // SAFETY: `room` holds four bytes for every number and lives as long as the result.
        let picked =
            unsafe { MatMut::from_raw(room.as_mut_ptr().cast(), x.elem, rows.len(), x.cols, x.cols) };
        embed::gather(&self.pool, self.isa, x, rows, picked);
        // SAFETY: written above, only read from here on.
        unsafe { picked.as_mat() }
    }

    /// Writes the rows of a product to the rows wanted of `to`.
    fn place(&self, bound: &Bound<'_>, segments: &[Segment<'_>], rows: &[u32], to: MatMut<'_>) {
        if let Some(first) = run_of(rows) {
            return self.product(bound, segments, &Epilogue::default(), to.rows(first, rows.len()));
        }
        let mut room = vec![0.0_f32; rows.len() * to.cols];
        self.product(bound, segments, &Epilogue::default(), MatMut::f32(&mut room, rows.len(), to.cols));
        for (&row, values) in rows.iter().zip(room.chunks(to.cols)) {
            elementwise::copy(&self.pool, self.isa, Mat::f32(values, 1, to.cols), to.rows(row as usize, 1));
        }
    }
}

/// The first of `rows` if they are consecutive.
fn run_of(rows: &[u32]) -> Option<usize> {
    let (&first, &last) = rows.first().zip(rows.last())?;
    ((last - first) as usize + 1 == rows.len()).then_some(first as usize)
}
