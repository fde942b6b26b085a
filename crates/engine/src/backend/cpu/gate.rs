//! The gated activation of the feed-forward block, SwiGLU: y = silu(gate) · up.
//!
//! # Source
//! Shazeer, *GLU Variants Improve Transformer*, 2020, arXiv:2002.05202, eq. 5.

use super::isa::Isa;
use super::math::sigmoid;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::kernel;
use super::view::{Mat, MatMut};
use crate::op::Clamp;
use std::ops::Range;

/// `y = silu(gate) · up`.
///
/// # Shapes
/// `gate_up` (M, 2F), the gates first; `y` (M, F).
///
/// # Panics
/// If the shapes do not fit.
pub fn swiglu(pool: &Pool, isa: Isa, gate_up: Mat<'_>, y: MatMut<'_>) {
    assert_eq!((gate_up.rows, gate_up.cols), (y.rows, 2 * y.cols), "gate and up beside each other");
    pool.for_chunks(y.rows, rows_per_task(2 * y.cols), |rows| gate_rows(isa, rows, gate_up, y));
}

/// The gradient of `gate_up` from that of `y`; it may overwrite `gate_up`.
///
/// # Shapes
/// `dy` (M, F); `gate_up`, `dgate_up` (M, 2F), the gates first.
///
/// # Panics
/// If the shapes do not fit.
pub fn swiglu_backward(pool: &Pool, isa: Isa, dy: Mat<'_>, gate_up: Mat<'_>, dgate_up: MatMut<'_>) {
    for shape in [(gate_up.rows, gate_up.cols), (dgate_up.rows, dgate_up.cols)] {
        assert_eq!(shape, (dy.rows, 2 * dy.cols), "gate and up beside each other");
    }
    let chunk = rows_per_task(3 * dy.cols);
    pool.for_chunks(dy.rows, chunk, |rows| grad_rows(isa, rows, dy, gate_up, dgate_up));
}

kernel! {
    fn gate_rows<S>(rows: Range<usize>, gate_up: Mat<'_>, y: MatMut<'_>) {
        let (mut gate, mut up) = ([0.0; BLOCK], [0.0; BLOCK]);
        for row in rows {
            for (at, n) in blocks(y.cols) {
                read(gate_up, row, at, &mut gate[..n]);
                read(gate_up, row, y.cols + at, &mut up[..n]);
                for (gate, up) in gate[..n].iter_mut().zip(&up[..n]) {
                    *gate = *gate * sigmoid::<S>(*gate) * up;
                }
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &gate[..n]) };
            }
        }
    }
}

kernel! {
    /// dup = dy · g s;  dgate = dy · up · s (1 + g (1 − s)), with s = sigmoid(g).
    fn grad_rows<S>(rows: Range<usize>, dy: Mat<'_>, gate_up: Mat<'_>, dgate_up: MatMut<'_>) {
        let (mut gate, mut up, mut grad) = ([0.0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        for row in rows {
            for (at, n) in blocks(dy.cols) {
                read(dy, row, at, &mut grad[..n]);
                read(gate_up, row, at, &mut gate[..n]);
                read(gate_up, row, dy.cols + at, &mut up[..n]);
                for ((gate, up), dy) in gate[..n].iter_mut().zip(&mut up[..n]).zip(&grad[..n]) {
                    let s = sigmoid::<S>(*gate);
                    let silu = *gate * s;
                    *gate = dy * *up * S::fma(s, -silu, s + silu);
                    *up = dy * silu;
                }
                // SAFETY: this task owns the row.
                unsafe { write(dgate_up, row, at, &gate[..n]) };
                // SAFETY: as above.
                unsafe { write(dgate_up, row, dy.cols + at, &up[..n]) };
            }
        }
    }
}

/// `y = (u + 1) · g · sigmoid(α g)`, with gate and up clamped and interleaved.
///
/// # Shapes
/// `gate_up` (M, 2F), column 2f the gate and 2f + 1 the up of number f; `y` (M, F).
///
/// # Panics
/// If the shapes do not fit.
pub fn clamped_swiglu(pool: &Pool, isa: Isa, gate_up: Mat<'_>, clamp: Clamp, y: MatMut<'_>) {
    assert_eq!((gate_up.rows, gate_up.cols), (y.rows, 2 * y.cols), "gate and up beside each other");
    pool.for_chunks(y.rows, rows_per_task(2 * y.cols), |rows| clamped_rows(isa, rows, gate_up, clamp, y));
}

/// The gradient of `gate_up` from that of `y`; it may overwrite `gate_up`.
///
/// # Panics
/// If the shapes do not fit.
pub fn clamped_swiglu_backward(
    pool: &Pool,
    isa: Isa,
    dy: Mat<'_>,
    gate_up: Mat<'_>,
    clamp: Clamp,
    dgate_up: MatMut<'_>,
) {
    for shape in [(gate_up.rows, gate_up.cols), (dgate_up.rows, dgate_up.cols)] {
        assert_eq!(shape, (dy.rows, 2 * dy.cols), "gate and up beside each other");
    }
    let chunk = rows_per_task(3 * dy.cols);
    pool.for_chunks(dy.rows, chunk, |rows| clamped_grad_rows(isa, rows, dy, gate_up, clamp, dgate_up));
}

kernel! {
    fn clamped_rows<S>(rows: Range<usize>, gate_up: Mat<'_>, clamp: Clamp, y: MatMut<'_>) {
        let (mut both, mut out) = ([0.0; BLOCK], [0.0; BLOCK / 2]);
        let Clamp { alpha, limit } = clamp;
        for row in rows {
            for (at, n) in blocks(gate_up.cols) {
                read(gate_up, row, at, &mut both[..n]);
                for (out, pair) in out.iter_mut().zip(both[..n].as_chunks::<2>().0) {
                    let (gate, up) = (pair[0].min(limit), pair[1].min(limit).max(-limit));
                    *out = (up + 1.0) * gate * sigmoid::<S>(alpha * gate);
                }
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at / 2, &out[..n / 2]) };
            }
        }
    }
}

kernel! {
    /// dup = dy · g s;  dgate = dy · (u + 1) · s (1 + α g (1 − s)), and nothing where clamped.
    fn clamped_grad_rows<S>(
        rows: Range<usize>,
        dy: Mat<'_>,
        gate_up: Mat<'_>,
        clamp: Clamp,
        dgate_up: MatMut<'_>,
    ) {
        let (mut both, mut grad) = ([0.0; BLOCK], [0.0; BLOCK / 2]);
        let Clamp { alpha, limit } = clamp;
        for row in rows {
            for (at, n) in blocks(gate_up.cols) {
                read(gate_up, row, at, &mut both[..n]);
                read(dy, row, at / 2, &mut grad[..n / 2]);
                for (pair, dy) in both[..n].as_chunks_mut::<2>().0.iter_mut().zip(&grad) {
                    let (gate, up) = (pair[0].min(limit), pair[1].min(limit).max(-limit));
                    let s = sigmoid::<S>(alpha * gate);
                    let slope = s * S::fma(alpha * gate, 1.0 - s, 1.0);
                    let dgate = if pair[0] <= limit { dy * (up + 1.0) * slope } else { 0.0 };
                    let dup = if pair[1].abs() <= limit { dy * gate * s } else { 0.0 };
                    *pair = [dgate, dup];
                }
                // SAFETY: this task owns the row.
                unsafe { write(dgate_up, row, at, &both[..n]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn silu(x: f64) -> f64 {
        x / (1.0 + (-x).exp())
    }

    fn check(elem: Elem, rows: usize, cols: usize) {
        let wider: Vec<f32> = noise(2 * rows * cols, 1).iter().map(|x| 8.0 * x).collect();
        let (x, dy) = (Buffer::new(elem, &wider), Buffer::new(elem, &noise(rows * cols, 2)));
        let (wide, wide_dy) = (x.wide(), dy.wide());
        let mut want = (vec![0.0; rows * cols], vec![0.0; 2 * rows * cols]);
        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
            let (at, dy) = (2 * row * cols + col, wide_dy[row * cols + col]);
            let (gate, up) = (wide[at], wide[at + cols]);
            want.0[row * cols + col] = silu(gate) * up;
            want.1[at] = dy * up * (silu(gate + 1e-5) - silu(gate - 1e-5)) / 2e-5;
            want.1[at + cols] = dy * silu(gate);
        }
        let tolerance = if elem == Elem::F32 { 1e-6 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                swiglu(&pool, isa, x.mat(rows, 2 * cols), y.mat_mut(rows, cols));
                assert_close("y", &y.wide(), &want.0, tolerance);
                let mut dx = x.clone();
                let view = dx.mat_mut(rows, 2 * cols);
                // SAFETY: the kernel copies a block before it writes it.
                swiglu_backward(&pool, isa, dy.mat(rows, cols), unsafe { view.as_mat() }, view);
                assert_close("dx", &dx.wide(), &want.1, tolerance);
                let got = (y, dx);
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn values_and_derivatives() {
        for elem in [Elem::F32, Elem::Bf16] {
            for (rows, cols) in [(0, 3), (1, 1), (5, 33), (70, 16), (3, 1030)] {
                check(elem, rows, cols);
            }
        }
    }

    #[test]
    fn extreme_gates_stay_finite() {
        for isa in Isa::available() {
            let gate_up = [-1e4, -90.0, 90.0, 1e4, 1.0, 1.0, 1.0, 1.0];
            let mut y = [0.0; 4];
            swiglu(&pools()[0], isa, Mat::f32(&gate_up, 1, 8), MatMut::f32(&mut y, 1, 4));
            assert_eq!(y.map(f32::abs), [0.0, 0.0, 90.0, 1e4], "{isa}");
        }
    }
}
