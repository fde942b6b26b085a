//! Root-mean-square normalization and its derivative.
//!
//! y = x · r · γ with r = 1 / √(mean(x²) + ε), row by row. Nothing is saved for
//! the derivative but `x` itself: r costs one pass over a row that is read anyway.
//!
//! # Source
//! Zhang and Sennrich, *Root Mean Square Layer Normalization*, 2019, arXiv:1910.07467, eq. 4.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::math::dot;
use super::pool::Pool;
use super::row::{read, rows_per_task, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use std::ops::Range;

/// Rows whose share of dγ is summed by one task.
const GAMMA_ROWS: usize = 64;

/// What the derivative of [`rms_norm`] is computed from.
#[derive(Debug, Clone, Copy)]
pub struct RmsNormGrad<'a> {
    /// Gradient of the output, (M, D).
    pub dy: Mat<'a>,
    /// The input, (M, D).
    pub x: Mat<'a>,
    /// Factors of the columns, (D).
    pub gamma: &'a [f32],
    /// Added to the mean square.
    pub eps: f32,
    /// A gradient that already flows in the residual stream and is added, (M, D).
    pub acc: Option<Mat<'a>>,
}

/// `y = x / rms(x) · gamma`, row by row; `y` may be `x`.
///
/// # Shapes
/// `x`, `y` (M, D); `gamma` (D).
///
/// # Panics
/// If the shapes differ.
pub fn rms_norm(pool: &Pool, isa: Isa, x: Mat<'_>, gamma: &[f32], eps: f32, y: MatMut<'_>) {
    same_shape(x, y);
    assert_eq!(gamma.len(), x.cols, "gamma has one factor a column");
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| norm_rows(isa, rows, x, gamma, eps, y));
}

/// `dx = acc + d(rms_norm)/dx · dy` and `dgamma += d(rms_norm)/dgamma · dy`.
///
/// `dx` may be `acc` or `dy`.
///
/// # Determinism
/// `dgamma` is summed over rows in chunks of a fixed size, in order.
///
/// # Panics
/// If the shapes differ.
pub fn rms_norm_backward(
    pool: &Pool,
    isa: Isa,
    from: &RmsNormGrad<'_>,
    dx: MatMut<'_>,
    dgamma: Option<&mut [f32]>,
) {
    same_shape(from.x, dx);
    same_shape(from.dy, dx);
    from.acc.inspect(|acc| same_shape(*acc, dx));
    let (rows, cols) = (dx.rows, dx.cols);
    assert_eq!(from.gamma.len(), cols, "gamma has one factor a column");
    let Some(dgamma) = dgamma else {
        pool.for_chunks(rows, rows_per_task(cols), |rows| grad_rows(isa, rows, from, dx, None));
        return;
    };
    assert_eq!(dgamma.len(), cols, "dgamma has one number a column");
    let n_chunks = rows.div_ceil(GAMMA_ROWS);
    let mut partial = vec![0.0; n_chunks * cols];
    let shares = MatMut::f32(&mut partial, n_chunks, cols);
    pool.for_chunks(rows, GAMMA_ROWS, |rows| {
        let chunk = rows.start / GAMMA_ROWS;
        // SAFETY: each chunk has its own row.
        let share = unsafe { shares.row_f32(chunk) };
        grad_rows(isa, rows, from, dx, Some(share));
    });
    for share in partial.chunks_exact(cols.max(1)) {
        dgamma.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
    }
}

kernel! {
    fn norm_rows<S>(rows: Range<usize>, x: Mat<'_>, gamma: &[f32], eps: f32, y: MatMut<'_>) {
        let mut row_x = vec![0.0; x.cols];
        for row in rows {
            read(x, row, 0, &mut row_x);
            let r = reciprocal_rms::<S>(&row_x, eps);
            row_x.iter_mut().zip(gamma).for_each(|(x, gamma)| *x = *x * r * gamma);
            // SAFETY: this task owns the row.
            unsafe { write(y, row, 0, &row_x) };
        }
    }
}

kernel! {
    /// dx = acc + r · (γ dy) − x · r³ / D · Σ γ dy x;  dγ += dy · x · r.
    fn grad_rows<S>(rows: Range<usize>, from: &RmsNormGrad<'_>, dx: MatMut<'_>, dgamma: Option<&mut [f32]>) {
        let cols = dx.cols;
        let (mut x, mut dy, mut acc) = (vec![0.0; cols], vec![0.0; cols], vec![0.0; cols]);
        let mut dgamma = dgamma;
        for row in rows {
            read(from.x, row, 0, &mut x);
            read(from.dy, row, 0, &mut dy);
            if let Some(mat) = from.acc {
                read(mat, row, 0, &mut acc);
            }
            let r = reciprocal_rms::<S>(&x, from.eps);
            if let Some(dgamma) = dgamma.as_deref_mut() {
                for ((sum, dy), x) in dgamma.iter_mut().zip(&dy).zip(&x) {
                    *sum = S::fma(*dy * r, *x, *sum);
                }
            }
            dy.iter_mut().zip(from.gamma).for_each(|(dy, gamma)| *dy *= gamma);
            let along = dot::<S>(&dy, &x) * r * r / cols as f32;
            for ((dy, x), acc) in dy.iter_mut().zip(&x).zip(&acc) {
                *dy = S::fma(r, S::fma(-along, *x, *dy), *acc);
            }
            // SAFETY: this task owns the row.
            unsafe { write(dx, row, 0, &dy) };
        }
    }
}

#[inline(always)]
fn reciprocal_rms<S: Simd>(x: &[f32], eps: f32) -> f32 {
    1.0 / (dot::<S>(x, x) / x.len() as f32 + eps).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn reference(x: &[f64], gamma: &[f64], cols: usize, eps: f64) -> Vec<f64> {
        let row = |x: &[f64]| {
            let r = 1.0 / (x.iter().map(|x| x * x).sum::<f64>() / cols as f64 + eps).sqrt();
            x.iter().zip(gamma).map(move |(x, gamma)| x * r * gamma).collect::<Vec<_>>()
        };
        x.chunks(cols).flat_map(row).collect()
    }

    /// d Σ y·dy / d v[idx] by central differences in f64.
    fn slope(v: &[f64], idx: usize, f: impl Fn(&[f64]) -> f64) -> f64 {
        let at = |step: f64| {
            let mut v = v.to_vec();
            v[idx] += step;
            f(&v)
        };
        (at(1e-5) - at(-1e-5)) / 2e-5
    }

    fn check(elem: Elem, rows: usize, cols: usize) {
        let eps = 1e-5_f32;
        let gamma: Vec<f32> = noise(cols, 3).iter().map(|x| 1.0 + x / 2.0).collect();
        let wide_gamma: Vec<f64> = gamma.iter().map(|&x| f64::from(x)).collect();
        let x = Buffer::new(elem, &noise(rows * cols, 1));
        let dy = Buffer::new(elem, &noise(rows * cols, 2));
        let acc = Buffer::new(elem, &noise(rows * cols, 4));
        let loss = |x: &[f64], gamma: &[f64]| {
            reference(x, gamma, cols, eps.into()).iter().zip(dy.wide()).map(|(y, dy)| y * dy).sum::<f64>()
        };
        let wide = x.wide();
        let want_y = reference(&wide, &wide_gamma, cols, eps.into());
        let along_x = |idx: usize| slope(&wide, idx, |x| loss(x, &wide_gamma));
        let want_dx: Vec<f64> = acc.wide().iter().enumerate().map(|(idx, acc)| acc + along_x(idx)).collect();
        let along_gamma = |idx| 0.5 + slope(&wide_gamma, idx, |gamma| loss(&wide, gamma));
        let want_dgamma: Vec<f64> = (0..cols).map(along_gamma).collect();
        // Half a unit in the last of bf16's eight bits, or sums of f32 rounding.
        let tolerance = if elem == Elem::F32 { 2e-6 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                rms_norm(&pool, isa, x.mat(rows, cols), &gamma, eps, y.mat_mut(rows, cols));
                assert_close("y", &y.wide(), &want_y, tolerance);
                let mut dx = acc.clone();
                let mut dgamma = vec![0.5; cols];
                let view = dx.mat_mut(rows, cols);
                // SAFETY: the kernel copies a row before it writes it.
                let residual = Some(unsafe { view.as_mat() });
                let (x, dy) = (x.mat(rows, cols), dy.mat(rows, cols));
                let from = RmsNormGrad { dy, x, gamma: &gamma, eps, acc: residual };
                rms_norm_backward(&pool, isa, &from, view, Some(&mut dgamma));
                assert_close("dx", &dx.wide(), &want_dx, tolerance);
                let got: Vec<f64> = dgamma.iter().map(|&x| x.into()).collect();
                assert_close("dgamma", &got, &want_dgamma, 1e-5);
                let got = (y, dx, dgamma);
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn values_and_derivatives() {
        for elem in [Elem::F32, Elem::Bf16] {
            for (rows, cols) in [(1, 1), (3, 5), (2, 64), (130, 7), (65, 20)] {
                check(elem, rows, cols);
            }
        }
    }

    #[test]
    fn nothing_to_do() {
        let pool = &pools()[1];
        rms_norm(pool, Isa::best(), Mat::f32(&[], 0, 4), &[1.0; 4], 1e-5, MatMut::f32(&mut [], 0, 4));
    }

    #[test]
    fn without_a_residual_the_gradient_is_overwritten() {
        let (x, dy, gamma) = (noise(12, 1), noise(12, 2), vec![1.0; 6]);
        let run = |mut dx: Vec<f32>| {
            let from = RmsNormGrad {
                dy: Mat::f32(&dy, 2, 6),
                x: Mat::f32(&x, 2, 6),
                gamma: &gamma,
                eps: 0.0,
                acc: None,
            };
            rms_norm_backward(&pools()[0], Isa::best(), &from, MatMut::f32(&mut dx, 2, 6), None);
            dx
        };
        let dx = run(vec![9.0; 12]);
        assert_eq!(dx, run(vec![0.0; 12]));
        // Scaling a row does not change its norm: without ε the gradient is at right angles to it.
        assert!(dot::<crate::backend::cpu::simd::Fused>(&dx[..6], &x[..6]).abs() < 1e-5);
    }
}
