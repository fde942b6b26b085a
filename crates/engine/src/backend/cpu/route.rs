//! The choice of experts: the largest logits of a row, and a softmax over them or over all.

use super::isa::Isa;
use super::math::exp;
use super::pool::Pool;
use super::row::rows_per_task;
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use crate::op::Share;
use std::ops::Range;

/// Room for ids that tasks write, each its own rows.
#[derive(Clone, Copy)]
struct Rows(*mut u32, usize);

// SAFETY: every task writes rows of its own.
unsafe impl Sync for Rows {}

impl Rows {
    /// # Safety
    /// No other task or live slice may touch this row.
    unsafe fn row<'a>(self, row: usize) -> &'a mut [u32] {
        // SAFETY: the row exists by the assertion of `route`, and is the caller's.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(row * self.1), self.1) }
    }
}

/// The experts of every row of logits, the largest first, and their weights.
///
/// # Shapes
/// `logits` (M, X) f32; `weights` (M, k) f32; `experts` (M, k).
///
/// # Panics
/// If the shapes do not fit or k exceeds X.
pub fn route(
    pool: &Pool,
    isa: Isa,
    (logits, share): (Mat<'_>, Share),
    weights: MatMut<'_>,
    experts: &mut [u32],
) {
    let per_token = weights.cols;
    assert!(weights.rows == logits.rows && per_token <= logits.cols, "choices among the experts there are");
    assert_eq!(experts.len(), logits.rows * per_token, "as many experts as weights");
    let experts = &Rows(experts.as_mut_ptr(), per_token);
    let chunk = rows_per_task(logits.cols * (per_token + 4));
    pool.for_chunks(logits.rows, chunk, |rows| choose(isa, rows, logits, share, weights, experts));
}

/// The gradient of the logits from that of the weights.
///
/// # Panics
/// If the shapes do not fit.
pub fn route_backward(
    pool: &Pool,
    isa: Isa,
    (logits, share): (Mat<'_>, Share),
    (weights, experts): (Mat<'_>, &[u32]),
    dweights: Mat<'_>,
    dlogits: MatMut<'_>,
) {
    assert_eq!((dlogits.rows, dlogits.cols), (logits.rows, logits.cols), "a gradient for every logit");
    assert_eq!((dweights.rows, dweights.cols), (weights.rows, weights.cols), "and for every weight");
    assert_eq!(experts.len(), weights.rows * weights.cols, "as many experts as weights");
    let chosen = (weights, experts);
    let chunk = rows_per_task(4 * logits.cols);
    pool.for_chunks(logits.rows, chunk, |rows| {
        unchoose(isa, rows, (logits, share), chosen, dweights, dlogits);
    });
}

/// The largest of some numbers, and Σ exp(x − largest).
#[inline(always)]
fn softmax_sum<S: Simd>(numbers: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let top = numbers.clone().fold(f32::NEG_INFINITY, f32::max);
    (top, numbers.map(|x| exp::<S>(x - top)).sum())
}

kernel! {
    fn choose<S>(
        rows: Range<usize>,
        logits: Mat<'_>,
        share: Share,
        weights: MatMut<'_>,
        experts: &Rows,
    ) {
        let mut left = vec![0.0; logits.cols];
        for row in rows {
            // SAFETY: this task owns the row of both.
            let (weights, experts) = unsafe { (weights.row_f32(row), experts.row(row)) };
            let logits = logits.row_f32(row);
            left.copy_from_slice(logits);
            for expert in experts.iter_mut() {
                let (mut best, mut largest) = (0, f32::NEG_INFINITY);
                for (idx, &logit) in left.iter().enumerate() {
                    if logit > largest {
                        (best, largest) = (idx, logit);
                    }
                }
                *expert = best as u32;
                left[best] = f32::NEG_INFINITY;
            }
            let chosen = experts.iter().map(|expert| logits[*expert as usize]);
            let (top, sum) = match share {
                Share::Chosen => softmax_sum::<S>(chosen),
                Share::All => softmax_sum::<S>(logits.iter().copied()),
            };
            for (weight, expert) in weights.iter_mut().zip(experts.iter()) {
                *weight = exp::<S>(logits[*expert as usize] - top) / sum;
            }
        }
    }
}

kernel! {
    fn unchoose<S>(
        rows: Range<usize>,
        from: (Mat<'_>, Share),
        chosen: (Mat<'_>, &[u32]),
        dweights: Mat<'_>,
        dlogits: MatMut<'_>,
    ) {
        let ((logits, share), (weights, experts)) = (from, chosen);
        for row in rows {
            let (w, g) = (weights.row_f32(row), dweights.row_f32(row));
            let mean: f32 = w.iter().zip(g).map(|(w, g)| w * g).sum();
            // SAFETY: this task owns the row.
            let dlogits = unsafe { dlogits.row_f32(row) };
            match share {
                Share::Chosen => dlogits.fill(0.0),
                Share::All => {
                    let logits = logits.row_f32(row);
                    let (top, sum) = softmax_sum::<S>(logits.iter().copied());
                    for (d, logit) in dlogits.iter_mut().zip(logits) {
                        *d = -(exp::<S>(logit - top) / sum * mean);
                    }
                }
            }
            for (choice, expert) in experts[row * w.len()..][..w.len()].iter().enumerate() {
                dlogits[*expert as usize] = w[choice] * (g[choice] - mean);
            }
        }
    }
}
