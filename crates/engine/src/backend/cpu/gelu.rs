//! GELU in its tanh form and its derivative, one pass over memory each.
//!
//! y = x · σ(2u), 2u = √(8/π) · x · (1 + 0.044715 x²): no tanh is needed, and one exponential is
//! all that costs time. It is within 2 ulp, its argument within an ulp of its own: y and dx are
//! within 2e-6 of the largest number.
//!
//! # Source
//! Hendrycks and Gimpel, *Gaussian Error Linear Units*, 2016, arXiv:1606.08415, section 2.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::math::sigmoid;
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, rows_per_task, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use crate::op::gelu::{BEND, SLOPE};
use std::ops::Range;

/// Where σ(2u) has long been zero or one: squares stop here, so that none overflows.
const LARGEST_SQUARE: f32 = 1e4;

/// `y = gelu(x)`; `y` may be `x`.
///
/// # Shapes
/// `x`, `y` (M, F).
///
/// # Panics
/// If the shapes differ.
pub fn gelu(pool: &Pool, isa: Isa, x: Mat<'_>, y: MatMut<'_>) {
    same_shape(x, y);
    pool.for_chunks(y.rows, rows_per_task(2 * y.cols), |rows| value_rows(isa, rows, x, y));
}

/// The gradient of `x` from that of `y`; it may overwrite either.
///
/// # Shapes
/// `dy`, `x`, `dx` (M, F).
///
/// # Panics
/// If the shapes differ.
pub fn gelu_backward(pool: &Pool, isa: Isa, dy: Mat<'_>, x: Mat<'_>, dx: MatMut<'_>) {
    same_shape(dy, dx);
    same_shape(x, dx);
    pool.for_chunks(dx.rows, rows_per_task(3 * dx.cols), |rows| grad_rows(isa, rows, dy, x, dx));
}

/// σ(2u), and x².
#[inline(always)]
fn weight<S: Simd>(x: f32) -> (f32, f32) {
    let square = (x * x).min(LARGEST_SQUARE);
    (sigmoid::<S>(x * S::fma(square, (SLOPE * BEND) as f32, SLOPE as f32)), square)
}

kernel! {
    fn value_rows<S>(rows: Range<usize>, x: Mat<'_>, y: MatMut<'_>) {
        let mut block = [0.0; BLOCK];
        for row in rows {
            for (at, n) in blocks(y.cols) {
                read(x, row, at, &mut block[..n]);
                block[..n].iter_mut().for_each(|x| *x *= weight::<S>(*x).0);
                // SAFETY: this task owns the row.
                unsafe { write(y, row, at, &block[..n]) };
            }
        }
    }
}

kernel! {
    /// dx = dy · (s + x · s (1 − s) · 2u′).
    fn grad_rows<S>(rows: Range<usize>, dy: Mat<'_>, x: Mat<'_>, dx: MatMut<'_>) {
        let (mut block, mut grad) = ([0.0; BLOCK], [0.0; BLOCK]);
        for row in rows {
            for (at, n) in blocks(dx.cols) {
                read(x, row, at, &mut block[..n]);
                read(dy, row, at, &mut grad[..n]);
                for (x, dy) in block[..n].iter_mut().zip(&grad[..n]) {
                    let (s, square) = weight::<S>(*x);
                    let inner = S::fma(square, (3.0 * SLOPE * BEND) as f32, SLOPE as f32);
                    *x = dy * S::fma(*x * s * (1.0 - s), inner, s);
                }
                // SAFETY: this task owns the row.
                unsafe { write(dx, row, at, &block[..n]) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn exact(x: f64) -> f64 {
        x / 2.0 * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x)).tanh())
    }

    fn check(elem: Elem, rows: usize, cols: usize) {
        let wider: Vec<f32> = noise(rows * cols, 1).iter().map(|x| 6.0 * x).collect();
        let (x, dy) = (Buffer::new(elem, &wider), Buffer::new(elem, &noise(rows * cols, 2)));
        let want_y: Vec<f64> = x.wide().into_iter().map(exact).collect();
        let slope = |(x, dy): (f64, f64)| dy * (exact(x + 1e-5) - exact(x - 1e-5)) / 2e-5;
        let want_dx: Vec<f64> = x.wide().into_iter().zip(dy.wide()).map(slope).collect();
        // An argument of the exponential near 16 carries 1e-6 of rounding into it.
        let tolerance = if elem == Elem::F32 { 2e-6 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                gelu(&pool, isa, x.mat(rows, cols), y.mat_mut(rows, cols));
                assert_close("y", &y.wide(), &want_y, tolerance);
                let mut dx = x.clone();
                let view = dx.mat_mut(rows, cols);
                // SAFETY: the kernel copies a block before it writes it.
                gelu_backward(&pool, isa, dy.mat(rows, cols), unsafe { view.as_mat() }, view);
                assert_close("dx", &dx.wide(), &want_dx, tolerance);
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
    fn extreme_numbers_stay_finite() {
        for isa in Isa::available() {
            let x = [-1e38, -90.0, -0.0, 90.0, 1e38];
            let (mut y, mut dx) = ([7.0; 5], [7.0; 5]);
            gelu(&pools()[0], isa, Mat::f32(&x, 1, 5), MatMut::f32(&mut y, 1, 5));
            assert_eq!(y, [0.0, 0.0, 0.0, 90.0, 1e38], "{isa}");
            let dy = Mat::f32(&[1.0; 5], 1, 5);
            gelu_backward(&pools()[0], isa, dy, Mat::f32(&x, 1, 5), MatMut::f32(&mut dx, 1, 5));
            assert_eq!(dx, [0.0, 0.0, 0.5, 1.0, 1.0], "{isa}");
        }
    }
}
