//! Cross entropy over the vocabulary, with its gradient, block by block.
//!
//! ```text
//! logits of a block of columns, in cache        all blocks of a row
//!   largest m_b, Σ exp(z − m_b) ─────────────→  m, ln Σ exp(z − m)
//!   exp(z − m_b), stored as products read it ─→ × c · exp(m_b − m) / Σ, less c at the target
//! ```
//!
//! Logits are never stored: what is left of a block is one exponential for each, rounded as
//! products round their inputs, and two numbers a row. Losses and the gradient at the target are
//! made of numbers that were not rounded.

use super::isa::Isa;
use super::math::{exp2, max, sum};
use super::pool::Pool;
use super::row::{BLOCK, blocks, read, write};
use super::simd::{Simd, kernel};
use super::view::{Mat, MatMut};
use std::f32::consts::LOG2_E;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most columns of a block.
pub(super) const WIDEST: usize = 256;

/// What is known of the exponentials of some rows, one block of columns after the other.
pub(super) struct Parts<'a> {
    /// The largest logit of each block and row, (blocks, rows).
    pub(super) largest: MatMut<'a>,
    /// Σ exp(z − largest), (blocks, rows).
    pub(super) totals: MatMut<'a>,
}

kernel! {
    /// Exponentials of one block, less its largest logit row by row: their sums, and themselves if wanted.
    ///
    /// # Shapes
    /// `logits` (rows, at most [`WIDEST`]), as is `powers`; `largest` and `totals` (rows).
    pub(super) fn exponentials<S>(
        logits: Mat<'_>,
        powers: Option<MatMut<'_>>,
        largest: &mut [f32],
        totals: &mut [f32],
    ) {
        let mut block = [0.0; WIDEST];
        for row in 0..logits.rows {
            let block = &mut block[..logits.cols];
            read(logits, row, 0, block);
            let top = max(block);
            // Where nothing is finite nothing is subtracted: infinity less itself is no number.
            let base = if top == f32::NEG_INFINITY { 0.0 } else { top };
            block.iter_mut().for_each(|x| *x = power::<S>(*x, base));
            (largest[row], totals[row]) = (top, sum(block));
            if let Some(powers) = powers {
                // SAFETY: the caller gives each block and its rows to one task.
                unsafe { write(powers, row, 0, block) };
            }
        }
    }
}

/// A row whose blocks are all known.
pub(super) struct Settled {
    largest: f32,
    total: f64,
}

impl Settled {
    /// Brings the blocks of row `row` together.
    pub(super) fn new(parts: &Parts<'_>, row: usize) -> Self {
        // SAFETY: nobody writes the parts any more.
        let (tops, totals) = unsafe { (parts.largest.as_mat(), parts.totals.as_mat()) };
        let each = || (0..tops.rows).map(|block| (tops.get(block, row), totals.get(block, row)));
        let largest = each().fold(f32::NEG_INFINITY, |most, (top, _)| if top > most { top } else { most });
        let share = |(top, total): (f32, f32)| f64::from(total) * f64::from(top - largest).exp();
        Self { largest, total: each().map(share).sum() }
    }

    /// −log softmax at a logit, in nats.
    pub(super) fn loss(&self, logit: f32) -> f32 {
        (self.total.ln() - (f64::from(logit) - f64::from(self.largest))) as f32
    }

    /// `scale` over what the exponentials less `top` add up to.
    fn factor(&self, top: f32, scale: f32) -> f32 {
        (f64::from(scale) / self.total * f64::from(top - self.largest).exp()) as f32
    }
}

/// Turns the exponentials of row `row` into `scale · (softmax − onehot)`, in place.
///
/// # Shapes
/// `powers` (rows, V), blocks of `width` columns.
///
/// # Safety
/// No other thread touches the row.
pub(super) unsafe fn settle(
    isa: Isa,
    powers: MatMut<'_>,
    (parts, settled): (&Parts<'_>, &Settled),
    row: usize,
    width: usize,
    (target, logit, scale): (usize, f32, f32),
) {
    for (block, at) in (0..powers.cols).step_by(width).enumerate() {
        let n = width.min(powers.cols - at);
        // SAFETY: nobody writes the parts any more.
        let top = unsafe { parts.largest.as_mat() }.get(block, row);
        multiply(isa, powers.columns(at, n), row, settled.factor(top, scale));
    }
    let probability = f64::from(logit - settled.largest).exp() / settled.total;
    let gradient = f64::from(scale) * (probability - 1.0);
    // SAFETY: the row is this task's, by the caller's promise.
    unsafe { write(powers, row, target, &[gradient as f32]) };
}

kernel! {
    fn multiply<S>(x: MatMut<'_>, row: usize, factor: f32) {
        let mut block = [0.0; WIDEST];
        let block = &mut block[..x.cols];
        // SAFETY: the row is this task's, and the copy ends before it is written.
        unsafe {
            read(x.as_mat(), row, 0, block);
            block.iter_mut().for_each(|x| *x *= factor);
            write(x, row, 0, block);
        }
    }
}

/// The column of the largest number of every row, the first of equals. NaN is passed over.
///
/// # Panics
/// If `columns` has not one number a row.
pub fn argmax(pool: &Pool, isa: Isa, x: Mat<'_>, columns: &mut [u32]) {
    assert_eq!(columns.len(), x.rows, "a column for every row");
    let found: Vec<AtomicU32> = columns.iter().map(|_| AtomicU32::new(0)).collect();
    pool.run(x.rows, |row| found[row].store(largest_column(isa, x, row) as u32, Ordering::Relaxed));
    columns.iter_mut().zip(found).for_each(|(column, found)| *column = found.into_inner());
}

kernel! {
    fn largest_column<S>(x: Mat<'_>, row: usize) -> usize {
        let mut block = [0.0; BLOCK];
        let (mut largest, mut column) = (f32::NEG_INFINITY, 0);
        for (at, n) in blocks(x.cols) {
            let block = &mut block[..n];
            read(x, row, at, block);
            let top = max(block);
            if top > largest {
                largest = top;
                column = at + block.iter().position(|x| *x == top).unwrap_or(0);
            }
        }
        column
    }
}

/// exp(x − largest), for x not above it. An error in the last bits of the exponent
/// weighs most where the power is next to nothing.
#[inline(always)]
fn power<S: Simd>(x: f32, largest: f32) -> f32 {
    exp2::<S>((x - largest) * LOG2_E)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::cpu::row::tests::{Buffer, assert_close, noise, pools};
    use crate::backend::cpu::view::Elem;

    fn reference(x: &[f64], target: usize, scale: f64) -> (f64, Vec<f64>) {
        let top = x.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let total: f64 = x.iter().map(|x| (x - top).exp()).sum();
        let onehot = |idx: usize| f64::from(u8::from(idx == target));
        let grad = x.iter().enumerate().map(|(idx, x)| scale * ((x - top).exp() / total - onehot(idx)));
        (total.ln() + top - x[target], grad.collect())
    }

    /// Loss and gradient of every row, in blocks of `width` columns.
    fn by_blocks(
        isa: Isa,
        elem: Elem,
        logits: &[f32],
        targets: &[usize],
        width: usize,
    ) -> (Vec<f32>, Buffer) {
        let (rows, scale) = (targets.len(), 0.125);
        let cols = logits.len() / rows;
        let n_blocks = cols.div_ceil(width);
        let mut powers = Buffer::new(elem, &vec![0.0; logits.len()]);
        let (mut tops, mut totals) = (vec![9.0; rows * n_blocks], vec![9.0; rows * n_blocks]);
        let mat = powers.mat_mut(rows, cols);
        for (block, at) in (0..cols).step_by(width).enumerate() {
            let n = width.min(cols - at);
            let own = block * rows..(block + 1) * rows;
            let part = Mat::f32(logits, rows, cols).columns(at, n);
            exponentials(isa, part, Some(mat.columns(at, n)), &mut tops[own.clone()], &mut totals[own]);
        }
        let largest = MatMut::f32(&mut tops, n_blocks, rows);
        let parts = Parts { largest, totals: MatMut::f32(&mut totals, n_blocks, rows) };
        let settle_row = |row: usize| {
            let settled = Settled::new(&parts, row);
            let logit = logits[row * cols + targets[row]];
            // SAFETY: one thread.
            unsafe { settle(isa, mat, (&parts, &settled), row, width, (targets[row], logit, scale)) };
            settled.loss(logit)
        };
        ((0..rows).map(settle_row).collect(), powers)
    }

    fn check(elem: Elem, rows: usize, cols: usize, spread: f32) {
        let logits: Vec<f32> = noise(rows * cols, 1).iter().map(|x| x * spread).collect();
        let targets: Vec<usize> = (0..rows).map(|row| (row * 7919 + cols - 1) % cols).collect();
        let wide: Vec<f64> = logits.iter().map(|&x| x.into()).collect();
        let by_row = wide.chunks(cols).zip(&targets);
        let want: Vec<_> = by_row.map(|(x, target)| reference(x, *target, 0.125)).collect();
        let want_losses: Vec<f64> = want.iter().map(|(loss, _)| *loss).collect();
        let want_grad: Vec<f64> = want.into_iter().flat_map(|(_, grad)| grad).collect();
        let tolerance = if elem == Elem::F32 { 2e-6 } else { 1.0 / 256.0 };
        for isa in Isa::available() {
            for width in [32, 96, WIDEST] {
                let (losses, grad) = by_blocks(isa, elem, &logits, &targets, width);
                let losses: Vec<f64> = losses.iter().map(|&x| x.into()).collect();
                assert_close("loss", &losses, &want_losses, 1e-6);
                assert_close("gradient", &grad.wide(), &want_grad, tolerance);
            }
        }
    }

    #[test]
    fn losses_and_gradients() {
        for elem in [Elem::F32, Elem::Bf16] {
            for (rows, cols, spread) in [(1, 1, 1.0), (3, 5, 1.0), (5, 1025, 10.0), (2, 70_001, 50.0)] {
                check(elem, rows, cols, spread);
            }
        }
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let mut logits = vec![f32::NEG_INFINITY; 100];
        (logits[0], logits[1], logits[2]) = (1e30, -1e30, 0.0);
        for isa in Isa::available() {
            let (losses, grad) = by_blocks(isa, Elem::F32, &logits, &[0], 32);
            assert_eq!(losses, [0.0]);
            assert!(grad.wide().iter().all(|g| *g == 0.0));
        }
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        let mut logits = vec![0.0; 100];
        logits[70] = f32::NAN;
        for isa in Isa::available() {
            assert!(by_blocks(isa, Elem::F32, &logits, &[0], 32).0[0].is_nan());
        }
    }

    #[test]
    fn argmax_takes_the_first_of_equals() {
        let x = [0.0, 3.0, 3.0, -1.0, -5.0, -2.0, f32::NAN, -2.0];
        let mut columns = [9; 2];
        argmax(&pools()[1], Isa::best(), Mat::f32(&x, 2, 4), &mut columns);
        assert_eq!(columns, [1, 1]);
        let wide = noise(5000, 8);
        let mut column = [0];
        argmax(&pools()[0], Isa::best(), Mat::f32(&wide, 1, 5000), &mut column);
        assert!(wide.iter().all(|x| *x <= wide[column[0] as usize]));
    }
}
