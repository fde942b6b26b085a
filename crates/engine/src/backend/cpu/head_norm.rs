//! Root-mean-square normalization of every head by itself, and its derivative.
//!
//! y = x · r · γ with r = 1 / √(mean(x²) + ε) over one head. A row is copied to the nearest cache with
//! all its heads, so memory is read once and written once. Nothing is saved for the derivative but `x`.
//!
//! # Source
//! Zhang and Sennrich, *Root Mean Square Layer Normalization*, 2019, arXiv:1910.07467, eq. 4, on heads
//! as in Henry et al., *Query-Key Normalization for Transformers*, 2020, arXiv:2010.04245.

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

/// Heads that share the factors of their columns.
#[derive(Debug, Clone, Copy)]
pub struct Gain<'a> {
    /// Factors, (E).
    pub gamma: &'a [f32],
    /// How many heads.
    pub heads: usize,
}

/// What the derivative of [`head_norm`] is computed from.
#[derive(Debug, Clone, Copy)]
pub struct HeadNormGrad<'a> {
    /// Gradient of the output, (M, columns).
    pub dy: Mat<'a>,
    /// The input, (M, columns).
    pub x: Mat<'a>,
    /// Whose factors they are, from the first column on.
    pub gains: &'a [Gain<'a>],
    /// Added to the mean square.
    pub eps: f32,
}

/// `y = x / rms(x) · gamma`, head by head; columns behind the last head are copied. `y` may be `x`.
///
/// # Shapes
/// `x`, `y` (M, columns).
///
/// # Panics
/// If the shapes differ or the heads do not fit into a row.
pub fn head_norm(pool: &Pool, isa: Isa, x: Mat<'_>, gains: &[Gain<'_>], eps: f32, y: MatMut<'_>) {
    same_shape(x, y);
    check_heads(gains, x.cols);
    pool.for_chunks(x.rows, rows_per_task(x.cols), |rows| norm_rows(isa, rows, x, gains, eps, y));
}

/// `dx = d(head_norm)/dx · dy`, and `dgamma += d(head_norm)/dgamma · dy` for every gain it is wanted of.
///
/// `dx` may be `dy`.
///
/// # Determinism
/// `dgamma` is summed over rows in chunks of a fixed size, in order.
///
/// # Panics
/// If the shapes differ or the heads do not fit into a row.
pub fn head_norm_backward(
    pool: &Pool,
    isa: Isa,
    from: &HeadNormGrad<'_>,
    dx: MatMut<'_>,
    dgammas: &mut [Option<&mut [f32]>],
) {
    same_shape(from.x, dx);
    same_shape(from.dy, dx);
    check_heads(from.gains, dx.cols);
    assert_eq!(dgammas.len(), from.gains.len(), "a place for the gradient of each gain");
    if dgammas.iter().all(Option::is_none) {
        pool.for_chunks(dx.rows, rows_per_task(dx.cols), |rows| grad_rows(isa, rows, from, dx, &mut []));
        return;
    }
    let width = from.gains.iter().map(|gain| gain.gamma.len()).sum();
    let n_chunks = dx.rows.div_ceil(GAMMA_ROWS);
    let mut partial = vec![0.0; n_chunks * width];
    let shares = MatMut::f32(&mut partial, n_chunks, width);
    pool.for_chunks(dx.rows, GAMMA_ROWS, |rows| {
        let chunk = rows.start / GAMMA_ROWS;
        // SAFETY: each chunk has its own row.
        let share = unsafe { shares.row_f32(chunk) };
        grad_rows(isa, rows, from, dx, share);
    });
    for share in partial.chunks_exact(width.max(1)) {
        let mut rest = share;
        for (gain, dgamma) in from.gains.iter().zip(dgammas.iter_mut()) {
            let (share, behind) = rest.split_at(gain.gamma.len());
            rest = behind;
            let Some(dgamma) = dgamma else { continue };
            dgamma.iter_mut().zip(share).for_each(|(sum, share)| *sum += share);
        }
    }
}

fn check_heads(gains: &[Gain<'_>], cols: usize) {
    let normed: usize = gains.iter().map(|gain| gain.heads * gain.gamma.len()).sum();
    assert!(normed <= cols, "{normed} columns of heads in rows of {cols}");
}

kernel! {
    fn norm_rows<S>(rows: Range<usize>, x: Mat<'_>, gains: &[Gain<'_>], eps: f32, y: MatMut<'_>) {
        let mut row_x = vec![0.0; x.cols];
        for row in rows {
            read(x, row, 0, &mut row_x);
            let mut rest = &mut row_x[..];
            for gain in gains {
                let width = gain.gamma.len();
                let (heads, behind) = rest.split_at_mut(gain.heads * width);
                rest = behind;
                for head in heads.chunks_exact_mut(width.max(1)) {
                    let r = reciprocal_rms::<S>(head, eps);
                    head.iter_mut().zip(gain.gamma).for_each(|(x, gamma)| *x = *x * r * gamma);
                }
            }
            // SAFETY: this task owns the row.
            unsafe { write(y, row, 0, &row_x) };
        }
    }
}

kernel! {
    /// In every head, dx = r · (γ dy) − x · r³ / E · Σ γ dy x and dγ += dy · x · r; `share` holds the dγ of
    /// all gains side by side, or is empty if none is wanted.
    fn grad_rows<S>(rows: Range<usize>, from: &HeadNormGrad<'_>, dx: MatMut<'_>, share: &mut [f32]) {
        let (mut row_x, mut row_dy) = (vec![0.0; dx.cols], vec![0.0; dx.cols]);
        for row in rows {
            read(from.x, row, 0, &mut row_x);
            read(from.dy, row, 0, &mut row_dy);
            let (mut at, mut at_share) = (0, 0);
            for gain in from.gains {
                let width = gain.gamma.len();
                for _ in 0..gain.heads {
                    let (x, dy) = (&row_x[at..at + width], &mut row_dy[at..at + width]);
                    let r = reciprocal_rms::<S>(x, from.eps);
                    if let Some(dgamma) = share.get_mut(at_share..at_share + width) {
                        for ((sum, dy), x) in dgamma.iter_mut().zip(&*dy).zip(x) {
                            *sum = S::fma(*dy * r, *x, *sum);
                        }
                    }
                    dy.iter_mut().zip(gain.gamma).for_each(|(dy, gamma)| *dy *= gamma);
                    let along = dot::<S>(dy, x) * r * r / width as f32;
                    dy.iter_mut().zip(x).for_each(|(dy, x)| *dy = r * S::fma(-along, *x, *dy));
                    at += width;
                }
                at_share += width;
            }
            // SAFETY: this task owns the row.
            unsafe { write(dx, row, 0, &row_dy) };
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
    use crate::backend::cpu::norm::{RmsNormGrad, rms_norm, rms_norm_backward};
    use crate::backend::cpu::row::tests::{Buffer, assert_same, noise, pools};
    use crate::backend::cpu::view::Elem;

    /// Heads of one row are rows of a norm of their own.
    #[test]
    fn every_head_is_normalised_as_if_alone() {
        let (rows, width, rest) = (70, 6, 5);
        let (gamma_q, gamma_k) = (noise(width, 5), noise(width, 6));
        let gains = [Gain { gamma: &gamma_q, heads: 3 }, Gain { gamma: &gamma_k, heads: 1 }];
        let cols = 4 * width + rest;
        for elem in [Elem::F32, Elem::Bf16] {
            let x = Buffer::new(elem, &noise(rows * cols, 1));
            let dy = Buffer::new(elem, &noise(rows * cols, 2));
            for isa in Isa::available() {
                let mut of_isa = None;
                for pool in pools() {
                    let mut y = Buffer::new(elem, &vec![0.0; rows * cols]);
                    head_norm(&pool, isa, x.mat(rows, cols), &gains, 1e-6, y.mat_mut(rows, cols));
                    let mut dx = Buffer::new(elem, &vec![0.0; rows * cols]);
                    let (mut of_q, mut of_k) = (vec![0.5; width], vec![0.25; width]);
                    let from = HeadNormGrad {
                        dy: dy.mat(rows, cols),
                        x: x.mat(rows, cols),
                        gains: &gains,
                        eps: 1e-6,
                    };
                    let into = &mut [Some(&mut of_q[..]), Some(&mut of_k[..])];
                    head_norm_backward(&pool, isa, &from, dx.mat_mut(rows, cols), into);
                    check_alone(isa, &from, (&y, &dx), 0.25 - of_k[0], elem);
                    assert_same(isa, &mut of_isa, (y, dx, of_q, of_k));
                }
            }
        }
    }

    /// The fourth head against [`rms_norm`], and what lies behind the heads against what went in.
    fn check_alone(isa: Isa, from: &HeadNormGrad<'_>, (y, dx): (&Buffer, &Buffer), first: f32, elem: Elem) {
        let (pool, rows, cols, width) = (&pools()[0], from.x.rows, from.x.cols, 6);
        let gamma = from.gains[1].gamma;
        let mut alone = Buffer::new(elem, &vec![0.0; rows * width]);
        rms_norm(pool, isa, from.x.columns(3 * width, width), gamma, 1e-6, alone.mat_mut(rows, width));
        let mut alone_dx = Buffer::new(elem, &vec![0.0; rows * width]);
        let mut dgamma = vec![0.0; width];
        let grad = RmsNormGrad {
            dy: from.dy.columns(3 * width, width),
            x: from.x.columns(3 * width, width),
            gamma,
            eps: 1e-6,
            acc: None,
        };
        rms_norm_backward(pool, isa, &grad, alone_dx.mat_mut(rows, width), Some(&mut dgamma));
        assert!((dgamma[0] + first).abs() < 1e-5, "dγ {} {first}", dgamma[0]);
        for (all, alone, passed) in [(y, &alone, from.x), (dx, &alone_dx, from.dy)] {
            for row in 0..rows {
                let (mut got, mut want) = (vec![0.0; cols], vec![0.0; width]);
                read(all.mat(rows, cols), row, 0, &mut got);
                read(alone.mat(rows, width), row, 0, &mut want);
                let off = got[3 * width..].iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(off <= if elem == Elem::F32 { 1e-6 } else { 2e-2 }, "row {row} is {off} off");
                let mut behind = vec![0.0; cols];
                read(passed, row, 0, &mut behind);
                assert_eq!(got[4 * width..], behind[4 * width..], "row {row}");
            }
        }
    }

    #[test]
    fn nothing_to_do() {
        let (pool, gains) = (&pools()[1], [Gain { gamma: &[1.0; 2], heads: 2 }]);
        head_norm(pool, Isa::best(), Mat::f32(&[], 0, 4), &gains, 1e-5, MatMut::f32(&mut [], 0, 4));
    }
}
