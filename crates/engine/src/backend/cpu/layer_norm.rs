//! Layer normalization and its derivative.
//!
//! y = (x − μ) · r · γ + β, row by row. A row is copied to the nearest cache, where mean, variance
//! and result are three passes: memory is read once and written once. Nothing is saved for the
//! derivative but `x` itself.
//!
//! # Source
//! Ba, Kiros and Hinton, *Layer Normalization*, 2016, arXiv:1607.06450, eq. 4.

use super::elementwise::same_shape;
use super::isa::Isa;
use super::math::{dot, sum};
use super::pool::Pool;
use super::row::{read, rows_per_task, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use std::ops::Range;

/// Rows whose share of dγ and dβ is summed by one task.
const SHARE_ROWS: usize = 64;

/// Gain, bias and ε of a norm.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// Factors of the columns, (D).
    pub gamma: &'a [f32],
    /// Added to the columns, (D).
    pub beta: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
}

/// What the derivative of [`layer_norm`] is computed from.
#[derive(Debug, Clone, Copy)]
pub struct LayerNormGrad<'a> {
    /// Gradient of the output, (M, D).
    pub dy: Mat<'a>,
    /// The input, (M, D).
    pub x: Mat<'a>,
    /// Factors of the columns, (D).
    pub gamma: &'a [f32],
    /// Added to the variance.
    pub eps: f32,
    /// A gradient that already flows in the residual stream and is added, (M, D).
    pub acc: Option<Mat<'a>>,
}

/// Gradients of gain and bias, (D) each, that are added to.
#[derive(Debug)]
pub struct AffineGrad<'a> {
    /// Gradient of the factors.
    pub dgamma: &'a mut [f32],
    /// Gradient of the bias.
    pub dbeta: &'a mut [f32],
}

/// `y = (x − mean) / deviation · gamma + beta`, row by row; `y` may be `x`.
///
/// # Shapes
/// `x`, `y` (M, D).
///
/// # Panics
/// If the shapes differ.
pub fn layer_norm(pool: &Pool, isa: Isa, x: Mat<'_>, affine: Affine<'_>, y: MatMut<'_>) {
    same_shape(x, y);
    assert_eq!([affine.gamma.len(), affine.beta.len()], [x.cols; 2], "a factor and a bias for each column");
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| norm_rows(isa, rows, x, affine, y));
}

/// `dx = acc + d(layer_norm)/dx · dy`, and the sums over rows in `affine` if they are wanted.
///
/// `dx` may be `acc` or `dy`.
///
/// # Determinism
/// Sums over rows are taken in chunks of a fixed size, in order.
///
/// # Panics
/// If the shapes differ.
pub fn layer_norm_backward(
    pool: &Pool,
    isa: Isa,
    from: &LayerNormGrad<'_>,
    dx: MatMut<'_>,
    affine: Option<AffineGrad<'_>>,
) {
    same_shape(from.x, dx);
    same_shape(from.dy, dx);
    from.acc.inspect(|acc| same_shape(*acc, dx));
    let (rows, cols) = (dx.rows, dx.cols);
    assert_eq!(from.gamma.len(), cols, "gamma has one factor a column");
    let Some(AffineGrad { dgamma, dbeta }) = affine else {
        pool.for_chunks(rows, rows_per_task(cols), |rows| grad_rows(isa, rows, from, dx, None));
        return;
    };
    assert_eq!([dgamma.len(), dbeta.len()], [cols; 2], "one number for each column");
    let n_chunks = rows.div_ceil(SHARE_ROWS);
    let mut partial = vec![0.0; n_chunks * 2 * cols];
    let shares = MatMut::f32(&mut partial, n_chunks, 2 * cols);
    pool.for_chunks(rows, SHARE_ROWS, |rows| {
        let chunk = rows.start / SHARE_ROWS;
        // SAFETY: each chunk has its own row.
        let share = unsafe { shares.row_f32(chunk) };
        grad_rows(isa, rows, from, dx, Some(share));
    });
    for share in partial.chunks_exact((2 * cols).max(1)) {
        let (gamma, beta) = share.split_at(cols);
        dgamma.iter_mut().zip(gamma).for_each(|(sum, share)| *sum += share);
        dbeta.iter_mut().zip(beta).for_each(|(sum, share)| *sum += share);
    }
}

/// Takes mean and deviation out of a row, and returns the reciprocal of the deviation.
#[inline(always)]
fn normalize<S: Simd>(x: &mut [f32], eps: f32) -> f32 {
    let n = x.len() as f32;
    let mean = sum(x) / n;
    x.iter_mut().for_each(|x| *x -= mean);
    let r = 1.0 / (dot::<S>(x, x) / n + eps).sqrt();
    x.iter_mut().for_each(|x| *x *= r);
    r
}

kernel! {
    fn norm_rows<S>(rows: Range<usize>, x: Mat<'_>, affine: Affine<'_>, y: MatMut<'_>) {
        let mut row_x = vec![0.0; x.cols];
        for row in rows {
            read(x, row, 0, &mut row_x);
            normalize::<S>(&mut row_x, affine.eps);
            for ((x, gamma), beta) in row_x.iter_mut().zip(affine.gamma).zip(affine.beta) {
                *x = S::fma(*x, *gamma, *beta);
            }
            // SAFETY: this task owns the row.
            unsafe { write(y, row, 0, &row_x) };
        }
    }
}

kernel! {
    /// dx = acc + r · (γ dy − mean(γ dy) − x̂ · mean(γ dy x̂));  dγ += dy · x̂;  dβ += dy.
    fn grad_rows<S>(rows: Range<usize>, from: &LayerNormGrad<'_>, dx: MatMut<'_>, share: Option<&mut [f32]>) {
        let cols = dx.cols;
        let (mut x, mut dy, mut acc) = (vec![0.0; cols], vec![0.0; cols], vec![0.0; cols]);
        let mut share = share;
        for row in rows {
            read(from.x, row, 0, &mut x);
            read(from.dy, row, 0, &mut dy);
            if let Some(mat) = from.acc {
                read(mat, row, 0, &mut acc);
            }
            let r = normalize::<S>(&mut x, from.eps);
            if let Some(share) = share.as_deref_mut() {
                let (gamma, beta) = share.split_at_mut(cols);
                for (((gamma, beta), dy), x) in gamma.iter_mut().zip(beta).zip(&dy).zip(&x) {
                    *gamma = S::fma(*dy, *x, *gamma);
                    *beta += dy;
                }
            }
            dy.iter_mut().zip(from.gamma).for_each(|(dy, gamma)| *dy *= gamma);
            let (mean, along) = (sum(&dy) / cols as f32, dot::<S>(&dy, &x) / cols as f32);
            for ((dy, x), acc) in dy.iter_mut().zip(&x).zip(&acc) {
                *dy = S::fma(r, S::fma(-along, *x, *dy - mean), *acc);
            }
            // SAFETY: this task owns the row.
            unsafe { write(dx, row, 0, &dy) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    const EPS: f32 = 1e-5;

    fn reference(x: &[f64], gamma: &[f64], beta: &[f64], cols: usize) -> Vec<f64> {
        let row = |x: &[f64]| {
            let mean = x.iter().sum::<f64>() / cols as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / cols as f64;
            let r = 1.0 / (variance + f64::from(EPS)).sqrt();
            let scaled = x.iter().zip(gamma).zip(beta);
            scaled.map(|((x, gamma), beta)| (x - mean) * r * gamma + beta).collect::<Vec<_>>()
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
        let gamma: Vec<f32> = noise(cols, 3).iter().map(|x| 1.0 + x / 2.0).collect();
        let beta = noise(cols, 5);
        let [wide_gamma, wide_beta] =
            [&gamma, &beta].map(|v| v.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>());
        let x = Buffer::new(elem, &noise(rows * cols, 1).iter().map(|x| x + 3.0).collect::<Vec<_>>());
        let dy = Buffer::new(elem, &noise(rows * cols, 2));
        let acc = Buffer::new(elem, &noise(rows * cols, 4));
        let wide = x.wide();
        let loss = |x: &[f64], gamma: &[f64], beta: &[f64]| {
            reference(x, gamma, beta, cols).iter().zip(dy.wide()).map(|(y, dy)| y * dy).sum::<f64>()
        };
        let want_y = reference(&wide, &wide_gamma, &wide_beta, cols);
        let along_x = |idx: usize| slope(&wide, idx, |x| loss(x, &wide_gamma, &wide_beta));
        let want_dx: Vec<f64> = acc.wide().iter().enumerate().map(|(idx, acc)| acc + along_x(idx)).collect();
        let along_gamma = |idx| 0.5 + slope(&wide_gamma, idx, |gamma| loss(&wide, gamma, &wide_beta));
        let along_beta = |idx| 0.5 + slope(&wide_beta, idx, |beta| loss(&wide, &wide_gamma, beta));
        let want_affine: Vec<f64> = (0..cols).map(along_gamma).chain((0..cols).map(along_beta)).collect();
        // Half a unit in the last of bf16's eight bits, or sums of f32 rounding around a mean of three.
        let tolerance = if elem == Elem::F32 { 4e-6 } else { 1.0 / 256.0 };
        let affine = Affine { gamma: &gamma, beta: &beta, eps: EPS };
        for isa in Isa::available() {
            let mut of_isa = None;
            for pool in pools() {
                let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                layer_norm(&pool, isa, x.mat(rows, cols), affine, y.mat_mut(rows, cols));
                assert_close("y", &y.wide(), &want_y, tolerance);
                let mut dx = acc.clone();
                let (mut dgamma, mut dbeta) = (vec![0.5; cols], vec![0.5; cols]);
                let view = dx.mat_mut(rows, cols);
                // SAFETY: the kernel copies a row before it writes it.
                let residual = Some(unsafe { view.as_mat() });
                let (x, dy) = (x.mat(rows, cols), dy.mat(rows, cols));
                let from = LayerNormGrad { dy, x, gamma: &gamma, eps: EPS, acc: residual };
                let sums = AffineGrad { dgamma: &mut dgamma, dbeta: &mut dbeta };
                layer_norm_backward(&pool, isa, &from, view, Some(sums));
                assert_close("dx", &dx.wide(), &want_dx, tolerance);
                let got: Vec<f64> = dgamma.iter().chain(&dbeta).map(|&x| x.into()).collect();
                assert_close("dgamma and dbeta", &got, &want_affine, 1e-5);
                let got = (y, dx, dgamma, dbeta);
                assert_same(isa, &mut of_isa, got);
            }
        }
    }

    #[test]
    fn values_and_derivatives() {
        for elem in [Elem::F32, Elem::Bf16] {
            for (rows, cols) in [(3, 5), (2, 64), (130, 7), (65, 20)] {
                check(elem, rows, cols);
            }
        }
    }

    #[test]
    fn one_column_is_the_bias() {
        for isa in Isa::available() {
            let mut y = [9.0; 2];
            let affine = Affine { gamma: &[2.0], beta: &[0.25], eps: EPS };
            layer_norm(&pools()[0], isa, Mat::f32(&[3.0, -8.0], 2, 1), affine, MatMut::f32(&mut y, 2, 1));
            assert_eq!(y, [0.25; 2], "{isa}");
        }
    }
}
